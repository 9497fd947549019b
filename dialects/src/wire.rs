//! Bytes: JSON and `text/event-stream`.

pub mod json;
pub mod sse;
