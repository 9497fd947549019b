//! Why bytes are nothing that this room reads.

/// Why bytes are not a chat request, completion or chunk. The message is hone's own text and may be
/// shown to a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ChatError {
    /// The field at fault, if it is one field.
    pub param: Option<String>,
    /// What is wrong, as a sentence.
    pub message: String,
}

impl ChatError {
    pub(super) fn field(param: &str, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.to_owned()),
            message: message.into(),
        }
    }

    pub(super) fn body(message: impl Into<String>) -> Self {
        Self {
            param: None,
            message: message.into(),
        }
    }

    pub(super) fn json(error: &serde_json::Error) -> Self {
        Self::body(format!(
            "The body is not a JSON object (line {}, column {}).",
            error.line(),
            error.column()
        ))
    }
}
