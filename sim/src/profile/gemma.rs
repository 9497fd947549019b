//! Gemma's chat template, served by Text Generation Inference.
//!
//! Sources: the template (it raises "System role not supported" and "Conversation roles must
//! alternate"), TGI's `router/src/server.rs` and `validation.rs` (422 with `error_type`; `n` is
//! not used; the last token comes with the finish reason), sglang#892, chat-ui#1149 and #1386.
//! TGI's streams had no `[DONE]` before 2.1.

use http::StatusCode;
use serde_json::{Value, json};

use super::manners::{Beyond, Manners, Window};
use super::offence::Offence;
use super::rule::Rule;
use super::shape::{Habit, Shape, Told};
use crate::refusal::Refusal;

pub(crate) const MANNERS: Manners = Manners {
    fields: None,
    ignores: &["max_completion_tokens", "n", "user"],
    refuses: &[],
    window: Window {
        tokens: 8192,
        refuses: Beyond::PromptAndCeiling,
        output: u32::MAX,
    },
    hottest: f64::INFINITY,
    most_choices: 1,
    rules: &[Rule::NoSystem, Rule::Alternating],
    words,
    form,
    shape: Shape {
        usage: Told::WithTheEnd,
        habits: &[
            Habit::NoLastWord,
            Habit::ReasonWithLastWords,
            Habit::RoleInEveryDelta,
        ],
        fingerprint: Some("2.0.4-sha-f426a33"),
        ..Shape::OPENAI
    },
    has_openai_headers: false,
    server: None,
};

fn words(offence: &Offence<'_>) -> Refusal {
    let unprocessable =
        |message: String, kind| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message).kind(kind);
    let template = |text: &str| {
        unprocessable(
            format!("Template error: syntax error: {text} (in <string>:1)"),
            "template_error",
        )
    };
    match *offence {
        Offence::System => template("System role not supported"),
        Offence::Order { .. } => {
            template("Conversation roles must alternate user/assistant/user/assistant/...")
        }
        Offence::Window {
            prompt,
            ceiling,
            window,
            ..
        } => {
            let wanted = ceiling.unwrap_or(0);
            unprocessable(
                format!(
                    "Input validation error: `inputs` tokens + `max_new_tokens` must be <= \
                     {window}. Given: {prompt} `inputs` tokens and {wanted} `max_new_tokens`"
                ),
                "validation",
            )
        }
        _ => offence.plainly(),
    }
}

fn form(refusal: &Refusal) -> Value {
    json!({"error": refusal.message, "error_type": refusal.kind})
}
