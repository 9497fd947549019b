//! Chunks, written for a client.

use hone_strategies::chat::Delta;
use serde_json::{Value, json};

use crate::shape::{Ending, ErrorReply, Frame, StreamEncoder};
use crate::tables::errors;
use crate::wire::sse;

pub(super) struct Encoder {
    frame: Frame,
    has_ended: bool,
}

impl Encoder {
    pub(super) fn new(frame: Frame) -> Self {
        Self {
            frame,
            has_ended: false,
        }
    }

    fn chunk(&self, choices: &Value, usage: Option<Value>) -> String {
        let mut chunk = json!({
            "id": super::id(&self.frame),
            "object": "chat.completion.chunk",
            "created": self.frame.created,
            "model": self.frame.model,
            "choices": choices,
        });
        if let (Some(usage), Some(fields)) = (usage, chunk.as_object_mut()) {
            fields.insert("usage".to_owned(), usage);
        }
        sse::data(&chunk)
    }
}

impl StreamEncoder for Encoder {
    fn begin(&mut self) -> String {
        String::new()
    }

    fn delta(&mut self, choice: u32, delta: &Delta) -> String {
        if self.has_ended || (delta.fields.is_empty() && delta.finish_reason.is_none()) {
            return String::new();
        }
        let usage = self.frame.request.include_usage().then_some(Value::Null);
        self.chunk(&json!([delta.to_value(choice)]), usage)
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
            text.push_str(&self.chunk(&json!([]), Some(ending.usage.to_value())));
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
