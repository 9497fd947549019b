//! What the prompts of a run may take in memory.
//!
//! A strategy makes prompts from answers, and each may hold a megabyte of them, many at once. So
//! every conversation that is made from the client's takes its memory before it is kept. One for
//! which there is none stays empty, and the call that would send it fails.

use std::any::Any;
use std::sync::Arc;

use serde_json::Value;

use super::message::Message;
use super::weight::tree_bytes;

/// Memory that is counted by the application that embeds this crate.
pub trait Memory: Send + Sync {
    /// Takes `bytes` until what it gives is dropped; nothing if there are not so many.
    fn take(&self, bytes: usize) -> Option<Held>;
}

/// Memory that has been taken. Dropping it gives it back.
pub type Held = Box<dyn Any + Send + Sync>;

/// Where a request's conversations take their memory, if anywhere.
#[derive(Clone, Default)]
pub(super) struct Ledger(Option<Arc<Counted>>);

struct Counted {
    memory: Arc<dyn Memory>,
    /// Whose memory is counted elsewhere.
    own: Vec<Message>,
}

impl Ledger {
    /// Counts in `memory` all that is made beside the messages of the client's `own`.
    pub(super) fn new(memory: Arc<dyn Memory>, own: &[Message]) -> Self {
        let own = own.to_vec();
        Self(Some(Arc::new(Counted { memory, own })))
    }

    /// Takes the memory of `messages` and of their JSON. `Err` if there is none.
    pub(super) fn take(&self, messages: &[Message]) -> Result<Option<Held>, NoMemory> {
        let Some(Counted { memory, own }) = self.0.as_deref() else {
            return Ok(None);
        };
        let mut own = own.iter();
        let mut bytes = 0_usize;
        for message in messages {
            // Those that are the client's own stand in their order.
            let mut later = own.clone();
            if later.any(|own| own.is_same(message)) {
                own = later;
            } else {
                let native = message.native().map_or(0, |native| native.bytes());
                bytes = bytes.saturating_add(tree_bytes(message.as_value()));
                bytes = bytes.saturating_add(native);
            }
            bytes = bytes.saturating_add(json_length(message.as_value()));
        }
        memory.take(bytes).map(Some).ok_or(NoMemory)
    }
}

/// There is no memory for a conversation.
pub(super) struct NoMemory;

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ledger")
    }
}

/// At least the length of `value` as JSON, with the comma behind it. Nothing is written for that:
/// a number is taken for as long as one can be, and every escape for `\u` and four digits.
pub(super) fn json_length(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) => 6,
        Value::Number(_) => NUMBER,
        Value::String(text) => text_length(text),
        Value::Array(values) => 3 + values.iter().map(json_length).sum::<usize>(),
        Value::Object(members) => {
            let each = |(name, value): (&String, &Value)| text_length(name) + json_length(value);
            3 + members.iter().map(each).sum::<usize>()
        }
    }
}

/// The longest number, with a comma: `-1.7976931348623157e308`.
const NUMBER: usize = 24;

fn text_length(text: &str) -> usize {
    // Sums of bytes, and no jumps: both can be done by vectors.
    let is = |byte: &u8, other| u8::from(*byte == other);
    let escaped = |byte: &u8| u8::from(*byte < b' ') | is(byte, b'"') | is(byte, b'\\');
    let sum = |part: &[u8]| usize::from(part.iter().map(escaped).sum::<u8>());
    let escaped: usize = text.as_bytes().chunks(u8::MAX.into()).map(sum).sum();
    3 + text.len() + 5 * escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_json_is_longer_than_it_is_taken_for(
            text in any::<String>(), name in any::<String>(), number in any::<f64>(),
            integer in any::<i64>(),
        ) {
            let value = serde_json::json!({
                name: [text.clone(), number, integer, null, true, false, {}, []], "text": text,
            });
            let written = value.to_string().len() + 1;
            prop_assert!((written..6 * written + 100).contains(&json_length(&value)));
        }
    }
}
