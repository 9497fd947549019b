//! llama.cpp's server, before it gave more than one choice.
//!
//! Sources: its `utils.hpp` and `server.cpp` ("Only one completion choice is allowed", log
//! probabilities with tools and a stream, `exceed_context_size_error`), optillm#8, and a run of the
//! server itself: the first delta's content is null, `code` is a number, and figures of time stand
//! beside the choices. It looks at the prompt only: a ceiling beyond the window ends the answer
//! there. Comments keep its streams alive (llama.cpp#24013).

use serde_json::{Value, json};

use super::manners::{Beyond, Manners, Window};
use super::offence::Offence;
use super::rule::Rule;
use super::shape::{Habit, Shape};
use crate::refusal::Refusal;

pub(crate) const MANNERS: Manners = Manners {
    fields: None,
    ignores: &[],
    refuses: &[],
    window: Window {
        tokens: 4096,
        refuses: Beyond::Prompt,
        output: u32::MAX,
    },
    hottest: f64::INFINITY,
    most_choices: 1,
    rules: &[Rule::ToolStreamsWithoutProbabilities],
    words,
    form,
    shape: Shape {
        habits: &[Habit::Comments, Habit::NullOpening],
        fingerprint: Some("b6123-a1b2c3d4"),
        beside: r#"{"timings": {"prompt_n": 12, "prompt_ms": 40.5, "predicted_n": 16,
            "predicted_ms": 300.25}}"#,
        ..Shape::OPENAI
    },
    has_openai_headers: false,
    server: Some("llama.cpp"),
};

fn words(offence: &Offence<'_>) -> Refusal {
    match *offence {
        Offence::Choices { .. } => Refusal::invalid("Only one completion choice is allowed"),
        Offence::StreamedProbabilities => {
            Refusal::invalid("logprobs is not supported with tools + stream")
        }
        Offence::Window { .. } => Refusal::invalid(
            "the request exceeds the available context size. try increasing the context size or \
             enable context shift",
        )
        .kind("exceed_context_size_error"),
        _ => offence.plainly(),
    }
}

fn form(refusal: &Refusal) -> Value {
    json!({"error": {"code": refusal.status.as_u16(), "message": refusal.message,
        "type": refusal.kind}})
}
