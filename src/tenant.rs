//! Who is calling, and whose key pays.
//!
//! [`identify`] turns a request's head into a [`Principal`], and [`Principal::credential`] is the
//! one resolver of keys for an upstream: no other code chooses one, none is chosen by its shape,
//! and where nothing fits, the request is refused before any upstream hears of it.

mod address;
mod credential;
mod directory;
mod error;
#[cfg(test)]
mod fixture;
mod gateway_key;
mod leak;
mod members;
mod memory;
mod principal;
mod query;
pub mod slots;
mod whoami;

pub(crate) use address::{NotLocal, forwards_in_vain};
pub use address::{Peer, client_address};
pub use credential::Credential;
pub(crate) use credential::KeyHeader;
pub use directory::Directory;
pub(crate) use error::{AuthError, FallbackRefusal, Sent};
pub use gateway_key::{GATEWAY_KEY_PREFIX, KeyStanding};
pub(crate) use memory::{Full, Memory, Prompts, Taken, charged};
pub use memory::{Room, Share};
pub(crate) use principal::is_foreign_page_here;
pub use principal::{Principal, identify};
pub use query::QueryRefused;
pub(crate) use query::move_key;
pub(crate) use slots::SlotError;
pub use whoami::whoami;
