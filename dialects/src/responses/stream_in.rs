//! An upstream's stream, read.
//!
//! ```text
//! Open ─ response.completed, response.incomplete ► Done
//!      ─ response.failed, error ─────────────────► Failed
//! ```
//!
//! The end of the body before one of these is an error. A text may come in pieces, or only where it
//! is whole: with the end of its part, of its item or of the response. It is told once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hone_strategies::chat::{Chunk, Delta, Native};
use serde_json::{Map, Value, json};

use super::answer_in::{beside, failure, reason, told};
use super::said::cited;
use super::stream_item::{
    Item, Kind, Mark, Part, Speech, arguments_of, error_of, escaped, index_of, named, part_of,
    text_of, texts_of, with_status,
};
use crate::marks::clean;
use crate::shape::{ErrorReply, Event, Source, StreamDecoder};
use crate::tables::usage;
use crate::wire::json::{document, str_of};
use crate::wire::sse::{Message, Reader};

mod plain;

use plain::Plain;

/// More items than any answer has.
const MOST_ITEMS: usize = 100_000;

pub(super) struct Decoder {
    reader: Reader,
    source: Source,
    has_begun: bool,
    has_ended: bool,
    /// Items that have not ended, by their places. Boxed, since a tree has room for eleven at once.
    open: BTreeMap<u64, Box<Item>>,
    /// The places of those that have.
    ended: BTreeSet<u64>,
    /// The places of items by their ids.
    ids: BTreeMap<String, u64>,
    /// The place of the newest item.
    newest: Option<u64>,
    calls: u32,
    speech: Speech,
    events: Vec<Event>,
}

impl Decoder {
    pub(super) fn new(source: Source) -> Self {
        Self {
            reader: Reader::new(source.max_event_bytes),
            source,
            has_begun: false,
            has_ended: false,
            open: BTreeMap::new(),
            ended: BTreeSet::new(),
            ids: BTreeMap::new(),
            newest: None,
            calls: 0,
            speech: Speech::default(),
            events: Vec::new(),
        }
    }

    fn message(&mut self, message: &Message) {
        if self.has_ended {
            return;
        }
        if let Some(plain) = Plain::read(&message.data) {
            return self.text(plain.mark(), plain.part(), (&plain.delta, false), None);
        }
        let Some(event) = document(&message.data) else {
            if message.data.trim_ascii_start().first() == Some(&b'{') {
                let why = "An event of the upstream's is no JSON.";
                self.fail(ErrorReply::malformed(why));
            }
            return;
        };
        let name = match str_of(&event, "type") {
            "" => &message.event,
            name => name,
        };
        self.event(name, &event);
    }

