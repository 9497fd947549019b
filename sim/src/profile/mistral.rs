//! Mistral's platform.
//!
//! Sources: Mistral's API reference (fields, ranges, `prefix`), eca#231 and #315 (the form of a
//! 422), platform-docs-public#7, AiNiee#641 (the last role), crush#279 (the order of roles). Its
//! streams tell the use of tokens with the end of the answer, asked or not.

use http::StatusCode;
use serde_json::{Value, json};

use super::manners::{Beyond, Manners, Window};
use super::offence::Offence;
use super::rule::Rule;
use super::shape::{Shape, Told};
use crate::refusal::Refusal;

pub(crate) const MANNERS: Manners = Manners {
    fields: Some(&FIELDS),
    ignores: &[],
    refuses: &[],
    window: Window {
        tokens: 32_768,
        refuses: Beyond::Prompt,
        output: u32::MAX,
    },
    hottest: 1.5,
    most_choices: 128,
    rules: &[Rule::SystemFirst, Rule::AssistantNotLast, Rule::GreedyTopP],
    words,
    form,
    shape: Shape {
        usage: Told::WithTheEnd,
        fingerprint: None,
        message: r#"{"tool_calls": null}"#,
        ..Shape::OPENAI
    },
    has_openai_headers: false,
    server: None,
};

const FIELDS: [&str; 20] = [
    "frequency_penalty",
    "guardrails",
    "max_tokens",
    "messages",
    "metadata",
    "model",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_mode",
    "random_seed",
    "response_format",
    "safe_prompt",
    "stop",
    "stream",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
];

/// The code of a wrong order of messages.
const ORDER: &str = "3230";

fn words(offence: &Offence<'_>) -> Refusal {
    let unprocessable = |message: &str, name: &str, code: &str| {
        Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, message)
            .param(name)
            .code(code)
    };
    match *offence {
        Offence::Unknown { name, .. } => {
            unprocessable("Extra inputs are not permitted", name, "extra_forbidden")
        }
        Offence::Temperature { most, .. } => unprocessable(
            &format!("Input should be less than or equal to {most}"),
            "temperature",
            "less_than_equal",
        ),
        Offence::Order { role, after } => {
            Refusal::invalid(format!("Unexpected role '{role}' after role '{after}'")).code(ORDER)
        }
        Offence::Prefill => Refusal::invalid(
            "Expected last role User or Tool (or Assistant with prefix True) for serving but got \
             assistant",
        )
        .code(ORDER),
        Offence::GreedyTopP => {
            Refusal::invalid("top_p must be 1 when using greedy sampling.").code("3054")
        }
        Offence::Window { prompt, window, .. } => Refusal::invalid(format!(
            "Prompt contains {prompt} tokens and 0 draft tokens, too large for model with \
             {window} maximum context length"
        ))
        .code("3051"),
        _ => offence.plainly(),
    }
}

/// What its validator refuses is a list of details, named by the place in the body.
fn form(refusal: &Refusal) -> Value {
    let message = if refusal.status == StatusCode::UNPROCESSABLE_ENTITY {
        json!({"detail": [{"type": refusal.code, "loc": ["body", refusal.param],
            "msg": refusal.message}]})
    } else {
        json!(refusal.message)
    };
    let code = refusal.code.as_ref().filter(|_| message.is_string());
    json!({"object": "error", "message": message, "type": "invalid_request_error",
        "param": null, "code": code})
}
