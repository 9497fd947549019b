//! A streamed answer: `chat.completion.chunk`, and putting chunks together again.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::completion::reason;
use super::foreign::Native;
use super::logprobs::Logprobs;
use super::reported::Reported;
use super::usage::Usage;
use super::weight::{members_bytes, tree_bytes};

mod assembler;
mod written;

pub use assembler::Assembler;
pub use written::{Added, WrittenChunk};

/// One chunk of a stream.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chunk {
    /// What was added to which choice.
    pub choices: Vec<ChunkChoice>,
    /// The usage of the whole answer; on the last chunk of a stream that was asked for it.
    pub usage: Option<Usage>,
    /// What the provider says of it beside the tokens.
    pub reported: Reported,
    /// Everything else the provider said: `id`, `model` and so on.
    pub rest: Map<String, Value>,
}

/// What a chunk adds to one choice.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkChoice {
    /// The choice.
    pub index: u32,
    /// What is added.
    pub delta: Delta,
}

/// An addition to one choice.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delta {
    /// The fields of OpenAI's `delta` object: `role`, `content`, `tool_calls` and so on.
    pub fields: Map<String, Value>,
    /// Why the model stopped, on a choice's last delta.
    pub finish_reason: Option<String>,
    /// Token log probabilities of this addition.
    pub logprobs: Option<Logprobs>,
    /// What this addition, or what it completes, is in the dialect of the model that made it.
    pub native: Option<Arc<Native>>,
    /// What else the provider says of the choice's end, on its last delta: a part of
    /// [`Choice::rest`](crate::chat::Choice::rest).
    pub rest: Option<Box<Map<String, Value>>>,
}

impl Chunk {
    /// A chunk that adds `delta` to the choice `index`.
    pub fn of(index: u32, delta: Delta) -> Self {
        Self {
            choices: vec![ChunkChoice { index, delta }],
            ..Self::default()
        }
    }

    /// The chunk with these members, if they are one's: without choices it has the token use, or a
    /// chunk's name.
    pub(super) fn from_fields(mut rest: Map<String, Value>) -> Option<Self> {
        let report = rest.shift_remove("usage").unwrap_or_default();
        let usage = Usage::parse(&report);
        let choices = rest.shift_remove("choices");
        let is_chunk = choices.is_some() || usage.is_some() || rest.contains_key("object");
        let choices = match choices {
            Some(Value::Array(choices)) => choices
                .into_iter()
                .enumerate()
                .filter_map(ChunkChoice::from_value)
                .collect(),
            _ => Vec::new(),
        };
        is_chunk.then_some(Self {
            choices,
            usage,
            reported: Reported::parse(&report),
            rest,
        })
    }
}

/// What putting together a stream's answer takes in memory.
#[derive(Debug, Default)]
pub struct Kept {
    /// The choices below 128 that have begun.
    begun: u128,
    /// The bytes beside the choices of the chunk that has most there.
    rest: usize,
    /// The calls below 128 that have begun, of the first choices.
    calls: [u128; CHOICES],
}

/// Choices of which pieces of calls are known to be such.
const CHOICES: usize = 16;

impl Kept {
    /// The bytes that `chunk` adds to the answer. Its frame counts for nothing: of an answer of
    /// many chunks it is most.
    pub fn add(&mut self, chunk: &Chunk) -> usize {
        let rest = self.rest.max(members_bytes(&chunk.rest));
        let mut bytes = rest - std::mem::replace(&mut self.rest, rest);
        for ChunkChoice { index, delta } in &chunk.choices {
            let bit = 1_u128.checked_shl(*index).unwrap_or(0);
            if bit == 0 || self.begun & bit == 0 {
                self.begun |= bit;
                bytes = bytes.saturating_add(CHOICE);
            }
            let logprobs = delta.logprobs.as_ref().map_or(0, Logprobs::bytes);
            let native = delta.native.as_deref().map_or(0, Native::bytes);
            let rest = delta.rest.as_deref().map_or(0, members_bytes);
            let mut none = u128::MAX;
            let place = usize::try_from(*index).unwrap_or(usize::MAX);
            let begun = self.calls.get_mut(place).unwrap_or(&mut none);
            let fields = delta.fields.iter().map(|(name, value)| match value {
                Value::String(text) => text.len(),
                Value::Array(calls) if name == "tool_calls" => calls_bytes(calls, begun, place),
                other => tree_bytes(other),
            });
            bytes = bytes
                .saturating_add(fields.sum::<usize>())
                .saturating_add(logprobs)
                .saturating_add(native)
                .saturating_add(rest);
        }
        bytes
    }
}

