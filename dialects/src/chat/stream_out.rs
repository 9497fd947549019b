//! Chunks, written for a client.

use hone_strategies::chat::{Added, Delta, WrittenChunk};
use serde_json::{Map, Value};

use crate::functions::OfText;
use crate::shape::{Ending, ErrorReply, Frame, StreamEncoder};
use crate::tables::errors;
use crate::wire::sse;

/// What a call that waits takes beside its text, in bytes.
const HELD: usize = 256;

pub(super) struct Encoder {
    frame: Frame,
    has_ended: bool,
    of_text: OfText,
    /// Calls of tools that take a text, each with its choice: a text is known when the arguments
    /// that hold it are whole.
    held: Vec<(u32, Value)>,
    held_bytes: usize,
}

impl Encoder {
    pub(super) fn new(frame: Frame) -> Self {
        Self {
            of_text: OfText::of(&frame.request),
            frame,
            has_ended: false,
            held: Vec::new(),
            held_bytes: 0,
        }
    }

    fn added(&self, choice: u32, delta: &Delta) -> String {
        if delta.fields.is_empty() && delta.finish_reason.is_none() {
            return String::new();
        }
        let usage = self.frame.request.include_usage().then_some(&Value::Null);
        self.chunk(&[delta.to(choice)], usage)
    }

    /// Takes the pieces of calls that have to wait out of `delta`; puts those that have waited in
    /// where the choice ends.
    fn hold(&mut self, choice: u32, delta: &Delta) -> Delta {
        let mut delta = delta.clone();
        if let Some(Value::Array(mut calls)) = delta.fields.shift_remove("tool_calls") {
            calls.retain(|call| !self.is_held(choice, call));
            if !calls.is_empty() {
                delta.fields.insert("tool_calls".to_owned(), calls.into());
            }
        }
        if delta.finish_reason.is_some() {
            let ends = |(of, _): &mut (u32, Value)| *of == choice;
            let waited = self.held.extract_if(.., ends).map(|(_, call)| call);
            let waited: Vec<Value> = waited.map(|call| self.of_text.restored(&call)).collect();
            if let Some(Value::Array(calls)) = delta.fields.get_mut("tool_calls") {
                calls.extend(waited);
            } else if !waited.is_empty() {
                delta.fields.insert("tool_calls".to_owned(), waited.into());
            }
        }
        delta
    }

    /// Keeps a piece of a call that has to wait. Gives whether it is one.
    fn is_held(&mut self, choice: u32, call: &Value) -> bool {
        let index = call.get("index");
        let mut held = self.held.iter_mut();
        let known = held.find(|(of, held)| *of == choice && held.get("index") == index);
        let more = call.pointer("/function/arguments").and_then(Value::as_str);
        let more = more.unwrap_or_default();
        if let Some((_, held)) = known {
            if let Some(Value::String(arguments)) = held.pointer_mut("/function/arguments") {
                arguments.push_str(more);
            }
            self.held_bytes = self.held_bytes.saturating_add(more.len());
            return true;
        }
        if !self.of_text.has(call) {
            return false;
        }
        self.held_bytes = self
            .held_bytes
            .saturating_add(HELD + call.to_string().len());
        self.held.push((choice, call.clone()));
        true
    }

    fn chunk(&self, choices: &[Added<'_>], usage: Option<&Value>) -> String {
        let chunk = WrittenChunk {
            id: &super::id(&self.frame),
            created: self.frame.created,
            model: &self.frame.model,
            choices,
            beside: &Map::new(),
            usage,
        };
        // A chunk is always JSON.
        sse::data(&serde_json::to_string(&chunk).unwrap_or_default())
    }
}

impl StreamEncoder for Encoder {
    fn begin(&mut self) -> String {
        String::new()
    }

    fn delta(&mut self, choice: u32, delta: &Delta) -> String {
        if self.has_ended {
            return String::new();
        }
        if self.of_text.is_empty() {
            return self.added(choice, delta);
        }
        let delta = self.hold(choice, delta);
        if self.held_bytes > self.frame.max_held_bytes {
            let why = "More of the answer came at once than may be held.";
            return self.fail(&ErrorReply::malformed(why));
        }
        self.added(choice, &delta)
    }

    fn beat(&mut self) -> String {
        if self.has_ended {
            return String::new();
        }
        sse::comment("working")
    }

    fn end(&mut self, ending: &Ending) -> String {
        if std::mem::replace(&mut self.has_ended, true) {
            return String::new();
        }
        let mut text = String::new();
        if self.frame.request.include_usage() {
            text.push_str(&self.chunk(&[], Some(&ending.usage.to_value())));
        }
        if let Some(trailer) = &ending.trailer {
            text.push_str(&sse::comment(&format!("hone {trailer}")));
        }
        text.push_str("data: [DONE]\n\n");
        text
    }

    fn fail(&mut self, error: &ErrorReply) -> String {
        if std::mem::replace(&mut self.has_ended, true) {
            return String::new();
        }
        sse::data(&errors::openai(error))
    }
}