    fn event(&mut self, name: &str, event: &Value) {
        let response = event.get("response").unwrap_or(&Value::Null);
        match name {
            "response.created" | "response.in_progress" | "response.queued" => self.start(),
            "response.output_item.added" => self.added(event),
            "response.output_item.done" => self.item_done(event),
            "response.content_part.done" | "response.reasoning_summary_part.done" => {
                self.part_done(event);
            }
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.arguments(name, event, "delta");
            }
            "response.function_call_arguments.done" => self.arguments(name, event, "arguments"),
            "response.custom_tool_call_input.done" => self.arguments(name, event, "input"),
            "response.completed" => self.whole(response, "completed"),
            "response.incomplete" => self.whole(response, "incomplete"),
            "response.failed" | "response.cancelled" => {
                let error = failure(response).unwrap_or_else(|| told(&json!({ "error": null })));
                self.fail(error);
            }
            "error" | "response.error" => self.fail(told(&error_of(event))),
            _ => {
                if let Some((part, text, is_whole)) = text_of(name, event) {
                    let logprobs = event.get("logprobs");
                    self.text(Mark::of(event), part, (text, is_whole), logprobs);
                }
            }
        }
    }

    fn start(&mut self) {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.add(Delta::field("role", "assistant"));
        }
    }

    fn place(&self, mark: Mark<'_>) -> Option<u64> {
        let id = || self.ids.get(mark.item_id).copied();
        mark.output_index.or_else(id)
    }

    fn known_place(&self, mark: Mark<'_>) -> u64 {
        let place = self.place(mark).or(self.newest);
        place.unwrap_or(0)
    }

    /// The place of an item that begins, or ends without having begun.
    fn new_place(&self, event: &Value, item: &Value) -> u64 {
        let known = self.ids.get(str_of(item, "id")).copied();
        let next = || self.newest.map_or(0, |newest| newest.saturating_add(1));
        self.place(Mark::of(event)).or(known).unwrap_or_else(next)
    }

    fn added(&mut self, event: &Value) {
        let item = event.get("item").cloned().unwrap_or_default();
        let place = self.new_place(event, &item);
        self.open_item(place, item);
    }

    fn open_item(&mut self, place: u64, item: Value) {
        if self.ended.contains(&place) || self.open.contains_key(&place) {
            return;
        }
        if self.open.len() + self.ended.len() >= MOST_ITEMS {
            return self.fail(ErrorReply::malformed("The answer has too many items."));
        }
        self.newest = self.newest.max(Some(place));
        let id = str_of(&item, "id");
        if !id.is_empty() {
            self.ids.insert(id.to_owned(), place);
        }
        let mut item = Box::new(Item::new(item));
        self.call(&mut item);
        self.open.insert(place, item);
    }

    /// Tells that a call begins, as soon as its tool is known.
    fn call(&mut self, item: &mut Item) {
        let name = item.name();
        if !item.is_call() || item.call.is_some() || name.is_empty() {
            return;
        }
        let index = self.calls;
        self.calls = self.calls.saturating_add(1);
        item.call = Some(index);
        let ids = ["call_id", "id"].map(|name| str_of(&item.value, name));
        let id = ids.into_iter().find(|id| !id.is_empty());
        let call = json!({"index": index, "id": clean(id.unwrap_or_default()), "type": "function",
            "function": {"name": self.source.names.here(&name), "arguments": ""}});
        self.add(Delta::field("tool_calls", vec![call]));
    }

    /// Tells what is new of a call's arguments.
    fn argue(&mut self, item: &mut Item, is_last: bool) {
        let Some(index) = item.call else {
            return;
        };
        let is_untold = item.is_untold();
        let (mut more, is_first) = item.untold();
        if item.is_custom() {
            more = escaped(&more);
            if is_first && (is_last || !more.is_empty()) {
                more.insert_str(0, "{\"input\":\"");
            }
            if is_last {
                more.push_str("\"}");
            }
        } else if is_last && is_untold && more.is_empty() {
            return;
        }
        if !more.is_empty() {
            let call = json!({"index": index, "function": {"arguments": more}});
            self.add(Delta::field("tool_calls", vec![call]));
        }
    }

    fn arguments(&mut self, name: &str, event: &Value, field: &str) {
        let place = self.known_place(Mark::of(event));
        if !self.open.contains_key(&place) {
            let is_custom = name.contains("custom");
            let kind = if is_custom {
                "custom_tool_call"
            } else {
                "function_call"
            };
            self.open_item(place, json!({"type": kind}));
        }
        let Some(mut item) = self.open.remove(&place) else {
            return;
        };
        if field == "delta" {
            item.argue(str_of(event, field));
        } else {
            named(&mut item, event);
            item.settle(str_of(event, field));
        }
        self.call(&mut item);
        self.argue(&mut item, false);
        self.open.insert(place, item);
    }

    /// A text, or a piece of it.
    fn text(
        &mut self,
        mark: Mark<'_>,
        part: Part,
        (text, is_whole): (&str, bool),
        logprobs: Option<&Value>,
    ) {
        let place = self.known_place(mark);
        if !self.open.contains_key(&place) {
            let kind = match part.kind {
                Kind::Refusal | Kind::Text => "message",
                Kind::Summary | Kind::Thought => "reasoning",
            };
            self.open_item(place, json!({"type": kind}));
        }
        let Some(mut item) = self.open.remove(&place) else {
            return;
        };
        let more = if is_whole {
            item.rest(part, text)
        } else {
            text
        };
        self.say((place, part), &mut item, more, logprobs);
        self.open.insert(place, item);
    }

    fn part_done(&mut self, event: &Value) {
        let Some((kind, text)) = event.get("part").and_then(part_of) else {
            return;
        };
        let index = index_of(event);
        let logprobs = event.get("logprobs");
        let part = Part { kind, index };
        self.text(Mark::of(event), part, (text, true), logprobs);
    }

    /// Tells more of a text.
    fn say(
        &mut self,
        (place, part): (u64, Part),
        item: &mut Item,
        more: &str,
        logprobs: Option<&Value>,
    ) {
        if more.is_empty() {
            return;
        }
        item.add(part, more);
        let (field, more) = self.speech.tell(place, part, more);
        let mut delta = Delta::field(field, more);
        let listed = logprobs.and_then(Value::as_array);
        if let Some(listed) = listed.filter(|listed| !listed.is_empty()) {
            delta.logprobs = Some(json!({ "content": listed }).into());
        }
        self.add(delta);
    }

    fn item_done(&mut self, event: &Value) {
        let item = event.get("item").cloned().unwrap_or_default();
        let place = self.new_place(event, &item);
        self.end_item(place, item);
    }

    /// Tells what is missing of an item, and the item itself.
    fn end_item(&mut self, place: u64, whole: Value) {
        self.open_item(place, whole.clone());
        let Some(mut item) = self.open.remove(&place) else {
            return;
        };
        for (part, text) in texts_of(&whole) {
            let rest = item.rest(part, &text).to_owned();
            self.say((place, part), &mut item, &rest, None);
        }
        if item.is_call() {
            named(&mut item, &whole);
            for told in [&whole, &item.value.clone()] {
                item.settle(&arguments_of(told));
            }
            self.call(&mut item);
            self.argue(&mut item, true);
        }
        let annotations = cited(&whole);
        if !annotations.is_empty() {
            self.add(Delta::field("annotations", annotations));
        }
        self.ended.insert(place);
        let native = Native {
            dialect: super::said::OWN,
            model: self.source.maker.clone(),
            value: vec![whole],
        };
        self.add(Delta {
            native: Some(Arc::new(native)),
            ..Delta::default()
        });
    }

    /// The answer is whole.
    fn whole(&mut self, response: &Value, status: &str) {
        self.start();
        if let Some(error) = failure(response) {
            return self.fail(error);
        }
        let output = response.get("output").and_then(Value::as_array);
        let count = output.map_or(0, Vec::len);
        for (place, item) in (0_u64..).zip(output.into_iter().flatten()) {
            let known = self.ids.get(str_of(item, "id")).copied();
            let place = known.unwrap_or(place);
            let is_known = self.ended.contains(&place) || self.open.contains_key(&place);
            // Servers that number items otherwise have told all of them.
            if is_known || self.ended.len() + self.open.len() < count {
                self.end_item(place, item.clone());
            }
        }
        for place in self.open.keys().copied().collect::<Vec<_>>() {
            let whole = self.open.get(&place).map(|item| item.assembled());
            self.end_item(place, whole.unwrap_or_default());
        }
        let ending = with_status(response, status);
        match reason(&ending, self.speech.heard, self.calls > 0) {
            Ok(reason) => self.end(response, reason),
            Err(error) => self.fail(*error),
        }
    }

    fn end(&mut self, response: &Value, reason: &str) {
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let rest: Map<String, Value> = beside(response);
        self.events.push(Event::Chunk(Chunk {
            usage: response.get("usage").and_then(usage::from_responses),
            rest,
            ..Chunk::of(0, Delta::finish(reason))
        }));
        self.events.push(Event::Done);
    }

    fn add(&mut self, delta: Delta) {
        if !self.has_ended {
            self.events.push(Event::Chunk(Chunk::of(0, delta)));
        }
    }

    fn fail(&mut self, error: ErrorReply) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.events.push(Event::Failed(error));
        }
    }
}

impl StreamDecoder for Decoder {
    fn push(&mut self, bytes: &[u8]) -> Vec<Event> {
        if !self.has_ended {
            match self.reader.push(bytes) {
                Ok(messages) => messages.iter().for_each(|message| self.message(message)),
                Err(_) => self.fail(ErrorReply::malformed("An event is too large.")),
            }
        }
        std::mem::take(&mut self.events)
    }

    fn finish(&mut self) -> Vec<Event> {
        if !self.has_ended
            && let Some(message) = self.reader.finish()
            && document(&message.data).is_some()
        {
            self.message(&message);
        }
        self.fail(ErrorReply::truncated());
        std::mem::take(&mut self.events)
    }
}
