//! Looking at the tokens that a model writes, and continuing from them.

pub(crate) mod branching;
pub mod confidence;
pub(crate) mod decoding;
pub(crate) mod prefill;
pub(crate) mod thinking;
