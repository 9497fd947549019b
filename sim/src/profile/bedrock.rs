//! A Claude on Amazon Bedrock, behind a gateway that speaks OpenAI's protocol and hands on what
//! Bedrock says.
//!
//! Sources: Anthropic's API reference (temperature from 0 to 1, the ceiling of the output, the
//! window, no prefill for its newest models), AWS's documents on Converse ("toolConfig field must
//! be defined"), promptfoo#914 and celi#91 ("extraneous key"). System messages are hoisted, and do
//! no harm anywhere. langfuse#6658: such streams have chunks whose choices are null.

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
        tokens: 200_000,
        refuses: Beyond::PromptAndCeiling,
        output: 8192,
    },
    hottest: 1.0,
    most_choices: 1,
    rules: &[Rule::ToolsDeclared, Rule::NoPrefill],
    words,
    form,
    shape: Shape {
        usage: Told::NullChoices,
        fingerprint: None,
        ..Shape::OPENAI
    },
    has_openai_headers: false,
    server: None,
};

const FIELDS: [&str; 13] = [
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "n",
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
    let invalid = |message: String| Refusal::invalid(message);
    match *offence {
        Offence::Unknown { name, .. } => invalid(format!(
            "Malformed input request: #: extraneous key [{name}] is not permitted, please \
             reformat your input and try again."
        )),
        Offence::Choices { n, .. } => invalid(format!(
            "Malformed input request: #/n: {n} is not less or equal to 1, please reformat your \
             input and try again."
        )),
        Offence::Temperature { .. } => invalid("temperature: range: 0..1".to_owned()),
        Offence::Output { ceiling, most, .. } => invalid(format!(
            "max_tokens: {ceiling} > {most}, which is the maximum allowed number of output \
             tokens for claude-3-5-sonnet-20241022"
        )),
        Offence::Window {
            prompt,
            ceiling,
            window,
            ..
        } => {
            let ceiling = ceiling.unwrap_or(0);
            invalid(format!(
                "input length and `max_tokens` exceed context limit: {prompt} + {ceiling} > \
                 {window}, decrease input length or `max_tokens` and try again"
            ))
        }
        Offence::Tools => invalid(
            "The toolConfig field must be defined when using toolUse and toolResult content \
             blocks."
                .to_owned(),
        ),
        Offence::Prefill => invalid(
            "This model does not support assistant message prefill. The conversation must end \
             with a user message."
                .to_owned(),
        ),
        _ => offence.plainly(),
    }
}

fn form(refusal: &Refusal) -> Value {
    json!({"message": refusal.message})
}
