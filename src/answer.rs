//! The two ways to an answer: a request is relayed, or a strategy runs for it. What cannot be
//! answered becomes an error that a client can read.

pub mod encode;
pub(crate) mod error;
pub(crate) mod panel;
pub(crate) mod relay;
pub(crate) mod run;
