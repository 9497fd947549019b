//! One dialect, both ways.

use hone_strategies::chat::{ChatRequest, Completion, Dialect};

use crate::shape::{
    Encoded, ErrorReply, Frame, Refusal, Source, Spoken, StreamDecoder, StreamEncoder, Target,
};
use crate::tables::errors;

/// What a request says outside of its body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Route<'a> {
    /// The model in the path, where the dialect has it there.
    pub model: Option<&'a str>,
    /// Whether the path asks for a stream, where the dialect says it there.
    pub stream: bool,
    /// Whether a stream is to be one JSON array, as Google's API writes it without `alt=sse`.
    pub array: bool,
    /// The API's version, where a header names one.
    pub version: Option<&'a str>,
    /// The features in trial that a header asks for, as Anthropic's clients write it.
    pub beta: Option<&'a str>,
    /// Whether the prompt's tokens are to be counted, so that the request says nothing of its
    /// answer.
    pub counts: bool,
}

/// Reads and writes one dialect. Nothing here does I/O, looks at a clock or draws a random number.
pub trait Codec: Sync {
    /// Which dialect it is.
    fn dialect(&self) -> Dialect;

    /// A client's request in the middle form, with its [`hone_strategies::chat::Origin`].
    ///
    /// What that takes in memory is at most [`crate::request_weight`] of the body.
    ///
    /// # Errors
    ///
    /// What the dialect does not allow, by its path in the client's own spelling.
    fn decode_request(&self, body: &[u8], route: &Route<'_>) -> Result<ChatRequest, Refusal>;

    /// A request as this dialect's upstreams take it.
    ///
    /// # Errors
    ///
    /// What cannot be left out and cannot be said.
    fn encode_request(&self, request: &ChatRequest, target: &Target) -> Result<Encoded, Refusal>;

    /// An upstream's whole answer.
    ///
    /// # Errors
    ///
    /// The failure that the upstream tells, or what is wrong with its answer.
    fn decode_answer(&self, body: &[u8], source: &Source) -> Result<Completion, Box<ErrorReply>>;

    /// A whole answer for a client, as JSON.
    fn encode_answer(&self, answer: &Completion, frame: &Frame) -> String;

    /// A reader of an upstream's stream.
    fn stream_decoder(&self, source: Source) -> Box<dyn StreamDecoder>;

    /// A writer of a client's stream.
    fn stream_encoder(&self, frame: Frame) -> Box<dyn StreamEncoder>;

    /// The request that has a prompt's tokens counted by this dialect's upstreams; `None` where
    /// the dialect has none.
    ///
    /// # Errors
    ///
    /// As of [`Self::encode_request`].
    fn encode_count(
        &self,
        request: &ChatRequest,
        target: &Target,
    ) -> Result<Option<Encoded>, Refusal>;

    /// The tokens that a counter's answer tells.
    fn decode_count(&self, body: &[u8]) -> Option<u64>;

    /// A count for a client, as JSON.
    fn encode_count_answer(&self, tokens: u64) -> String;

    /// A list of models for a client, as JSON.
    fn encode_models(&self, models: &[Model<'_>]) -> String;

    /// One model for a client, as JSON.
    fn encode_model(&self, model: &Model<'_>) -> String;

    /// The models that an upstream's list names, each with its [`Model::created`], or 0 where the
    /// list does not tell it. `None` for what is no list of models.
    ///
    /// At most 10,000 of them, with names of at most 512 bytes; others are left out. The tree of
    /// `body` takes at most [`hone_strategies::chat::weight`] while it is read.
    fn decode_models(&self, body: &[u8]) -> Option<Vec<(String, u64)>>;

    /// An error for a client.
    fn error(&self, error: &ErrorReply) -> Spoken {
        errors::speak(self.dialect(), error)
    }

    /// The error that this dialect's upstream has told, from its status and body.
    fn decode_error(&self, status: u16, body: &[u8]) -> ErrorReply {
        errors::read(self.dialect(), status, body)
    }
}

/// A model in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Model<'a> {
    /// Its name.
    pub id: &'a str,
    /// Unix time in seconds at which it came into being, if that is known.
    pub created: u64,
}
