//! OpenAI-shaped chat types that keep what they do not know.
//!
//! A request that is parsed and written again says the same: unknown fields, their order and every
//! message part survive. Messages are shared, so that n candidates cost one prompt in memory.
//! Nothing here judges content; only what hone itself reads is checked.

mod attachment;
mod completion;
mod counter;
mod delta;
mod message;
mod request;
mod settle;
mod text;
mod usage;
pub mod view;

pub use attachment::Attachment;
pub use completion::{Choice, Completion};
pub use counter::TokenCounter;
pub use delta::{Assembler, Chunk, ChunkChoice, Delta};
pub use message::Message;
pub use request::ChatRequest;
pub use settle::{Written, settle, settle_cut, written_tokens};
pub use text::{members_text_bytes, text_bytes, tokens_of_bytes};
pub use usage::Usage;

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
    fn field(param: &str, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.to_owned()),
            message: message.into(),
        }
    }

    fn body(message: impl Into<String>) -> Self {
        Self {
            param: None,
            message: message.into(),
        }
    }

    fn json(error: &serde_json::Error) -> Self {
        Self::body(format!(
            "The body is not a JSON object (line {}, column {}).",
            error.line(),
            error.column()
        ))
    }
}
