//! Whom a request is written for.

use super::losses::Losses;
use crate::marks::Names;

/// An upstream and a model, with what is configured and learnt of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// The upstream's name.
    pub upstream: String,
    /// The model's name there.
    pub model: String,
    /// Whether it is the model that the client asked for: what that one has signed goes to no
    /// other.
    pub is_asked: bool,
    /// Whether the answer is wanted as a stream.
    pub stream: bool,
    /// What is configured and learnt.
    pub settings: Settings,
}

impl Target {
    /// Who will make the answer, as it stands in [`hone_strategies::chat::Native::model`].
    pub fn maker(&self) -> String {
        format!("{}/{}", self.upstream, self.model)
    }
}

/// What is configured of an upstream, or has been learnt of one of its models.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Tokens of an answer where the client sets no limit and the dialect must have one.
    pub max_tokens_default: u64,
    /// The field in which a chat upstream takes a limit that another dialect's client has set.
    pub max_tokens_field: String,
    /// How a Claude is told to think.
    pub thinking: ThinkingForm,
    /// Where instructions within a conversation go.
    pub system: SystemForm,
    /// The field in which a chat upstream takes back what its model thought.
    pub reasoning_field: ReasoningField,
    /// Whether URLs of files are passed on to an upstream that has URIs of its own.
    pub passes_file_uris: bool,
    /// Whether the model takes `temperature`, `top_p` and `top_k`.
    pub takes_sampling: bool,
    /// Words for an effort that the model refuses.
    pub refused_efforts: Vec<String>,
    /// The version of Anthropic's API for clients that name none.
    pub anthropic_version: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_tokens_default: 16_384,
            max_tokens_field: "max_tokens".to_owned(),
            thinking: ThinkingForm::Adaptive,
            system: SystemForm::Inline,
            reasoning_field: ReasoningField::None,
            passes_file_uris: false,
            takes_sampling: true,
            refused_efforts: Vec::new(),
            anthropic_version: "2023-06-01".to_owned(),
        }
    }
}

/// How a model is told to think.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingForm {
    /// It decides itself, by an effort.
    Adaptive,
    /// It gets a number of tokens for it.
    Budget,
    /// It cannot.
    Off,
}

/// Where instructions go that stand within a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemForm {
    /// They stay in their place.
    Inline,
    /// They go in front.
    Leading,
    /// They become a part of a user's turn.
    User,
}

/// A field of a chat message for what the model thought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasoningField {
    /// There is none.
    None,
    /// `reasoning`.
    Reasoning,
    /// `reasoning_content`.
    ReasoningContent,
}

/// A request as it goes to an upstream.
#[derive(Debug, Clone, PartialEq)]
pub struct Encoded {
    /// Its JSON.
    pub body: Vec<u8>,
    /// Its path behind the upstream's `base_url`, with a query if there is one.
    pub path: String,
    /// Headers beside the content type and the key; names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// What was left out.
    pub losses: Losses,
    /// What the tools are called there. The answer's reader needs it.
    pub names: Names,
}
