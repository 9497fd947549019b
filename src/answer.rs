//! The two ways to an answer: a request is relayed, or a strategy runs for it. What cannot be
//! answered becomes an error that a client can read.

pub mod encode;
pub mod error;
pub mod panel;
pub mod relay;
pub mod run;
