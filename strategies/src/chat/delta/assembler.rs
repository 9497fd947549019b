//! Chunks, put together again.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Chunk, ChunkChoice};
use crate::chat::completion::{Choice, Completion};
use crate::chat::foreign::Native;
use crate::chat::logprobs::Logprobs;
use crate::chat::merge::merge;
use crate::chat::message::Message;
use crate::chat::reported::Reported;
use crate::chat::usage::Usage;

/// Puts a stream's chunks together to the completion that they spell.
#[derive(Debug, Default)]
pub struct Assembler {
    choices: Vec<Partial>,
    usage: Option<Usage>,
    reported: Reported,
    rest: Map<String, Value>,
}

#[derive(Debug)]
struct Partial {
    index: u32,
    message: Value,
    finish_reason: Option<String>,
    logprobs: Option<Logprobs>,
    native: Option<Arc<Native>>,
    rest: Map<String, Value>,
    /// Whether two makers have written it, so that it is neither's.
    is_mixed: bool,
}

impl Assembler {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next chunk.
    pub fn push(&mut self, chunk: Chunk) {
        // What a provider finds out on the way, sources say, comes with later chunks.
        if chunk.rest.len() > self.rest.len() {
            self.rest = chunk.rest;
        }
        self.usage = chunk.usage.or(self.usage);
        if !chunk.reported.is_empty() {
            // Like the count, it is of the whole answer so far.
            self.reported = chunk.reported;
        }
        for ChunkChoice { index, delta } in chunk.choices {
            let partial = self.partial(index);
            merge(&mut partial.message, Value::Object(delta.fields), "");
            match (&mut partial.logprobs, delta.logprobs) {
                (_, None) => {}
                (Some(whole), Some(more)) => whole.append(more),
                (none, more) => *none = more.map(Logprobs::packed),
            }
            if let Some(more) = delta.native.filter(|_| !partial.is_mixed) {
                partial.native = match partial.native.take() {
                    None => Some(more),
                    Some(told) => Native::append(told, &more),
                };
                partial.is_mixed = partial.native.is_none();
            }
            partial
                .rest
                .extend(delta.rest.into_iter().flat_map(|rest| *rest));
            partial.finish_reason = delta.finish_reason.or(partial.finish_reason.take());
        }
    }

    /// Adds the next chunk, which goes on elsewhere.
    pub fn hear(&mut self, chunk: &Chunk) {
        if !self.goes_on(chunk) {
            self.push(chunk.clone());
        }
    }

    /// Adds a piece of a text that has begun, which nearly all chunks are. Gives whether it is one.
    fn goes_on(&mut self, chunk: &Chunk) -> bool {
        let Chunk {
            choices,
            usage: None,
            reported,
            rest,
        } = chunk
        else {
            return false;
        };
        let [ChunkChoice { index, delta }] = &**choices else {
            return false;
        };
        if !reported.is_empty() || rest.len() > self.rest.len() {
            return false;
        }
        let Some(more) = delta.text_alone() else {
            return false;
        };
        let mut partials = self.choices.iter_mut();
        let partial = partials.find(|partial| partial.index == *index);
        let said = partial.and_then(|partial| partial.message.get_mut("content"));
        let Some(Value::String(said)) = said else {
            return false;
        };
        said.push_str(more);
        true
    }

    fn partial(&mut self, index: u32) -> &mut Partial {
        let at = self
            .choices
            .partition_point(|partial| partial.index < index);
        if self
            .choices
            .get(at)
            .is_none_or(|partial| partial.index != index)
        {
            // Nearly all answers have one.
            self.choices.reserve_exact(1);
            let partial = Partial {
                index,
                message: json!({}),
                finish_reason: None,
                logprobs: None,
                native: None,
                rest: Map::new(),
                is_mixed: false,
            };
            self.choices.insert(at, partial);
        }
        #[expect(
            clippy::indexing_slicing,
            reason = "the line above puts a choice there"
        )]
        &mut self.choices[at]
    }

    /// Whether every choice that began has ended.
    pub fn is_complete(&self) -> bool {
        !self.choices.is_empty()
            && self
                .choices
                .iter()
                .all(|partial| partial.finish_reason.is_some())
    }

    /// The completion so far. A choice that was cut off has no finish reason.
    pub fn finish(self) -> Completion {
        let rest = Arc::new(self.rest);
        let choices = self
            .choices
            .into_iter()
            .map(|partial| partial.finish(&rest))
            .collect();
        Completion {
            choices,
            usage: self.usage,
            reported: self.reported,
            rest,
        }
    }
}

impl Partial {
    fn finish(self, beside: &Arc<Map<String, Value>>) -> Choice {
        let mut fields = Map::from_iter([
            ("role".to_owned(), Value::from("assistant")),
            ("content".to_owned(), Value::Null),
        ]);
        if let Value::Object(message) = self.message {
            fields.extend(message);
        }
        for call in fields
            .get_mut("tool_calls")
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            call.as_object_mut()
                .and_then(|call| call.shift_remove("index"));
        }
        Choice {
            index: self.index,
            message: Message::from_fields(fields).with_native(self.native),
            finish_reason: self.finish_reason,
            logprobs: self.logprobs,
            rest: self.rest,
            beside: Arc::clone(beside),
        }
    }
}
