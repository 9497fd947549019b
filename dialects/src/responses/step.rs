//! Items of a model's that follow each other, which are one message in chat.

use std::sync::Arc;

use hone_strategies::chat::{Message, Native};
use serde_json::{Map, Value};

use super::content_in::has_only;
use super::said::{APART, thoughts, words};
use super::tools::{call_of, chat_call};
use crate::marks::envelope;
use crate::wire::json::str_of;

/// The items so far.
#[derive(Default)]
pub(super) struct Step {
    texts: Vec<String>,
    refusals: Vec<String>,
    thoughts: Vec<String>,
    calls: Vec<Value>,
    /// The ids of the calls, and the items that they are.
    pub(super) called: Vec<(String, usize)>,
    items: Vec<Value>,
    is_odd: bool,
    /// What came in envelopes of hone's.
    sealed: Option<Native>,
    was_sealed: bool,
}

impl Step {
    /// Adds the item number `index`. False if chat has nothing like it.
    pub(super) fn add(&mut self, item: Value, index: usize) -> bool {
        let is_known = match str_of(&item, "type") {
            "" | "message" => {
                self.message(&item);
                true
            }
            "reasoning" => {
                self.reasoning(&item);
                true
            }
            _ => self.call(&item, index),
        };
        self.is_odd |= !is_known;
        self.items.push(item);
        is_known
    }

    fn message(&mut self, item: &Value) {
        // Chat has one text, in front of the calls.
        let is_first = self.texts.is_empty() && self.calls.is_empty();
        let is_text = item.get("content").is_some_and(Value::is_string);
        self.is_odd |= !is_first || !is_text || !has_only(item, &["type", "role", "content"]);
        let (text, refusal) = words(item);
        if !text.is_empty() {
            self.texts.push(text);
        }
        if !refusal.is_empty() {
            self.refusals.push(refusal);
        }
    }

    fn reasoning(&mut self, item: &Value) {
        let encrypted = str_of(item, "encrypted_content");
        if !envelope::is_sealed(encrypted) {
            self.is_odd = true;
            self.thoughts.extend(thoughts(item));
            return;
        }
        self.was_sealed = true;
        let opened = envelope::open(encrypted).and_then(envelope::Envelope::into_native);
        envelope::gather(&mut self.sealed, opened);
    }

    fn call(&mut self, item: &Value, index: usize) -> bool {
        let Some(call) = call_of(item) else {
            return false;
        };
        let known = ["type", "call_id", "name", "arguments"];
        self.is_odd |= str_of(item, "type") != "function_call" || !has_only(item, &known);
        self.called.push((call.0.clone(), index));
        self.calls.push(chat_call(call));
        true
    }

    /// The message that the items are, if there are any.
    pub(super) fn message_of(self) -> Option<Message> {
        if self.items.is_empty() {
            return None;
        }
        let mut fields = Map::from_iter([("role".to_owned(), Value::from("assistant"))]);
        let says_nothing = self.texts.is_empty() && !self.calls.is_empty();
        let content = (!says_nothing).then(|| self.texts.join(APART));
        fields.insert("content".to_owned(), content.into());
        for (name, texts) in [
            ("refusal", &self.refusals),
            ("reasoning_content", &self.thoughts),
        ] {
            if !texts.is_empty() {
                fields.insert(name.to_owned(), texts.join(APART).into());
            }
        }
        if !self.calls.is_empty() {
            fields.insert("tool_calls".to_owned(), self.calls.into());
        }
        let native = if self.was_sealed {
            self.sealed
        } else {
            self.is_odd.then(|| native(self.items))
        };
        Some(Message::from_fields(fields).with_native(native.map(Arc::new)))
    }
}

/// What a client wrote.
pub(super) fn native(value: Vec<Value>) -> Native {
    Native {
        dialect: super::said::OWN,
        model: String::new(),
        value,
    }
}
