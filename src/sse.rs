//! `text/event-stream`, as the HTML standard defines it: bounded reading that keeps the bytes, and
//! writing.

pub(crate) mod decode;
pub mod encode;

pub(crate) use decode::begins_stream;
pub use decode::{RawEvent, Splitter};
