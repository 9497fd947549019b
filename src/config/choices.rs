//! Choices by name: each is written in the configuration as one of a few words.

use hone_dialects::{Dialect, ReasoningField, SystemForm, ThinkingForm};

use super::{Access, AuthSlot, FallbackFor, LogFormat, ShownUsage, StreamUsage, Switch};

/// A setting whose values have names.
pub(crate) trait Choice: Copy + PartialEq + 'static {
    /// Every value and its name, the default first.
    const NAMES: &'static [(&'static str, Self)];

    /// The value that the configuration calls `name`.
    fn named(name: &str) -> Option<Self> {
        let mut names = Self::NAMES.iter();
        names.find_map(|(known, value)| (*known == name).then_some(*value))
    }
}

macro_rules! choices {
    ($($choice:ident { $($name:literal => $value:ident),+ })+) => {$(
        impl Choice for $choice {
            const NAMES: &'static [(&'static str, Self)] = &[$(($name, Self::$value)),+];
        }

        impl $choice {
            /// The word for it in the configuration.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$value => $name),+
                }
            }
        }
    )+};
}

choices! {
    Access { "open" => Open, "known" => Known }
    AuthSlot { "bearer" => Bearer, "x-api-key" => XApiKey, "api-key" => ApiKey,
        "x-goog-api-key" => XGoogApiKey, "none" => None }
    FallbackFor { "known" => Known, "loopback" => Loopback, "anyone" => Anyone }
    LogFormat { "auto" => Auto, "human" => Human, "json" => Json }
    ShownUsage { "sum" => Sum, "last" => Last }
    StreamUsage { "ask" => Ask, "count" => Count }
}

macro_rules! of_dialects {
    ($($choice:ident { $($name:literal => $value:ident),+ })+) => {$(
        impl Choice for $choice {
            const NAMES: &'static [(&'static str, Self)] = &[$(($name, Self::$value)),+];
        }
    )+};
}

of_dialects! {
    Dialect { "openai-chat" => OpenAiChat, "openai-responses" => OpenAiResponses,
        "anthropic" => Anthropic, "gemini" => Gemini }
    ReasoningField { "none" => None, "reasoning_content" => ReasoningContent,
        "reasoning" => Reasoning }
    SystemForm { "inline" => Inline, "leading" => Leading, "user" => User }
    ThinkingForm { "auto" => Adaptive, "budget" => Budget, "off" => Off }
}

/// The word for `value` in the configuration.
pub(super) fn word<T: Choice>(value: T) -> &'static str {
    let mut names = T::NAMES.iter();
    let name = names.find(|(_, named)| *named == value);
    name.map_or("", |(name, _)| name)
}

impl From<bool> for Switch {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}
