//! Azure OpenAI, a reasoning model (the o series, GPT-5).
//!
//! Sources: Microsoft's documents on reasoning models (no temperature, log probabilities or
//! `max_tokens`) and on content filters; streams in issues of openai-python, langroid, mentat and
//! CopilotKit: a first chunk of `prompt_filter_results` without choices, and at the end a choice
//! without a delta.

use super::manners::{Beyond, Manners, Window};
use super::openai;
use super::shape::Shape;
use crate::refusal::Refusal;

pub(crate) const MANNERS: Manners = Manners {
    fields: Some(&openai::FIELDS),
    ignores: &[],
    refuses: &[
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_tokens",
        "presence_penalty",
        "temperature",
        "top_logprobs",
        "top_p",
    ],
    window: Window {
        tokens: 200_000,
        refuses: Beyond::PromptAndCeiling,
        output: 100_000,
    },
    hottest: 2.0,
    most_choices: 8,
    rules: &[],
    words: openai::words,
    form: Refusal::body,
    shape: Shape {
        message: r#"{"annotations": []}"#,
        choice: r#"{"content_filter_results": {}}"#,
        first: Some(
            r#"{"choices": [], "created": 0, "id": "", "model": "", "object": "",
                "prompt_filter_results": [{"prompt_index": 0, "content_filter_results":
                    {"hate": {"filtered": false, "severity": "safe"},
                     "violence": {"filtered": false, "severity": "safe"}}}]}"#,
        ),
        last: Some(
            r#"{"choices": [{"index": 0, "finish_reason": null,
                "content_filter_offsets": {"check_offset": 10, "start_offset": 10,
                    "end_offset": 90},
                "content_filter_results": {"hate": {"filtered": false, "severity": "safe"}}}],
                "created": 0, "id": "", "model": "", "object": ""}"#,
        ),
        ..Shape::OPENAI
    },
    has_openai_headers: true,
    server: None,
};
