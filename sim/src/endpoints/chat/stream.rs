//! A chat answer as server-sent events.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::{Value, json};

use super::choice::{Choice, Part};
use super::json::logprobs;
use super::{Completion, Shape};
use crate::endpoints::CREATED;
use crate::knobs::Knobs;
use crate::script::{Script, Step};

pub(super) fn script(completion: &Completion, knobs: &Knobs, include_usage: bool) -> Script {
    let events = Events {
        completion,
        include_usage: include_usage && knobs.usage.is_told(),
    };
    let mut steps = VecDeque::new();
    if completion.shape == Shape::Chat {
        steps.extend(
            completion
                .choices
                .iter()
                .enumerate()
                .map(|(index, choice)| events.choice(&delta(index, &opening(choice)), 0)),
        );
    }
    events.contents(knobs, &mut steps);
    steps.extend(
        completion
            .choices
            .iter()
            .enumerate()
            .map(|(index, choice)| events.end(index, choice)),
    );
    if events.include_usage {
        steps.push_back(events.event(&json!([]), &completion.usage(knobs.usage), 0));
    }
    steps.push_back(Step::send(Bytes::from_static(b"data: [DONE]\n\n")));
    Script::events(steps)
}

/// The first delta of a choice.
fn opening(choice: &Choice) -> Value {
    match &choice.tool {
        Some(tool) => {
            let function = json!({"name": tool.name, "arguments": ""});
            json!({"role": "assistant", "content": null,
                "tool_calls": [{"index": 0, "id": tool.id, "type": "function",
                    "function": function}]})
        }
        None => {
            json!({"role": "assistant", "content": (!choice.null).then_some(""), "refusal": null})
        }
    }
}

fn delta(index: usize, delta: &Value) -> Value {
    json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": null})
}

/// What a part adds to the message.
fn added(choice: &Choice, part: Part<'_>) -> Value {
    let text = part.text.concat();
    let mut added = match &choice.tool {
        _ if part.text.is_empty() => json!({}),
        Some(_) => json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}),
        None => json!({"content": text}),
    };
    if let Some(added) = added.as_object_mut().filter(|_| !part.thinking.is_empty()) {
        added.insert(
            "reasoning_content".to_owned(),
            json!(part.thinking.concat()),
        );
    }
    added
}

struct Events<'a> {
    completion: &'a Completion,
    include_usage: bool,
}

impl Events<'_> {
    /// The choices' tokens, `chunk_tokens` of each choice in turn, at the configured pace.
    fn contents(&self, knobs: &Knobs, steps: &mut VecDeque<Step>) {
        let size = usize::try_from(knobs.chunk_tokens.get()).unwrap_or(usize::MAX);
        let mut start = 0;
        loop {
            let round: Vec<Step> = self
                .completion
                .choices
                .iter()
                .enumerate()
                .filter_map(|(index, choice)| self.part(index, choice, start, size))
                .collect();
            if round.is_empty() {
                return;
            }
            let wait = knobs.pace(knobs.chunk_tokens.get());
            if !wait.is_zero() {
                steps.push_back(Step::Wait(wait));
            }
            steps.extend(round);
            start = start.saturating_add(size);
        }
    }

    fn part(&self, index: usize, choice: &Choice, start: usize, size: usize) -> Option<Step> {
        let part = choice.part(start, size)?;
        let mut chunk = match self.completion.shape {
            Shape::Chat => delta(index, &added(choice, part)),
            Shape::Text => {
                json!({"text": part.text.concat(), "index": index, "logprobs": null,
                    "finish_reason": null})
            }
        };
        if let Some(chunk) = chunk.as_object_mut().filter(|_| !part.text.is_empty()) {
            chunk.insert(
                "logprobs".to_owned(),
                logprobs(self.completion.shape, part.logprobs),
            );
        }
        Some(self.choice(&chunk, part.tokens()))
    }

    /// Why a choice ended.
    fn end(&self, index: usize, choice: &Choice) -> Step {
        let end = match self.completion.shape {
            Shape::Chat => {
                json!({"index": index, "delta": {}, "logprobs": null,
                    "finish_reason": choice.finish_reason})
            }
            Shape::Text => {
                json!({"text": "", "index": index, "logprobs": null,
                    "finish_reason": choice.finish_reason})
            }
        };
        self.choice(&end, 0)
    }

    fn choice(&self, choice: &Value, tokens: u32) -> Step {
        self.event(&json!([choice]), &Value::Null, tokens)
    }

    fn event(&self, choices: &Value, usage: &Value, tokens: u32) -> Step {
        let object = match self.completion.shape {
            Shape::Chat => "chat.completion.chunk",
            Shape::Text => "text_completion",
        };
        let mut chunk = json!({
            "id": self.completion.id,
            "object": object,
            "created": CREATED,
            "model": self.completion.model,
            "system_fingerprint": "fp_sim",
            "choices": choices,
        });
        if let Some(chunk) = chunk.as_object_mut().filter(|_| self.include_usage) {
            chunk.insert("usage".to_owned(), usage.clone());
        }
        Step::Send {
            bytes: Bytes::from(format!("data: {chunk}\n\n")),
            tokens,
        }
    }
}
