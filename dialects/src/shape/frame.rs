//! What the readers and writers of answers know beside the answer.

use std::sync::Arc;

use hone_strategies::chat::{ChatRequest, Usage};

use crate::marks::Names;

/// Whose answer is read.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The upstream and its model: [`super::Target::maker`].
    pub maker: String,
    /// What the tools are called there: [`super::Encoded::names`].
    pub names: Arc<Names>,
    /// What the ids are made from that the upstream does not give; different for each call.
    pub seed: String,
    /// Bytes of the largest event, or 0 for a mebibyte.
    pub max_event_bytes: usize,
}

/// What an answer is written with.
#[derive(Debug, Clone)]
pub struct Frame {
    /// What its ids are made from: hone's id of the request.
    pub seed: String,
    /// The model's name, as the client asked for it.
    pub model: String,
    /// Unix time in seconds.
    pub created: u64,
    /// The client's request, as it was read.
    pub request: ChatRequest,
    /// Bytes of an answer that may have to be held back.
    pub max_held_bytes: usize,
}

impl Frame {
    /// Whether the client wants to see what the model thought.
    pub fn shows_reasoning(&self) -> bool {
        let origin = self.request.origin();
        origin.is_none_or(|origin| origin.wishes.reasoning)
    }

    /// Whether the client wants reasoning back that only its provider can read.
    pub fn shows_encrypted(&self) -> bool {
        let origin = self.request.origin();
        origin.is_some_and(|origin| origin.wishes.encrypted)
    }
}

/// What is known when an answer is whole.
#[derive(Debug, Clone, Default)]
pub struct Ending {
    /// What it has cost.
    pub usage: Usage,
    /// What hone tells of the run, as one line of JSON, where the dialect has a place for it.
    pub trailer: Option<String>,
}
