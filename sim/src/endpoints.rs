//! The endpoints: what each makes of a request.

pub(crate) mod chat;
mod content;
pub(crate) mod embeddings;
pub(crate) mod files;
pub(crate) mod media;
pub(crate) mod messages;
pub(crate) mod responses;

/// The moment at which every answer claims to have been made: the same in every run.
pub(crate) const CREATED: u64 = 1_767_225_600;
