//! A request that cannot be carried out.

use std::fmt;

use hone_strategies::chat::ChatError;

/// Why a request is refused, always with status 400. The message is hone's own text and may be
/// shown to a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The part at fault, as the client writes it: `messages.3.content.1.source`.
    pub param: Option<String>,
    /// What is wrong, as a sentence.
    pub message: String,
    /// What a program may tell it by.
    pub code: &'static str,
}

impl Refusal {
    /// The value at `param` is not what the dialect takes.
    pub fn invalid(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            message: message.into(),
            code: "invalid_value",
        }
    }

    /// The part at `param` means something that cannot be said to the upstream.
    pub fn untranslatable(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            message: message.into(),
            code: "dialect_not_supported",
        }
    }

    /// The request goes on from an answer that hone has made and nobody has stored.
    pub fn not_stored() -> Self {
        let why = "This answer was not stored: send the whole conversation as `input`.";
        Self {
            code: "previous_response_not_found",
            ..Self::invalid("previous_response_id", why)
        }
    }

    /// The body as a whole is no request.
    pub fn body(message: impl Into<String>) -> Self {
        Self {
            param: None,
            message: message.into(),
            code: "invalid_body",
        }
    }
}

impl From<ChatError> for Refusal {
    fn from(error: ChatError) -> Self {
        Self {
            param: error.param,
            message: error.message,
            code: "invalid_body",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
