//! What a message was in the dialect that it came in, where OpenAI's chat form cannot say all
//! of it.

use std::sync::Arc;

use serde_json::Value;

use crate::chat::weight::tree_bytes;

/// A form of requests and answers that hone speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// Anthropic's Messages.
    Anthropic,
    /// Google's `generateContent`.
    Gemini,
    /// OpenAI's chat completions.
    OpenAiChat,
    /// OpenAI's Responses.
    OpenAiResponses,
}

impl Dialect {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Anthropic,
        Self::Gemini,
        Self::OpenAiChat,
        Self::OpenAiResponses,
    ];

    /// Its name in a configuration and in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Anthropic => "anthropic",
            Self::Gemini => "gemini",
            Self::OpenAiChat => "openai-chat",
            Self::OpenAiResponses => "openai-responses",
        }
    }

    /// The dialect with this name.
    ///
    /// ```
    /// use hone_strategies::chat::Dialect;
    /// assert_eq!(Dialect::parse("gemini"), Some(Dialect::Gemini));
    /// assert_eq!(Dialect::parse("Gemini"), None);
    /// ```
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|dialect| dialect.name() == name)
    }
}

/// The original blocks, items or parts of one turn, or of a piece of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Native {
    /// Whose they are.
    pub dialect: Dialect,
    /// Which model made them, as `upstream/model`. Empty for what a client wrote.
    pub model: String,
    /// The blocks, items or parts, in their order.
    pub value: Vec<Value>,
}

impl Native {
    /// What it takes in memory, in bytes.
    pub(in crate::chat) fn bytes(&self) -> usize {
        let values = self.value.iter().map(tree_bytes).sum::<usize>();
        values.saturating_add(self.model.len())
    }

    /// Adds `more` of the same turn behind `whole`. Of two makers no turn is left: it would be
    /// neither's.
    pub(in crate::chat) fn append(mut whole: Arc<Self>, more: &Self) -> Option<Arc<Self>> {
        if whole.dialect != more.dialect || whole.model != more.model {
            return None;
        }
        Arc::make_mut(&mut whole)
            .value
            .extend(more.value.iter().cloned());
        Some(whole)
    }
}
