//! Reading replies and long texts.

pub(crate) mod folding;
pub(crate) mod json_reply;
pub(crate) mod tf_idf;
pub mod verdict;
