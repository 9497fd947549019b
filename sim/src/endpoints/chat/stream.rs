//! A chat answer as server-sent events.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::{Value, json};

use super::choice::{Choice, Part};
use super::json::{beside, logprobs};
use super::{Completion, Endpoint};
use crate::endpoints::CREATED;
use crate::knobs::Knobs;
use crate::profile::{Habit, Shape, Told, extend};
use crate::script::{Script, Step};

pub(super) fn script(completion: &Completion, knobs: &Knobs, include_usage: bool) -> Script {
    let shape = &knobs.manners().shape;
    let is_told = knobs.usage.is_told();
    let events = Events {
        completion,
        shape,
        include_usage: include_usage && is_told,
        ends_with_usage: is_told && shape.usage == Told::WithTheEnd,
        usage: completion.usage(knobs.usage),
    };
    let mut steps = VecDeque::new();
    if shape.has(Habit::Comments) {
        steps.push_back(Step::send(Bytes::from_static(b":\n\n")));
    }
    steps.extend(shape.first.map(event));
    if completion.endpoint == Endpoint::Chat {
        steps.extend(
            completion
                .choices
                .iter()
                .enumerate()
                .map(|(index, choice)| events.choice(delta(index, &opening(choice, shape)), 0)),
        );
    }
    events.contents(knobs, &mut steps);
    let last = completion.choices.len().saturating_sub(1);
    let open = completion.choices.iter().enumerate();
    let ends = open.filter(|(_, choice)| !events.is_joined(choice));
    steps.extend(ends.map(|(index, choice)| events.end(index, choice, index == last)));
    steps.extend(shape.last.map(event));
    if events.include_usage && !events.ends_with_usage {
        steps.push_back(events.use_of_tokens());
    }
    if !shape.has(Habit::NoLastWord) {
        steps.push_back(Step::send(Bytes::from_static(b"data: [DONE]\n\n")));
    }
    Script::events(steps)
}

/// An event of JSON that was written down.
fn event(json: &str) -> Step {
    let on_one_line: String = json.lines().map(str::trim).collect();
    Step::send(Bytes::from(format!("data: {on_one_line}\n\n")))
}

/// The first delta of a choice.
fn opening(choice: &Choice, shape: &Shape) -> Value {
    let Some(tool) = &choice.tool else {
        let content = (!choice.null && !shape.has(Habit::NullOpening)).then_some("");
        return json!({"role": "assistant", "content": content, "refusal": null});
    };
    let function = json!({"name": tool.name, "arguments": ""});
    json!({"role": "assistant", "content": null,
        "tool_calls": [{"index": 0, "id": tool.id, "type": "function", "function": function}]})
}

fn delta(index: usize, delta: &Value) -> Value {
    json!({"index": index, "delta": delta, "logprobs": null, "finish_reason": null})
}

/// What a part adds to the message.
fn added(choice: &Choice, part: Part<'_>, shape: &Shape) -> Value {
    let text = part.text.concat();
    let mut added = match &choice.tool {
        _ if part.text.is_empty() => json!({}),
        Some(_) => json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]}),
        None => json!({"content": text}),
    };
    if let Some(added) = added.as_object_mut() {
        if shape.has(Habit::RoleInEveryDelta) {
            added.insert("role".to_owned(), json!("assistant"));
        }
        if !part.thinking.is_empty() {
            added.insert(shape.reasoning.to_owned(), json!(part.thinking.concat()));
        }
    }
    added
}

struct Events<'a> {
    completion: &'a Completion,
    shape: &'a Shape,
    /// Whether the use of tokens was asked for.
    include_usage: bool,
    /// Whether it is told with the last choice's end.
    ends_with_usage: bool,
    usage: Value,
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
        let mut chunk = match self.completion.endpoint {
            Endpoint::Chat => delta(index, &added(choice, part, self.shape)),
            Endpoint::Text => {
                json!({"text": part.text.concat(), "index": index, "logprobs": null,
                    "finish_reason": null})
            }
        };
        let is_last = choice.part(start.saturating_add(size), size).is_none();
        let ends = is_last && self.is_joined(choice);
        if let Some(chunk) = chunk.as_object_mut() {
            if !part.text.is_empty() {
                let told = logprobs(self.completion.endpoint, part.logprobs);
                chunk.insert("logprobs".to_owned(), told);
            }
            if ends {
                chunk.insert("finish_reason".to_owned(), json!(choice.finish_reason));
            }
        }
        let is_end_of_all = ends && index + 1 == self.completion.choices.len();
        Some(self.with_usage(chunk, part.tokens(), is_end_of_all))
    }

    /// Whether the finish reason comes with the choice's last words.
    fn is_joined(&self, choice: &Choice) -> bool {
        self.shape.has(Habit::ReasonWithLastWords) && choice.tokens() > 0
    }

    /// Why a choice ended.
    fn end(&self, index: usize, choice: &Choice, is_last: bool) -> Step {
        let end = match self.completion.endpoint {
            Endpoint::Chat => {
                json!({"index": index, "delta": {}, "logprobs": null,
                    "finish_reason": choice.finish_reason})
            }
            Endpoint::Text => {
                json!({"text": "", "index": index, "logprobs": null,
                    "finish_reason": choice.finish_reason})
            }
        };
        self.with_usage(end, 0, is_last)
    }

    /// The use of tokens, in a chunk of its own.
    fn use_of_tokens(&self) -> Step {
        let choices = match self.shape.usage {
            Told::NullChoices => Value::Null,
            Told::Chunk | Told::WithTheEnd => json!([]),
        };
        self.event(&choices, Some(&self.usage), 0)
    }

    fn choice(&self, choice: Value, tokens: u32) -> Step {
        self.with_usage(choice, tokens, false)
    }

    /// A choice, with the use of tokens where it is the last one's end.
    fn with_usage(&self, mut choice: Value, tokens: u32, is_end_of_all: bool) -> Step {
        extend(&mut choice, self.shape.choice);
        if let Some(reason) = choice
            .get_mut("finish_reason")
            .filter(|reason| self.shape.has(Habit::EmptyReasons) && reason.is_null())
        {
            *reason = json!("");
        }
        let usage = match (self.ends_with_usage, is_end_of_all) {
            (true, true) => Some(&self.usage),
            (true, false) => None,
            (false, _) => self.include_usage.then_some(&Value::Null),
        };
        self.event(&json!([choice]), usage, tokens)
    }

    fn event(&self, choices: &Value, usage: Option<&Value>, tokens: u32) -> Step {
        let object = match self.completion.endpoint {
            Endpoint::Chat => "chat.completion.chunk",
            Endpoint::Text => "text_completion",
        };
        let mut chunk = json!({
            "id": self.completion.id,
            "object": object,
            "created": CREATED,
            "model": self.completion.model,
            "choices": choices,
        });
        beside(&mut chunk, self.shape);
        if let (Some(chunk), Some(usage)) = (chunk.as_object_mut(), usage) {
            chunk.insert("usage".to_owned(), usage.clone());
        }
        Step::Send {
            bytes: Bytes::from(format!("data: {chunk}\n\n")),
            tokens,
        }
    }
}
