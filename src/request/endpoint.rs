//! The endpoints of the API that hone knows something about. Every other path is relayed all the
//! same.

use crate::request::intake::Need;
use crate::usage::Api;

/// What a path below `/v1` is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `chat/completions`: the one that strategies answer.
    Chat,
    /// `completions`.
    Completions,
    /// `embeddings`.
    Embeddings,
    /// `messages`, of Anthropic's dialect.
    Messages,
    /// `models` and below.
    Models,
    /// Anything else.
    Other,
    /// `responses`.
    Responses,
}

impl Endpoint {
    /// Reads a path below `/v1`.
    pub fn of(path: &str) -> Self {
        match path.trim_end_matches('/') {
            "chat/completions" => Self::Chat,
            "completions" => Self::Completions,
            "embeddings" => Self::Embeddings,
            "messages" => Self::Messages,
            "responses" => Self::Responses,
            path if path == "models" || path.starts_with("models/") => Self::Models,
            _ => Self::Other,
        }
    }

    /// A bounded name for logs and metric labels.
    pub fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Completions => "text_completion",
            Self::Embeddings => "embeddings",
            Self::Messages => "messages",
            Self::Models => "models",
            Self::Other => "other",
            Self::Responses => "responses",
        }
    }

    /// Whether its body must be JSON that hone can read: wherever a model is named and tokens are
    /// counted, so that no other content type is a way around routing, models lists and limits.
    pub fn need(self) -> Need {
        if self.usage().is_some() {
            Need::Json
        } else {
            Need::Anything
        }
    }

    /// How its answers tell their token use, if they do.
    pub fn usage(self) -> Option<Api> {
        match self {
            Self::Chat => Some(Api::ChatCompletions),
            Self::Completions => Some(Api::Completions),
            Self::Embeddings => Some(Api::Embeddings),
            Self::Messages => Some(Api::Messages),
            Self::Models | Self::Other => None,
            Self::Responses => Some(Api::Responses),
        }
    }
}
