//! How many tokens a prompt is taken to have.

use serde_json::Value;

use crate::chat::{Attachment, Message};

/// Most bytes per token that an estimate assumes; prose has about four.
const BYTES_PER_TOKEN: u64 = 4;

/// What has been counted.
#[derive(Default)]
pub(super) struct Estimate {
    bytes: u64,
    /// Tokens.
    attachments: u64,
}

impl Estimate {
    pub(super) fn message(&mut self, message: &Message) {
        for (name, value) in message.fields() {
            match value {
                Value::Array(parts) if name == "content" => {
                    for part in parts {
                        self.part(part);
                    }
                }
                value => self.count(value),
            }
        }
    }

    fn part(&mut self, part: &Value) {
        match part.get("type").and_then(Value::as_str) {
            None | Some("text" | "refusal") => self.count(part),
            Some(kind) => self.attachments += Attachment::of_part(kind).tokens(longest_text(part)),
        }
    }

    pub(super) fn count(&mut self, value: &Value) {
        self.bytes += match value {
            Value::String(text) => text.len() as u64,
            Value::Array(values) => return values.iter().for_each(|value| self.count(value)),
            Value::Object(fields) => {
                self.bytes += fields.keys().map(|name| name.len() as u64).sum::<u64>();
                return fields.values().for_each(|value| self.count(value));
            }
            Value::Bool(_) | Value::Null | Value::Number(_) => BYTES_PER_TOKEN,
        };
    }

    pub(super) fn tokens(&self) -> u64 {
        (self.bytes.div_ceil(BYTES_PER_TOKEN) + self.attachments).max(1)
    }
}

/// Bytes of the longest text in `value`: of an attachment, its data.
fn longest_text(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(values) => values.iter().map(longest_text).max().unwrap_or(0),
        Value::Object(fields) => fields.values().map(longest_text).max().unwrap_or(0),
        Value::Bool(_) | Value::Null | Value::Number(_) => 0,
    }
}
