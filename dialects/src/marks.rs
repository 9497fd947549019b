//! What hone puts into requests and answers that must be known again later: ids, names of tools,
//! and reasoning that only its provider can read.

pub mod envelope;
mod ids;
mod names;
mod signatures;

pub use ids::{Minter, clean};
pub use names::Names;
