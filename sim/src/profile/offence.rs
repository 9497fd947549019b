//! What a request can be refused for, before any provider's words.

use serde_json::Value;

use crate::refusal::Refusal;

/// What a request is refused for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Offence<'a> {
    /// A field that the provider does not know.
    Unknown { name: &'a str, value: &'a Value },
    /// A field, or a value of it, that this model does not take.
    Unsupported { name: &'a str, value: &'a Value },
    /// More choices than it gives.
    Choices { n: u64, most: u32 },
    /// A temperature above its range.
    Temperature { value: f64, most: f64 },
    /// A ceiling above what it ever writes.
    Output {
        name: &'static str,
        ceiling: u64,
        most: u32,
    },
    /// More than the window holds.
    Window {
        name: &'static str,
        prompt: u64,
        /// The answer's ceiling, where that counts.
        ceiling: Option<u64>,
        window: u32,
    },
    /// A message of the system's.
    System,
    /// A message whose role may not follow the one before it.
    Order { role: &'a str, after: &'a str },
    /// A conversation that ends with the assistant's words.
    Prefill,
    /// Tool calls in the conversation, and no tools.
    Tools,
    /// Both ceilings.
    TwoLimits,
    /// Several choices of the likeliest tokens.
    Greedy { n: u64 },
    /// `top_p` beside the temperature 0.
    GreedyTopP,
    /// Log probabilities in a stream of tool calls.
    StreamedProbabilities,
}

impl Offence<'_> {
    /// A refusal in nobody's words, for what a profile cannot be refused for.
    pub(super) fn plainly(&self) -> Refusal {
        match self {
            Self::Unknown { name, .. } | Self::Unsupported { name, .. } => {
                Refusal::unsupported(name)
            }
            Self::Output { name, .. } | Self::Window { name, .. } => {
                Refusal::invalid(format!("'{name}' is too large.")).param(name)
            }
            Self::Choices { .. } | Self::Greedy { .. } => {
                Refusal::invalid("'n' is too large.").param("n")
            }
            Self::Temperature { .. } => {
                Refusal::invalid("'temperature' is too large.").param("temperature")
            }
            _ => Refusal::invalid("The conversation cannot be answered.").param("messages"),
        }
    }
}
