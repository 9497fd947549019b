//! The endpoints: what each makes of a request.

mod base64;
pub(crate) mod chat;
mod content;
pub(crate) mod embeddings;
mod example;
mod fields;
pub(crate) mod files;
pub(crate) mod gemini;
pub(crate) mod media;
pub(crate) mod messages;
pub(crate) mod models;
mod reply;
pub(crate) mod responses;
mod signature;
mod steps;

/// The moment at which every answer claims to have been made: the same in every run.
pub(crate) const CREATED: u64 = 1_767_225_600;
