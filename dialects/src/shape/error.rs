//! Errors, in no dialect.

use std::time::Duration;

use super::refusal::Refusal;

/// An error that a client is told, or that an upstream has told. Every dialect can say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ErrorReply {
    /// The HTTP status as OpenAI has it: an overloaded server is 503 here.
    pub status: u16,
    /// A sentence.
    pub message: String,
    /// What a program may tell it by: hone's code, or OpenAI's.
    pub code: Option<String>,
    /// OpenAI's `type`, where the status does not say it all.
    pub kind: Option<String>,
    /// The part of the request at fault.
    pub param: Option<String>,
    /// How long to wait.
    pub retry_after: Option<Duration>,
    /// hone's id of the request.
    pub request_id: Option<String>,
    /// Set if the request is longer than the model's window.
    pub overflow: Option<Overflow>,
}

/// By how much a request is too long, as far as the upstream says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Overflow {
    /// Its tokens.
    pub tokens: Option<u64>,
    /// How many there may be.
    pub most: Option<u64>,
}

/// An error as one dialect says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// The HTTP status in that dialect.
    pub status: u16,
    /// The JSON.
    pub body: String,
    /// Headers of that dialect; names in lower case.
    pub headers: Vec<(&'static str, String)>,
}

impl ErrorReply {
    /// An error with nothing but this.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
            ..Self::default()
        }
    }

    /// The upstream's answer is not what its dialect promises.
    pub fn malformed(message: impl Into<String>) -> Self {
        Self {
            code: Some("upstream_malformed".to_owned()),
            ..Self::new(502, message)
        }
    }

    /// The upstream's stream ended before its answer did.
    pub fn truncated() -> Self {
        Self {
            code: Some("upstream_truncated".to_owned()),
            ..Self::new(502, "The upstream's stream ended before its answer did.")
        }
    }
}

impl From<Refusal> for ErrorReply {
    fn from(refusal: Refusal) -> Self {
        Self {
            code: Some(refusal.code.to_owned()),
            param: refusal.param,
            ..Self::new(400, refusal.message)
        }
    }
}
