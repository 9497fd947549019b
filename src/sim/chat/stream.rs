//! A chat answer as server-sent events.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::{Value, json};

use super::choice::Choice;
use super::{CREATED, Completion};
use crate::sim::knobs::Knobs;
use crate::sim::script::{Script, Step};

pub(super) fn script(completion: &Completion, knobs: &Knobs, include_usage: bool) -> Script {
    let events = Events { completion, include_usage: include_usage && knobs.usage };
    let mut steps = VecDeque::new();
    for (index, choice) in completion.choices.iter().enumerate() {
        steps.push_back(events.choice(&delta(index, &opening(choice)), 0));
    }
    events.contents(knobs, &mut steps);
    for (index, choice) in completion.choices.iter().enumerate() {
        let end = json!({"index": index, "delta": {}, "logprobs": null, "finish_reason": choice.finish_reason});
        steps.push_back(events.choice(&end, 0));
    }
    if events.include_usage {
        steps.push_back(events.event(&json!([]), &completion.usage(), 0));
    }
    steps.push_back(Step::send(Bytes::from_static(b"data: [DONE]\n\n")));
    Script::events(steps)
}

/// The first delta of a choice.
fn opening(choice: &Choice) -> Value {
    match &choice.tool {
        Some(tool) => {
            let function = json!({"name": tool.name, "arguments": ""});
            json!({"role": "assistant", "content": null, "tool_calls": [{"index": 0, "id": tool.id, "type": "function", "function": function}]})
        }
        None => json!({"role": "assistant", "content": "", "refusal": null}),
    }
}

fn delta(index: usize, delta: &Value) -> Value {
    json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": null})
}

struct Events<'a> {
    completion: &'a Completion,
    include_usage: bool,
}

impl Events<'_> {
    /// The choices' tokens, `chunk_tokens` of each choice in turn, at the configured pace.
    fn contents(&self, knobs: &Knobs, steps: &mut VecDeque<Step>) {
        let size = usize::try_from(knobs.chunk_tokens.get()).unwrap_or(usize::MAX);
        let rounds = self.completion.choices.iter().map(|choice| choice.pieces.len().div_ceil(size)).max().unwrap_or(0);
        for round in 0..rounds {
            let wait = knobs.pace(knobs.chunk_tokens.get());
            if !wait.is_zero() {
                steps.push_back(Step::Wait(wait));
            }
            for (index, choice) in self.completion.choices.iter().enumerate() {
                steps.extend(self.content(index, choice, round, size));
            }
        }
    }

    fn content(&self, index: usize, choice: &Choice, round: usize, size: usize) -> Option<Step> {
        let pieces = choice.pieces.chunks(size).nth(round)?;
        let text = pieces.concat();
        let mut chunk = match choice.tool {
            Some(_) => delta(index, &json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]})),
            None => delta(index, &json!({"content": text})),
        };
        let logprobs = choice.logprobs.as_ref().and_then(|all| all.chunks(size).nth(round));
        if let (Some(chunk), Some(content)) = (chunk.as_object_mut(), logprobs) {
            chunk.insert("logprobs".to_owned(), json!({"content": content, "refusal": null}));
        }
        Some(self.choice(&chunk, u32::try_from(pieces.len()).unwrap_or(u32::MAX)))
    }

    fn choice(&self, choice: &Value, tokens: u32) -> Step {
        self.event(&json!([choice]), &Value::Null, tokens)
    }

    fn event(&self, choices: &Value, usage: &Value, tokens: u32) -> Step {
        let mut chunk = json!({
            "id": self.completion.id,
            "object": "chat.completion.chunk",
            "created": CREATED,
            "model": self.completion.model,
            "system_fingerprint": "fp_sim",
            "choices": choices,
        });
        if let Some(chunk) = chunk.as_object_mut().filter(|_| self.include_usage) {
            chunk.insert("usage".to_owned(), usage.clone());
        }
        Step::Send { bytes: Bytes::from(format!("data: {chunk}\n\n")), tokens }
    }
}
