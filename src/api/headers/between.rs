//! Which headers pass between a client and an upstream because of the dialects that they speak.

use hone_dialects::Dialect;

use super::matches;

/// The dialects of a client and of an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Between {
    /// In which the client speaks.
    pub(crate) client: Dialect,
    /// In which the upstream is asked.
    pub(crate) upstream: Dialect,
    /// Whether the upstream may speak the client's.
    pub(crate) is_spoken: bool,
}

/// What clients of OpenAI's say of themselves and of their sessions. An entry that ends in `-` is a
/// prefix.
const OPENAI: [&str; 6] = [
    "openai-",
    "originator",
    "session-id",
    "thread-id",
    "x-client-request-id",
    "x-codex-",
];
/// The same of Anthropic's.
const ANTHROPIC: [&str; 3] = ["anthropic-", "x-app", "x-claude-code-"];
/// The same of Google's.
const GEMINI: [&str; 2] = ["x-goog-", "x-server-timeout"];
/// What servers of chat completions get from every client, if they may speak its dialect, too.
const ANY: [&str; 8] = [
    "anthropic-beta",
    "anthropic-dangerous-direct-browser-access",
    "anthropic-version",
    "openai-beta",
    "openai-organization",
    "openai-project",
    "openai-version",
    "x-client-request-id",
];

impl Between {
    /// Whether a field of this name passes. What names a secret never does.
    pub(super) fn passes(self, name: &str) -> bool {
        let is_openais = is_openais(self.client) && is_openais(self.upstream);
        if !self.is_spoken && !is_openais {
            return false;
        }
        let listed: &[&str] = match self.client {
            Dialect::OpenAiChat | Dialect::OpenAiResponses => &OPENAI,
            Dialect::Anthropic => &ANTHROPIC,
            Dialect::Gemini => &GEMINI,
        };
        listed.iter().any(|entry| matches(entry, name))
            || self.is_spoken && self.upstream == Dialect::OpenAiChat && ANY.contains(&name)
    }

    /// Whether a field of this name passes between any two dialects.
    pub(super) fn may_pass(name: &str) -> bool {
        let lists = [&OPENAI[..], &ANTHROPIC, &GEMINI, &ANY];
        let mut entries = lists.into_iter().flatten();
        entries.any(|entry| matches(entry, name))
    }
}

fn is_openais(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn between(client: Dialect, upstream: Dialect) -> Between {
        Between {
            client,
            upstream,
            is_spoken: client == upstream,
        }
    }

    const ALL: [Dialect; 4] = [
        Dialect::OpenAiChat,
        Dialect::OpenAiResponses,
        Dialect::Anthropic,
        Dialect::Gemini,
    ];

    #[test]
    fn a_dialects_own_headers_pass_within_it_and_nowhere_else() {
        for (names, own) in [
            (
                &["openai-x", "x-codex-turn", "session-id", "originator"][..],
                &[Dialect::OpenAiChat, Dialect::OpenAiResponses][..],
            ),
            (
                &["anthropic-x", "x-app", "x-claude-code-session"],
                &[Dialect::Anthropic],
            ),
            (&["x-goog-x", "x-server-timeout"], &[Dialect::Gemini]),
        ] {
            for (client, upstream) in ALL.iter().flat_map(|one| ALL.map(|other| (*one, other))) {
                let between = between(client, upstream);
                let is_within = own.contains(&client) && own.contains(&upstream);
                for name in names {
                    assert_eq!(between.passes(name), is_within, "{between:?} {name}");
                    assert!(Between::may_pass(name), "{name}");
                }
            }
        }
    }

    #[test]
    fn no_prefix_takes_a_secret_along() {
        for name in [
            "x-goog-api-key",
            "x-goog-iam-authorization-token",
            "anthropic-auth-token",
            "openai-api-key",
            "x-codex-secret",
            "x-claude-code-password",
        ] {
            for dialect in ALL {
                assert!(!between(dialect, dialect).passes(name), "{name}");
            }
            assert!(!Between::may_pass(name), "{name}");
        }
    }

    #[test]
    fn servers_that_may_speak_several_get_what_they_always_got_from_every_client() {
        for (client, is_spoken) in ALL.into_iter().flat_map(|one| [(one, true), (one, false)]) {
            let to_chat = Between {
                is_spoken,
                ..between(client, Dialect::OpenAiChat)
            };
            for name in ANY {
                // Of OpenAI's own clients its own headers pass in any case.
                let is_own = is_openais(client) && OPENAI.iter().any(|own| matches(own, name));
                assert_eq!(
                    to_chat.passes(name),
                    is_spoken || is_own,
                    "{client:?} {name}"
                );
            }
        }
        let crossing = between(Dialect::OpenAiChat, Dialect::Anthropic);
        assert!(!crossing.passes("anthropic-version"));
        let open = Between {
            is_spoken: true,
            ..between(Dialect::Anthropic, Dialect::OpenAiChat)
        };
        assert!(open.passes("x-claude-code-session") && open.passes("openai-beta"));
    }
}
