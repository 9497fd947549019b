//! The items of a client's input in the middle form.

use std::collections::BTreeMap;
use std::sync::Arc;

use hone_strategies::chat::{End, Message, Origin};
use serde_json::{Map, Value};

use super::content_in::{Parts, has_only};
use super::step::{Step, native};
use super::tools_in::ADDITIONAL;
use crate::marks::clean;
use crate::shape::Refusal;
use crate::wire::json::{self, list, object, str_of, wanted};

/// Items that stand for something that only their provider has.
const KEPT: [&str; 3] = ["compaction", "compaction_summary", "item_reference"];

/// The conversation as it comes to be.
pub(super) struct Items<'a> {
    origin: &'a mut Origin,
    entries: Vec<Entry>,
    step: Step,
    /// Where tools stand in the conversation.
    tools: Vec<(String, Value)>,
    /// Calls without a result, by their ids: the entry, and the number among its calls.
    open: BTreeMap<String, (usize, usize)>,
}

/// A message and the results of its calls, which follow it wherever they came.
struct Entry {
    message: Message,
    results: Vec<Slot>,
}

/// A place for the result of the call that is the item `index`.
struct Slot {
    index: usize,
    result: Option<Message>,
}

/// What `input` comes to.
#[derive(Default)]
pub(super) struct Read {
    pub(super) messages: Vec<Message>,
    /// The items that have tools, and their paths.
    pub(super) tools: Vec<(String, Value)>,
}

/// Reads `input`.
pub(super) fn read(input: Value, origin: &mut Origin) -> Result<Read, Refusal> {
    if let Value::String(text) = input {
        return Ok(Read {
            messages: vec![Message::user(text)],
            ..Read::default()
        });
    }
    let items = list(input, "input")?;
    if items.is_empty() {
        return Err(wanted(
            "input",
            "a text, or an array with at least one item",
        ));
    }
    let mut read = Items {
        origin,
        entries: Vec::new(),
        step: Step::default(),
        tools: Vec::new(),
        open: BTreeMap::new(),
    };
    for (index, item) in items.into_iter().enumerate() {
        read.add(item, index)?;
    }
    Ok(read.finished())
}

