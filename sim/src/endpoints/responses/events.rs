//! A response as events.

use serde_json::{Value, json};

use super::object::{Answer, REFUSAL, said};
use crate::endpoints::reply::{Call, Stop};
use crate::endpoints::steps::Steps;
use crate::knobs::Ending;
use crate::script::Script;

/// All events, from `response.created` to the terminal one.
pub(super) fn stream(answer: &Answer<'_>) -> Script {
    let mut events = Events {
        steps: Steps::new(&answer.ask.knobs),
        number: 0,
        index: 0,
    };
    let begun = json!({"response": answer.object("in_progress", &[])});
    events.push("response.created", &begun, 0);
    events.push("response.in_progress", &begun, 0);
    reasoning(answer, &mut events);
    message(answer, &mut events);
    for (index, call) in answer.reply.calls.iter().enumerate() {
        function(answer, &mut events, index, call);
    }
    let status = answer.status();
    let last = json!({"response": answer.object(status, &answer.output())});
    events.push(&format!("response.{status}"), &last, 0);
    Script::events(events.steps.done())
}

fn reasoning(answer: &Answer<'_>, events: &mut Events<'_>) {
    let (Some(begun), Some(done)) = (answer.reasoning(false), answer.reasoning(true)) else {
        return;
    };
    let thoughts = &answer.reply.thoughts;
    events.item("added", &begun);
    if let Some(summary) = answer.summary() {
        let place = events.place(&begun, "summary_index");
        let part = |text: &str| json!({"type": "summary_text", "text": text});
        let name = |event: &str| format!("response.reasoning_summary_{event}");
        let added = with(&place, "part", part(""));
        events.push(&name("part.added"), &added, 0);
        events.deltas(&name("text.delta"), &place, thoughts);
        let text = with(&place, "text", json!(summary));
        events.push(&name("text.done"), &text, 0);
        let finished = with(&place, "part", part(&summary));
        events.push(&name("part.done"), &finished, 0);
        events.item("done", &done);
    } else {
        let tokens = answer.reply.thinking();
        let finished = json!({"output_index": events.index, "item": done});
        events.push("response.output_item.done", &finished, tokens);
        events.index += 1;
    }
}

fn message(answer: &Answer<'_>, events: &mut Events<'_>) {
    let Some(part) = answer.part() else {
        return;
    };
    let item =
        |status: &str, content: &[Value]| answer.message(status, content).unwrap_or_default();
    let begun = item("in_progress", &[]);
    events.item("added", &begun);
    let place = events.place(&begun, "content_index");
    let is_refusal = answer.reply.stop == Stop::Told(Ending::Refusal);
    let empty = if is_refusal {
        json!({"type": "refusal", "refusal": ""})
    } else {
        said("")
    };
    events.push(
        "response.content_part.added",
        &with(&place, "part", empty),
        0,
    );
    if is_refusal {
        let delta = with(&place, "delta", json!(REFUSAL));
        events.push("response.refusal.delta", &delta, 0);
        let done = with(&place, "refusal", json!(REFUSAL));
        events.push("response.refusal.done", &done, 0);
    } else {
        let spoken = with(&place, "logprobs", json!([]));
        events.deltas("response.output_text.delta", &spoken, &answer.reply.text);
        let done = with(&spoken, "text", json!(answer.reply.text.concat()));
        events.push("response.output_text.done", &done, 0);
    }
    let done = with(&place, "part", part.clone());
    events.push("response.content_part.done", &done, 0);
    let status = if answer.status() == "incomplete" {
        "incomplete"
    } else {
        "completed"
    };
    events.item("done", &item(status, &[part]));
}

fn function(answer: &Answer<'_>, events: &mut Events<'_>, index: usize, call: &Call) {
    let begun = answer.call(index, call, "in_progress", "");
    events.item("added", &begun);
    let place = events.whose(&begun);
    let (name, field) = if call.is_text {
        ("response.custom_tool_call_input", "input")
    } else {
        ("response.function_call_arguments", "arguments")
    };
    events.deltas(&format!("{name}.delta"), &place, &call.pieces);
    if !call.is_whole {
        return;
    }
    let arguments = call.arguments();
    let mut done = with(&place, field, json!(arguments));
    if !call.is_text {
        done = with(&done, "name", json!(call.name));
    }
    events.push(&format!("{name}.done"), &done, 0);
    events.item("done", &answer.call(index, call, "completed", &arguments));
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    if let Some(members) = object.as_object_mut() {
        members.insert(name.to_owned(), value);
    }
    object
}

/// Numbered events, and the place of the item that is open or comes next.
struct Events<'a> {
    steps: Steps<'a>,
    number: u64,
    index: usize,
}

impl Events<'_> {
    fn push(&mut self, name: &str, data: &Value, tokens: u32) {
        let data = with(data, "type", json!(name));
        let data = with(&data, "sequence_number", json!(self.number));
        self.number += 1;
        self.steps
            .push(format!("event: {name}\ndata: {data}\n\n"), tokens);
    }

    /// An item is added, or done.
    fn item(&mut self, what: &str, item: &Value) {
        let data = json!({"output_index": self.index, "item": item});
        self.push(&format!("response.output_item.{what}"), &data, 0);
        if what == "done" {
            self.index += 1;
        }
    }

    fn whose(&self, item: &Value) -> Value {
        json!({"item_id": item.get("id"), "output_index": self.index})
    }

    /// The place of the first part of an item.
    fn place(&self, item: &Value, part: &str) -> Value {
        with(&self.whose(item), part, json!(0))
    }

    fn deltas(&mut self, name: &str, place: &Value, pieces: &[String]) {
        let chunks = self.steps.chunks(pieces);
        for (text, tokens) in chunks {
            self.push(name, &with(place, "delta", json!(text)), tokens);
        }
    }
}
