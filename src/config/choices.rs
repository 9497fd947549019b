//! Choices by name: each is written in the configuration as one of a few words.

use super::{Access, AuthSlot, FallbackFor, LogFormat, StreamUsage, Switch};

/// A setting whose values have names.
pub(super) trait Choice: Copy + PartialEq + 'static {
    /// Every value and its name, the default first.
    const NAMES: &'static [(&'static str, Self)];
}

macro_rules! choices {
    ($($choice:ident { $($name:literal => $value:ident),+ })+) => {$(
        impl Choice for $choice {
            const NAMES: &'static [(&'static str, Self)] = &[$(($name, Self::$value)),+];
        }

        impl $choice {
            /// The setting that the configuration calls `name`.
            pub fn named(name: &str) -> Option<Self> {
                Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
            }

            /// The word for it in the configuration.
            pub fn as_str(self) -> &'static str {
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
    StreamUsage { "ask" => Ask, "count" => Count }
}

impl From<bool> for Switch {
    fn from(on: bool) -> Self {
        if on { Self::On } else { Self::Off }
    }
}