impl Items<'_> {
    fn add(&mut self, item: Value, index: usize) -> Result<(), Refusal> {
        let path = format!("input.{index}");
        let fields = object(item, &path)?;
        let (kind, role) = (word(&fields, "type"), word(&fields, "role"));
        match (kind, role) {
            ("message" | "", "user" | "system" | "developer") => self.said(fields, &path),
            ("message" | "", "assistant") => {
                self.step.add(Value::Object(fields), index);
                Ok(())
            }
            ("message", _) => Err(wanted(&format!("{path}.role"), "the role of a message")),
            (ADDITIONAL, _) => {
                self.tools(Value::Object(fields), path);
                Ok(())
            }
            ("function_call_output" | "custom_tool_call_output", _) => self.result(fields, &path),
            // An item that has an id and nothing else refers to one that is stored.
            ("", _) if !fields.contains_key("id") => Err(wanted(
                &format!("{path}.type"),
                "the name of an item's type",
            )),
            _ => {
                self.models(Value::Object(fields), index, &path);
                Ok(())
            }
        }
    }

    /// An item of the model's.
    fn models(&mut self, item: Value, index: usize, path: &str) {
        let kind = str_of(&item, "type").to_owned();
        if self.step.add(item, index) && !kind.is_empty() {
            return;
        }
        let end = if kind.is_empty() || KEPT.contains(&&*kind) {
            let why = "It is kept by the client's own provider only: send the whole conversation \
                as `input`.";
            End::Refuse(why.to_owned())
        } else {
            End::Degrade
        };
        self.origin.fate(path, end);
    }

    /// Tools. Chat has them beside the conversation; here they keep their place.
    fn tools(&mut self, item: Value, path: String) {
        self.flush();
        let native = Arc::new(native(vec![item.clone()]));
        self.push(Message::new("developer", "").with_native(Some(native)));
        self.tools.push((path, item));
    }

    /// What a user says, or an instruction in its place.
    fn said(&mut self, mut fields: Map<String, Value>, path: &str) -> Result<(), Refusal> {
        self.flush();
        let role = word(&fields, "role").to_owned();
        let content_path = format!("{path}.content");
        let mut is_plain = fields
            .keys()
            .all(|name| matches!(&**name, "type" | "role" | "content"));
        // What comes first would else become `instructions`, which it was not.
        let is_first = role == "system" && self.entries.is_empty();
        is_plain &= !is_first;
        let content = match fields.get("content") {
            Some(Value::String(text)) => text.as_str().into(),
            Some(Value::Array(parts)) => {
                let parts = Parts::read(parts, &content_path, self.origin)?;
                is_plain &= parts.is_plain;
                parts.content()
            }
            _ => return Err(wanted(&content_path, "a text or an array of parts")),
        };
        fields.entry("type").or_insert_with(|| "message".into());
        let native = (!is_plain).then(|| Arc::new(native(vec![Value::Object(fields)])));
        self.push(Message::new(&role, content).with_native(native));
        Ok(())
    }

    /// The result of a call.
    fn result(&mut self, fields: Map<String, Value>, path: &str) -> Result<(), Refusal> {
        self.flush();
        let id = clean(word(&fields, "call_id")).into_owned();
        let known = ["type", "call_id", "output"];
        let is_function = word(&fields, "type") == "function_call_output";
        let item = Value::Object(fields);
        let mut is_plain = is_function && has_only(&item, &known);
        let content = match item.get("output") {
            Some(Value::String(text)) => text.as_str().into(),
            Some(Value::Array(parts)) => {
                let parts = Parts::read(parts, &format!("{path}.output"), self.origin)?;
                is_plain &= parts.is_plain;
                parts.content()
            }
            None | Some(Value::Null) => return Err(json::missing(&format!("{path}.output"))),
            Some(other) => other.to_string().into(),
        };
        let native = (!is_plain).then(|| Arc::new(native(vec![item])));
        let message = Message::new("tool", content).with("tool_call_id", id.as_str());
        let message = message.with_native(native);
        if let Some((entry, at)) = self.open.remove(&id)
            && let Some(slot) = slot(&mut self.entries, entry, at)
        {
            slot.result = Some(message);
            return Ok(());
        }
        let why = "No call before it has this id.";
        self.origin
            .fate(format!("{path}.call_id"), End::Refuse(why.to_owned()));
        self.push(message);
        Ok(())
    }

    fn push(&mut self, message: Message) {
        self.entries.push(Entry {
            message,
            results: Vec::new(),
        });
    }

    /// Ends the model's step.
    fn flush(&mut self) {
        let mut step = std::mem::take(&mut self.step);
        let called = std::mem::take(&mut step.called);
        let Some(message) = step.message_of() else {
            return;
        };
        let entry = self.entries.len();
        let mut results = Vec::with_capacity(called.len());
        for (at, (id, index)) in called.into_iter().enumerate() {
            self.open.insert(id, (entry, at));
            results.push(Slot {
                index,
                result: None,
            });
        }
        self.entries.push(Entry { message, results });
    }

    fn finished(mut self) -> Read {
        self.flush();
        let tools = std::mem::take(&mut self.tools);
        let mut messages = Vec::with_capacity(self.entries.len());
        for Entry { message, results } in self.entries {
            messages.push(message);
            for Slot { index, result } in results {
                if result.is_none() {
                    let why = "The call has no result, which other providers do not take.";
                    self.origin
                        .fate(format!("input.{index}"), End::Refuse(why.to_owned()));
                }
                messages.extend(result);
            }
        }
        Read { messages, tools }
    }
}

fn slot(entries: &mut [Entry], entry: usize, at: usize) -> Option<&mut Slot> {
    entries.get_mut(entry)?.results.get_mut(at)
}

fn word<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a str {
    fields.get(name).and_then(Value::as_str).unwrap_or_default()
}
