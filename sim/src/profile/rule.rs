//! Conversations and combinations of fields that providers refuse.

use serde_json::Value;

use super::asked::Asked;
use super::offence::Offence;

/// What must hold of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// No message is the system's.
    NoSystem,
    /// Users and the assistant take turns, behind system messages at the beginning.
    Alternating,
    /// Once somebody else has spoken, no message is the system's.
    SystemFirst,
    /// The last message is not the assistant's, unless it is marked as a prefix.
    AssistantNotLast,
    /// The last message is not the assistant's.
    NoPrefill,
    /// A conversation with tool calls comes with its tools.
    ToolsDeclared,
    /// There is one ceiling only.
    OneLimit,
    /// At temperature 0 there is one choice.
    OneGreedyChoice,
    /// At temperature 0 `top_p` is 1.
    GreedyTopP,
    /// No log probabilities in a stream with tools.
    ToolStreamsWithoutProbabilities,
}

impl Rule {
    /// Where the request breaks it.
    pub(super) fn offence(self, asked: Asked<'_>) -> Option<Offence<'_>> {
        let Asked {
            fields, messages, ..
        } = asked;
        let is = |name: &str| fields.get(name).and_then(Value::as_bool) == Some(true);
        let has = |name: &str| fields.get(name).is_some_and(|value| !value.is_null());
        let number = |name: &str| fields.get(name).and_then(Value::as_f64);
        let is_greedy = number("temperature") == Some(0.0);
        let last = messages.last();
        let ends_with_assistant = last.map(role) == Some("assistant");
        match self {
            Self::NoSystem => messages.iter().any(is_system).then_some(Offence::System),
            Self::Alternating => out_of_turn(messages),
            Self::SystemFirst => messages.windows(2).find_map(|pair| match pair {
                [before, after] if is_system(after) && !is_system(before) => Some(Offence::Order {
                    role: role(after),
                    after: role(before),
                }),
                _ => None,
            }),
            Self::AssistantNotLast => {
                let is_marked =
                    last.and_then(|last| last.get("prefix")) == Some(&Value::Bool(true));
                (ends_with_assistant && !is_marked).then_some(Offence::Prefill)
            }
            Self::NoPrefill => ends_with_assistant.then_some(Offence::Prefill),
            Self::ToolsDeclared => {
                (messages.iter().any(is_of_tools) && !has("tools")).then_some(Offence::Tools)
            }
            Self::OneLimit => {
                (has("max_tokens") && has("max_completion_tokens")).then_some(Offence::TwoLimits)
            }
            Self::OneGreedyChoice => {
                let n = fields.get("n").and_then(Value::as_u64)?;
                (is_greedy && n > 1).then_some(Offence::Greedy { n })
            }
            Self::GreedyTopP => {
                let is_less = number("top_p").is_some_and(|top_p| top_p < 1.0);
                (is_greedy && is_less).then_some(Offence::GreedyTopP)
            }
            Self::ToolStreamsWithoutProbabilities => {
                (is("stream") && is("logprobs") && has("tools"))
                    .then_some(Offence::StreamedProbabilities)
            }
        }
    }
}

/// The first turn that does not alternate. The results of tools belong to the assistant's turn.
fn out_of_turn(messages: &[Value]) -> Option<Offence<'_>> {
    let turns = messages
        .iter()
        .skip_while(|message| is_system(message))
        .map(role)
        .filter(|role| *role != "tool");
    let mut after = "system";
    for role in turns {
        let is_first = after == "system";
        if role == after || (is_first && role != "user") {
            return Some(Offence::Order { role, after });
        }
        after = role;
    }
    None
}

fn role(message: &Value) -> &str {
    message.get("role").and_then(Value::as_str).unwrap_or("")
}

fn is_system(message: &Value) -> bool {
    matches!(role(message), "system" | "developer")
}

fn is_of_tools(message: &Value) -> bool {
    role(message) == "tool" || message.get("tool_calls").is_some()
}
