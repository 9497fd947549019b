//! Google's OpenAI-compatible endpoint for Gemini.
//!
//! Sources: ChatterUI#227 and SkyrimNet-GamePlugin#77 (errors in a list, "Cannot find field"),
//! Google's documents on its OpenAI compatibility and on `candidateCount` (at most 8), gateways
//! that map its streams (envoyproxy/ai-gateway#2107: the finish reason comes with the last words).

use serde_json::{Value, json};

use super::manners::{Beyond, Manners, Window};
use super::offence::Offence;
use super::rule::Rule;
use super::shape::{Habit, Shape, Told};
use crate::refusal::Refusal;

pub(crate) const MANNERS: Manners = Manners {
    fields: Some(&FIELDS),
    ignores: &["parallel_tool_calls", "user"],
    refuses: &[],
    window: Window {
        tokens: 1_048_576,
        refuses: Beyond::Prompt,
        output: 65_536,
    },
    hottest: 2.0,
    most_choices: 8,
    rules: &[Rule::NoPrefill],
    words,
    form,
    shape: Shape {
        usage: Told::WithTheEnd,
        habits: &[Habit::ReasonWithLastWords, Habit::RoleInEveryDelta],
        fingerprint: None,
        ..Shape::OPENAI
    },
    has_openai_headers: false,
    server: None,
};

const FIELDS: [&str; 18] = [
    "extra_body",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "reasoning_effort",
    "response_format",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
    "user",
];

fn words(offence: &Offence<'_>) -> Refusal {
    match *offence {
        Offence::Unknown { name, .. } => Refusal::invalid(format!(
            "Invalid JSON payload received. Unknown name \"{name}\": Cannot find field."
        )),
        Offence::Choices { most, .. } => Refusal::invalid(format!(
            "Unable to submit request because it has a candidateCount value that is above {most}."
        )),
        Offence::Temperature { value, most } => Refusal::invalid(format!(
            "Unable to submit request because it has a temperature value of {value} but the \
             supported range is from 0 (inclusive) to {most} (inclusive). Update the value and \
             try again."
        )),
        Offence::Output { ceiling, most, .. } => Refusal::invalid(format!(
            "Unable to submit request because it has a maxOutputTokens value of {ceiling} but the \
             supported range is from 1 (inclusive) to {} (exclusive). Update the value and try \
             again.",
            u64::from(most) + 1
        )),
        Offence::Window { prompt, window, .. } => Refusal::invalid(format!(
            "The input token count ({prompt}) exceeds the maximum number of tokens allowed \
             ({window})."
        )),
        Offence::Prefill => Refusal::invalid(
            "Please ensure that single turn requests end with a user role or the role field is \
             empty.",
        ),
        _ => offence.plainly(),
    }
}

fn form(refusal: &Refusal) -> Value {
    let status = match refusal.status.as_u16() {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        _ => "INTERNAL",
    };
    json!([{"error": {"code": refusal.status.as_u16(), "message": refusal.message,
        "status": status}}])
}
