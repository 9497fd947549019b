//! `POST /v1/responses`.

use std::collections::VecDeque;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::content;
use crate::ask::Ask;
use crate::chance::Dice;
use crate::endpoints::CREATED;
use crate::refusal::Refusal;
use crate::script::{Before, Script, Step};
use crate::text;

/// An answer of one message.
#[derive(Debug)]
struct Reply {
    id: String,
    model: String,
    pieces: Vec<String>,
    cut: bool,
    input_tokens: u32,
    usage: bool,
}

pub(crate) fn answer(ask: &Ask, dice: &mut Dice) -> Result<Script, Refusal> {
    let input = ask
        .get("input")
        .ok_or_else(|| Refusal::invalid("Missing required parameter: 'input'.").param("input"))?;
    let input_tokens = match input {
        Value::Array(items) => text::prompt_tokens(items),
        other => text::input_tokens(other),
    };
    let mut pieces = text::tokens(&content::content(ask, dice));
    let limit = ask
        .number("max_output_tokens", 1..=u32::MAX)?
        .and_then(|limit| usize::try_from(limit).ok())
        .unwrap_or(usize::MAX);
    let cut = limit < pieces.len();
    pieces.truncate(limit);
    let id = format!("sim{:016x}", dice.number());
    let reply = Reply {
        id,
        model: ask.model()?.to_owned(),
        pieces,
        cut,
        input_tokens,
        usage: ask.knobs.usage.is_told(),
    };
    if ask.stream().is_some() {
        return Ok(reply.stream(ask).answering(input_tokens));
    }
    let tokens = reply.tokens();
    let mut script = Script::whole(
        StatusCode::OK,
        "application/json",
        Bytes::from(reply.finished().to_string()),
        tokens,
    );
    script.before.push(Before::Generate {
        tokens,
        takes: ask.knobs.pace(tokens),
    });
    Ok(script.answering(input_tokens))
}

impl Reply {
    fn tokens(&self) -> u32 {
        u32::try_from(self.pieces.len()).unwrap_or(u32::MAX)
    }

    fn object(&self, status: &str, output: &Value, usage: &Value) -> Value {
        json!({
            "id": format!("resp_{}", self.id),
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "error": null,
            "incomplete_details": (status == "incomplete")
                .then(|| json!({"reason": "max_output_tokens"})),
            "model": self.model,
            "output": output,
            "usage": usage,
        })
    }

    fn status(&self) -> &'static str {
        if self.cut { "incomplete" } else { "completed" }
    }

    fn part(text: &str) -> Value {
        json!({"type": "output_text", "text": text, "annotations": []})
    }

    fn item(&self, status: &str, content: &Value) -> Value {
        json!({"id": format!("msg_{}", self.id), "type": "message", "status": status,
            "role": "assistant", "content": content})
    }

    fn finished(&self) -> Value {
        let (input, output) = (self.input_tokens, self.tokens());
        let usage = json!({
            "input_tokens": input,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": input.saturating_add(output),
        });
        let item = self.item(self.status(), &json!([Self::part(&self.pieces.concat())]));
        self.object(
            self.status(),
            &json!([item]),
            &if self.usage { usage } else { Value::Null },
        )
    }

    fn stream(&self, ask: &Ask) -> Script {
        let mut events = Events::default();
        let text = self.pieces.concat();
        let message = format!("msg_{}", self.id);
        let place = json!({"item_id": message, "output_index": 0, "content_index": 0});
        events.push(
            "response.created",
            &json!({"response": self.object("in_progress", &json!([]), &Value::Null)}),
            0,
        );
        events.push(
            "response.output_item.added",
            &json!({"output_index": 0, "item": self.item("in_progress", &json!([]))}),
            0,
        );
        events.push(
            "response.content_part.added",
            &with(&place, "part", Self::part("")),
            0,
        );
        for pieces in self
            .pieces
            .chunks(usize::try_from(ask.knobs.chunk_tokens.get()).unwrap_or(usize::MAX))
        {
            let tokens = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
            events.wait(ask.knobs.pace(tokens));
            events.push(
                "response.output_text.delta",
                &with(&place, "delta", json!(pieces.concat())),
                tokens,
            );
        }
        events.push(
            "response.output_text.done",
            &with(&place, "text", json!(text)),
            0,
        );
        events.push(
            "response.content_part.done",
            &with(&place, "part", Self::part(&text)),
            0,
        );
        let item = self.item(self.status(), &json!([Self::part(&text)]));
        events.push(
            "response.output_item.done",
            &json!({"output_index": 0, "item": item}),
            0,
        );
        let last = if self.cut {
            "response.incomplete"
        } else {
            "response.completed"
        };
        events.push(last, &json!({"response": self.finished()}), 0);
        Script::events(events.steps)
    }
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    object
}

/// Named events; `responses` numbers them.
#[derive(Debug, Default)]
struct Events {
    steps: VecDeque<Step>,
    number: u64,
}

impl Events {
    fn wait(&mut self, time: std::time::Duration) {
        if !time.is_zero() {
            self.steps.push_back(Step::Wait(time));
        }
    }

    fn push(&mut self, name: &str, data: &Value, tokens: u32) {
        let data = with(
            &with(data, "type", json!(name)),
            "sequence_number",
            json!(self.number),
        );
        self.number += 1;
        self.steps.push_back(Step::Send {
            bytes: Bytes::from(format!("event: {name}\ndata: {data}\n\n")),
            tokens,
        });
    }
}
