//! OpenAI, a chat model of the GPT-4o generation.
//!
//! Sources: OpenAI's API reference (fields, ranges, chunks), and errors as people report them
//! (openai-python, LiteLLM, ragflow): an unknown field, a context that is too long, both ceilings.

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
        tokens: 128_000,
        refuses: Beyond::PromptAndCeiling,
        output: 16_384,
    },
    hottest: 2.0,
    most_choices: 128,
    rules: &[Rule::OneLimit],
    words,
    form: Refusal::body,
    shape: Shape {
        beside: r#"{"service_tier": "default"}"#,
        message: r#"{"annotations": []}"#,
        ..Shape::OPENAI
    },
    has_openai_headers: true,
    server: None,
};

/// Every field of a chat request that OpenAI documents.
pub(crate) const FIELDS: [&str; 35] = [
    "audio",
    "frequency_penalty",
    "function_call",
    "functions",
    "logit_bias",
    "logprobs",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "metadata",
    "modalities",
    "model",
    "n",
    "parallel_tool_calls",
    "prediction",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "response_format",
    "safety_identifier",
    "seed",
    "service_tier",
    "stop",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "user",
    "verbosity",
    "web_search_options",
];

/// Its words, which Azure shares.
pub(super) fn words(offence: &Offence<'_>) -> Refusal {
    let invalid = |message: String| Refusal::invalid(message);
    match *offence {
        Offence::Unknown { name, .. } => invalid(format!("Unknown parameter: '{name}'."))
            .param(name)
            .code("unknown_parameter"),
        Offence::Unsupported {
            name: name @ "temperature",
            value,
        } => invalid(format!(
            "Unsupported value: '{name}' does not support {value} with this model. Only the \
             default (1) value is supported."
        ))
        .param(name)
        .code("unsupported_value"),
        Offence::Temperature { value, most } => invalid(format!(
            "Invalid 'temperature': decimal above maximum value. Expected a value <= {most}, but \
             got {value} instead."
        ))
        .param("temperature")
        .code("decimal_above_max_value"),
        Offence::Choices { n, most } => invalid(format!(
            "Invalid 'n': integer above maximum value. Expected a value <= {most}, but got {n} \
             instead."
        ))
        .param("n")
        .code("integer_above_max_value"),
        Offence::Output {
            name,
            ceiling,
            most,
        } => invalid(format!(
            "max_tokens is too large: {ceiling}. This model supports at most {most} completion \
             tokens, whereas you provided {ceiling}."
        ))
        .param(name)
        .code("invalid_value"),
        Offence::Window {
            prompt,
            ceiling,
            window,
            ..
        } => {
            let completion = ceiling.unwrap_or(0);
            let all = prompt.saturating_add(completion);
            invalid(format!(
                "This model's maximum context length is {window} tokens. However, you requested \
                 {all} tokens ({prompt} in the messages, {completion} in the completion). Please \
                 reduce the length of the messages or completion."
            ))
            .param("messages")
            .code("context_length_exceeded")
        }
        Offence::TwoLimits => invalid(
            "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported."
                .to_owned(),
        )
        .param("max_tokens")
        .code("invalid_parameter_combination"),
        _ => offence.plainly(),
    }
}
