//! Conversations that strict providers refuse.

use serde_json::Value;

use crate::ask::Ask;
use crate::knobs::Strictness;
use crate::profile::OPENAI_FIELDS;
use crate::refusal::Refusal;

/// Fields that others document, and most servers take.
const SAMPLING: [&str; 3] = ["min_p", "repetition_penalty", "top_k"];

/// Refuses what the knobs' strictness forbids.
pub(super) fn check(ask: &Ask, messages: &[Value]) -> Result<(), Refusal> {
    ask.knobs
        .strict
        .iter()
        .find_map(|strictness| offence(*strictness, ask, messages))
        .map_or(Ok(()), Err)
}

fn offence(strictness: Strictness, ask: &Ask, messages: &[Value]) -> Option<Refusal> {
    let message =
        |offends: bool, text: &str| offends.then(|| Refusal::invalid(text).param("messages"));
    match strictness {
        Strictness::BothTokenLimits => (ask.field("max_tokens").is_some()
            && ask.field("max_completion_tokens").is_some())
        .then(|| {
            Refusal::invalid("Set either 'max_tokens' or 'max_completion_tokens', not both.")
                .param("max_tokens")
        }),
        Strictness::EmptySystem => message(
            messages.iter().any(|m| role(m) == "system" && is_empty(m)),
            "A system message must not be empty.",
        ),
        Strictness::NullContent => {
            let bare = |m: &Value| {
                m.get("content").is_none_or(Value::is_null) && m.get("tool_calls").is_none()
            };
            message(messages.iter().any(bare), "A message must have content.")
        }
        Strictness::RepeatedRoles => {
            let mut turns = messages
                .iter()
                .map(role)
                .filter(|role| *role != "system")
                .peekable();
            let mut repeated = false;
            while let Some(turn) = turns.next() {
                repeated |= turn != "tool" && turns.peek() == Some(&turn);
            }
            message(
                repeated,
                "Conversation roles must alternate user/assistant/user/assistant.",
            )
        }
        Strictness::SystemInMiddle => message(
            messages.iter().skip(1).any(|m| role(m) == "system"),
            "A system message must be the first message.",
        ),
        Strictness::UnknownFields => {
            let is_known = |name: &&str| OPENAI_FIELDS.contains(name) || SAMPLING.contains(name);
            let unknown = ask.names().find(|name| !is_known(name))?;
            let message = format!("Unrecognized request argument supplied: {unknown}");
            Some(Refusal::invalid(message).param(unknown))
        }
    }
}

fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or("")
}

fn is_empty(message: &Value) -> bool {
    match message.get("content") {
        Some(Value::String(text)) => text.trim().is_empty(),
        Some(Value::Array(parts)) => parts.is_empty(),
        _ => true,
    }
}
