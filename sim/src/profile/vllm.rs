//! vLLM 0.6.
//!
//! Sources: its `protocol.py` and `serving_engine.py` of that time (fields, `extra_forbidden` as
//! pydantic prints it, the window's words, the form of errors), and issues of vLLM, MaxKB and void.
//! Later versions take `max_completion_tokens` and wrap errors in `error`.

use http::StatusCode;
use serde_json::{Value, json};

use super::manners::{Beyond, Manners, Window};
use super::offence::Offence;
use super::rule::Rule;
use super::shape::Shape;
use crate::refusal::Refusal;

pub(crate) const MANNERS: Manners = Manners {
    fields: Some(&FIELDS),
    ignores: &[],
    refuses: &[],
    window: Window {
        tokens: 4096,
        refuses: Beyond::PromptAndCeiling,
        output: u32::MAX,
    },
    hottest: f64::INFINITY,
    most_choices: 128,
    rules: &[Rule::OneGreedyChoice],
    words,
    form,
    shape: Shape {
        fingerprint: None,
        beside: r#"{"prompt_logprobs": null}"#,
        choice: r#"{"stop_reason": null}"#,
        message: r#"{"tool_calls": [], "reasoning_content": null}"#,
        ..Shape::OPENAI
    },
    has_openai_headers: false,
    server: Some("uvicorn"),
};

const FIELDS: [&str; 34] = [
    "add_generation_prompt",
    "best_of",
    "continue_final_message",
    "echo",
    "frequency_penalty",
    "guided_choice",
    "guided_json",
    "guided_regex",
    "ignore_eos",
    "logit_bias",
    "logprobs",
    "max_tokens",
    "messages",
    "min_p",
    "min_tokens",
    "model",
    "n",
    "parallel_tool_calls",
    "presence_penalty",
    "repetition_penalty",
    "response_format",
    "seed",
    "skip_special_tokens",
    "stop",
    "stop_token_ids",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_k",
    "top_logprobs",
    "top_p",
    "user",
];

fn words(offence: &Offence<'_>) -> Refusal {
    match *offence {
        Offence::Unknown { name, value } => Refusal::invalid(format!(
            "[{{'type': 'extra_forbidden', 'loc': ('body', '{name}'), 'msg': 'Extra inputs are \
             not permitted', 'input': {value}}}]"
        )),
        Offence::Greedy { n } => {
            Refusal::invalid(format!("n must be 1 when using greedy sampling, got {n}."))
        }
        Offence::Window {
            prompt,
            ceiling,
            window,
            ..
        } => {
            let completion = ceiling.unwrap_or(0);
            let all = prompt.saturating_add(completion);
            Refusal::invalid(format!(
                "This model's maximum context length is {window} tokens. However, you requested \
                 {all} tokens ({prompt} in the messages, {completion} in the completion). Please \
                 reduce the length of the messages or completion."
            ))
        }
        _ => offence.plainly(),
    }
}

/// Its errors, which several servers have taken over.
fn form(refusal: &Refusal) -> Value {
    let kind = match refusal.status {
        StatusCode::BAD_REQUEST => "BadRequestError",
        StatusCode::NOT_FOUND => "NotFoundError",
        _ => "InternalServerError",
    };
    json!({"object": "error", "message": refusal.message, "type": kind, "param": null,
        "code": refusal.status.as_u16()})
}
