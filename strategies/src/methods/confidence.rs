//! Methods that look at the probabilities of tokens.

pub(crate) mod cot_decoding;
pub(crate) mod deepconf;
pub(crate) mod entropy_decoding;
pub(crate) mod self_certainty;
