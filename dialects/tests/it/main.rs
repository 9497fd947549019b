//! What the codecs do, as clients and upstreams see it.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test's support fails the test"
)]

mod anthropic; // Anthropic's Messages
mod broken; // answers that are none
mod crossing; // what crosses from each dialect to each other one
mod customs; // tools of chat clients that take a text
mod empty; // what is written wrong, and would say nothing
mod envelopes; // envelopes that clients have forged
mod gemini; // Google's generateContent
mod golden; // files of requests, and what becomes of them
mod grammar; // what is a stream in each dialect, written apart from the encoders
mod leaving; // fields and tools on their way out
mod many; // as many calls and tools as a request may hold
mod models; // lists of models
mod plain; // events that are read without a tree
mod replayed; // finished answers, as their makers wrote them
mod responses; // OpenAI's Responses
mod steps; // calls and results that do not agree
mod stops; // stop sequences
mod support; // requests, targets, frames