/// What additions to calls add to an answer: of a call that has begun, its arguments alone.
fn calls_bytes(calls: &[Value], begun: &mut u128, choice: usize) -> usize {
    let each = calls.iter().map(|call| {
        let number = call.get("index").and_then(Value::as_u64);
        let bit = number.and_then(|number| 1_u128.checked_shl(u32::try_from(number).ok()?));
        match (bit, piece(call)) {
            (Some(bit), Some(arguments)) if choice < CHOICES && *begun & bit != 0 => {
                arguments.len()
            }
            (bit, _) => {
                *begun |= bit.unwrap_or(0);
                tree_bytes(call)
            }
        }
    });
    each.sum()
}

/// The arguments that an addition to a call is, if it is nothing else.
fn piece(call: &Value) -> Option<&str> {
    let call = call.as_object()?;
    let is_known = |name: &String| matches!(name.as_str(), "index" | "function");
    let function = call.get("function")?.as_object()?;
    let is_piece = call.keys().all(is_known) && function.len() == 1;
    function.get("arguments")?.as_str().filter(|_| is_piece)
}

/// A choice with nothing in it, and room for a few fields.
const CHOICE: usize = 1024;

impl ChunkChoice {
    fn from_value((position, value): (usize, Value)) -> Option<Self> {
        let Value::Object(mut fields) = value else {
            return None;
        };
        let index = fields
            .get("index")
            .and_then(Value::as_u64)
            .unwrap_or(position as u64);
        // A completion in place of a chunk adds its message.
        let delta = match (fields.shift_remove("delta"), fields.shift_remove("message")) {
            (Some(Value::Object(delta)), _) | (_, Some(Value::Object(delta))) => delta,
            _ => Map::new(),
        };
        let finish_reason = fields.shift_remove("finish_reason").and_then(reason);
        let logprobs = Logprobs::told(fields.shift_remove("logprobs"));
        Some(
            Self {
                index: u32::try_from(index).ok()?,
                delta: Delta {
                    fields,
                    finish_reason,
                    logprobs,
                    native: None,
                    rest: None,
                },
            }
            .with_fields(delta),
        )
    }

    fn with_fields(mut self, fields: Map<String, Value>) -> Self {
        self.delta.fields = fields;
        self
    }
}

impl Delta {
    /// An addition of one field.
    pub fn field(name: &str, value: impl Into<Value>) -> Self {
        let mut fields = Map::new();
        fields.insert(name.to_owned(), value.into());
        Self {
            fields,
            ..Self::default()
        }
    }

    /// Text added to the answer.
    pub fn content(text: impl Into<String>) -> Self {
        Self::field("content", text.into())
    }

    /// The end of a choice.
    pub fn finish(reason: &str) -> Self {
        Self {
            finish_reason: Some(reason.to_owned()),
            ..Self::default()
        }
    }

    /// The piece of the answer's text that is all of it, if it is one.
    fn text_alone(&self) -> Option<&str> {
        let Self {
            fields,
            finish_reason: None,
            logprobs: None,
            native: None,
            rest: None,
        } = self
        else {
            return None;
        };
        match fields.get("content") {
            Some(Value::String(text)) if fields.len() == 1 => Some(text),
            _ => None,
        }
    }

    /// Whether a client would see nothing in it.
    pub fn is_empty(&self) -> bool {
        self.fields.is_empty()
            && self.finish_reason.is_none()
            && self.logprobs.is_none()
            && self.native.is_none()
            && self.rest.is_none()
    }
}

#[cfg(test)]
mod tests;
