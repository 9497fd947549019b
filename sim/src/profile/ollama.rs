//! Ollama.
//!
//! Sources: its documents on OpenAI compatibility and `openai/openai.go` (no `n`, no
//! `max_completion_tokens`, no log probabilities, all of them ignored; errors are `api_error`);
//! ollama#4357 (the finish reason `""`), ollama#7125 (`max_completion_tokens`), and streams that
//! people show: the role in every delta, `fp_ollama`, `reasoning` beside the content. What does
//! not fit its window is cut off in silence.

use serde_json::{Value, json};

use super::manners::{Beyond, Manners, Window};
use super::shape::{Habit, Shape};
use crate::refusal::Refusal;

pub(crate) const MANNERS: Manners = Manners {
    fields: None,
    ignores: &[
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "n",
        "tool_choice",
        "top_logprobs",
        "user",
    ],
    refuses: &[],
    window: Window {
        tokens: 4096,
        refuses: Beyond::Nothing,
        output: u32::MAX,
    },
    hottest: f64::INFINITY,
    most_choices: 1,
    rules: &[],
    words: |offence| offence.plainly(),
    form,
    shape: Shape {
        habits: &[Habit::EmptyReasons, Habit::RoleInEveryDelta],
        reasoning: "reasoning",
        fingerprint: Some("fp_ollama"),
        ..Shape::OPENAI
    },
    has_openai_headers: false,
    server: None,
};

fn form(refusal: &Refusal) -> Value {
    json!({"error": {"message": refusal.message, "type": "api_error", "param": null,
        "code": null}})
}
