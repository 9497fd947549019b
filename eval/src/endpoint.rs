//! Whom an evaluation asks.

use std::fmt;
use std::time::Duration;

use hone_strategies::Sureness;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Whom an evaluation asks: a provider, or a proxy that runs the approaches.
///
/// An evaluation builds the requests, waits where it is asked to, and grades the replies; how a
/// request travels, with whose key and within which time is the endpoint's business.
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
    /// What went wrong, and what follows from it.
    fn chat(&self, request: &Value) -> impl Future<Output = Result<Reply, Failure>>;
}

/// A reply, and what it took.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Reply {
    /// The first choice's text.
    pub text: String,
    /// Tokens read, over all calls.
    pub input_tokens: u64,
    /// Of those, the ones that the provider had read before, as far as it says so.
    pub cached_tokens: u64,
    /// Tokens generated, over all calls.
    pub output_tokens: u64,
    /// Calls that models answered; a plain answer is one.
    pub calls: u64,
    /// What each model used, where calls went to other models than the one that was asked for.
    pub uses: Vec<ModelUse>,
    /// Calls beside them that a rate limit refused.
    pub limited_calls: u64,
    /// What the answer had to do without, in the endpoint's words; empty if nothing.
    pub degraded: String,
    /// Why it ended, in the provider's word; empty if it did not say.
    pub finish: String,
    /// How sure the model was of it, where log probabilities were asked for.
    pub sure: Sureness,
}

/// Tokens that one model used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelUse {
    /// The model, as the endpoint was asked for it.
    pub model: String,
    /// Tokens read.
    pub input_tokens: u64,
    /// Of those, the ones that the provider had read before.
    #[serde(default, skip_serializing_if = "is_none")]
    pub cached_tokens: u64,
    /// Tokens generated.
    pub output_tokens: u64,
}

/// Tokens that cost differently.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) read: u64,
    /// Those of `read` that the provider had read before.
    pub(crate) cached: u64,
    pub(crate) generated: u64,
}

impl Tokens {
    /// A provider that has more cached than was read is not believed.
    pub(crate) fn new(read: u64, cached: u64, generated: u64) -> Self {
        Self {
            read,
            cached: cached.min(read),
            generated,
        }
    }

    /// All of them, whatever they cost.
    pub(crate) const fn all(self) -> u64 {
        self.read.saturating_add(self.generated)
    }
}

/// Whether there are no such tokens.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
pub(crate) const fn is_none(tokens: &u64) -> bool {
    *tokens == 0
}

/// Why there is no reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What follows from it.
    pub kind: FailureKind,
    /// What went wrong, in words for a report.
    pub message: String,
}

/// What follows from a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The endpoint has no time (429): it is asked again after `wait`, or when the evaluation sees
    /// fit, and fewer requests are under way at once.
    Busy {
        /// What it asked for.
        wait: Option<Duration>,
    },
    /// Only this request: it is not asked again in this run.
    Final,
    /// A fault that passes, such as a 5xx or a broken connection: the request is tried again.
    Passing,
    /// The key, the model or the address is not accepted (401, 402, 403, 404), and so will no
    /// other request be: a run ends when this goes on.
    Refused,
    /// Nobody is there: as above, after some patience.
    Unreachable,
}

impl Failure {
    /// A failure of one request.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
