//! What hone puts into requests and answers that must be known again later: ids, names of tools,
//! and reasoning that only its provider can read.

pub mod envelope;
mod ids;
mod names;
mod reasoning; // what of an envelope is reasoning
mod signatures;

pub use ids::{Minter, clean};
pub use names::Names;

/// How the ids of responses begin that hone has made. Nothing is stored under them.
pub const OWN_RESPONSE: &str = "resp_hone_";
