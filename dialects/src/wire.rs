//! Bytes: JSON, `text/event-stream`, paths and queries.

pub mod date;
pub mod json;
pub(crate) mod models;
pub mod query;
pub mod sse;
pub mod verb;
