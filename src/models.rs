//! The model list: the upstreams' own, each asked with the key that the caller has for it, and the
//! operator's virtual models.
//!
//! What is listed can be asked for under that name: a model that another upstream would serve under
//! its plain name is listed as `upstream/model`. Each upstream is asked in its own dialect, and the
//! client reads the list in its own.

mod extend;
mod form;
mod list;
mod listed;
mod merge;
mod own;
mod prefixed;
mod sources;

pub(crate) use extend::extend;
pub use form::Form;
pub(crate) use list::names;
pub use listed::Listed;
pub use merge::merge;
pub(crate) use own::{find, is_hidden};
pub(crate) use prefixed::{Telling, retold, unprefixed};
pub(crate) use sources::{Question, Source, question, route, sources};
