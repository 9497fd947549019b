//! What corresponds to what in the dialects, as data and pure functions.

pub mod effort;
pub mod errors;
pub mod finish;
pub mod usage;
