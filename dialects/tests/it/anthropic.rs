//! Anthropic's Messages, both ways.

mod answers; // whole answers
mod requests; // what becomes of requests
mod streams; // streams, read and written
