//! Whom an evaluation asks.

use serde_json::Value;

/// Whom an evaluation asks: a provider, or a proxy that runs the approaches.
///
/// An evaluation builds the requests and grades the replies; how a request travels, with whose key
/// and within which time is the endpoint's business.
pub trait Endpoint {
    /// Answers one chat request.
    ///
    /// `request` is the body of an OpenAI chat completion request: `model`, `messages`, `seed`,
    /// and what the settings say. `optillm_approach` and an approach's parameters are members of
    /// it. The futures of several requests are polled at once, and dropped when the user
    /// interrupts.
    ///
    /// # Errors
    ///
    /// What went wrong, in words for a report. The evaluation counts the request as failed and
    /// asks again when it is run again.
    fn chat(&self, request: &Value) -> impl Future<Output = Result<Reply, String>>;
}

/// A reply, and what it took.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The first choice's text.
    pub text: String,
    /// Tokens read, over all calls.
    pub input_tokens: u64,
    /// Tokens generated, over all calls.
    pub output_tokens: u64,
    /// Calls to the model; a plain answer is one.
    pub calls: u64,
    /// What the answer had to do without, in the endpoint's words; empty if nothing.
    pub degraded: String,
}
