//! Bytes: JSON, `text/event-stream`, paths and queries.

pub mod json;
pub mod query;
pub mod sse;
pub mod verb;
