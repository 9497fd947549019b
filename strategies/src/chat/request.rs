//! A chat request: the body a client sent, or one that a strategy makes from it.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::count::count;
use super::error::ChatError;
use super::foreign::Origin;
use super::lenient;
use super::memory::{Ledger, Memory};
use super::message::Message;

mod attachment;
mod conversation;
mod estimate;
mod fields;

pub use attachment::Attachment;
use conversation::Conversation;
use estimate::Estimate;
use fields::{Fields, Members};

const MESSAGES: &str = "messages";
/// The fields that become trees whatever the approach. Others are read only if they are short, as
/// numbers, switches and names are.
const READ: [&str; 12] = [
    "audio",
    "decoding",
    "functions",
    MESSAGES,
    "modalities",
    "model",
    "n",
    "response_format",
    "stop",
    "stream",
    "stream_options",
    "tools",
];

/// A chat request with every field its sender gave it. Cloning shares the messages.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// All fields but the messages, whose place is held by a null.
    fields: Arc<Fields>,
    messages: Arc<Conversation>,
    /// Whether its sender gave it system messages.
    has_instructions: bool,
    ledger: Ledger,
    /// What it was in the client's dialect, if that is another one.
    origin: Option<Arc<Origin>>,
}

impl PartialEq for ChatRequest {
    fn eq(&self, other: &Self) -> bool {
        self.fields == other.fields && self.messages == other.messages
    }
}

/// A request's JSON in pieces.
#[derive(Debug, Clone, Default)]
pub struct Segments {
    /// One behind the other.
    pub pieces: Vec<Bytes>,
    /// Bytes of those pieces that are this request's alone.
    pub own: usize,
}

impl Segments {
    fn written(&mut self, text: &mut String) {
        let piece = Bytes::from(std::mem::take(text));
        self.own = self.own.saturating_add(piece.len());
        self.pieces.push(piece);
    }
}

/// A field below this, in bytes, is copied rather than sent by itself.
const SHORT: usize = 1024;

impl ChatRequest {
    /// A request for `model` with only these messages.
    pub fn new(model: &str, messages: impl Into<Vec<Message>>) -> Self {
        let mut fields = Fields::default();
        fields.set("model", model.into());
        fields.set(MESSAGES, Value::Null);
        let messages = messages.into();
        Self {
            fields: Arc::new(fields),
            has_instructions: messages.iter().any(Message::is_instruction),
            messages: Conversation::new(messages),
            ledger: Ledger::default(),
            origin: None,
        }
    }

    /// The same request, which was `origin` in the client's dialect.
    #[must_use]
    pub fn with_origin(self, origin: Option<Arc<Origin>>) -> Self {
        Self { origin, ..self }
    }

    /// What it was in the client's dialect, unless that is chat.
    pub fn origin(&self) -> Option<&Arc<Origin>> {
        self.origin.as_ref()
    }

    /// Reads a request body and checks the fields that hone reads: `model`, `messages`, `n`,
    /// `stream` and `stream_options`.
    pub fn parse(body: &[u8]) -> Result<Self, ChatError> {
        Self::read(&Bytes::copy_from_slice(body), |_name| true, |_bytes| Ok(()))
    }

    /// The same for a stranger's `body`. What no strategy reads stays text, in the body's own
    /// memory; [`Self::get`] knows of it only if it is short. The rest becomes a tree, with the
    /// fields named in `params`, and `charge` is told before what that takes in bytes.
    ///
    /// # Errors
    ///
    /// What is wrong with the body, and what `charge` refuses it with.
    pub fn parse_within<E: From<ChatError>>(
        body: &Bytes,
        params: &[&str],
        charge: impl FnOnce(usize) -> Result<(), E>,
    ) -> Result<Self, E> {
        let is_read = |name: &str| READ.contains(&name) || params.contains(&name);
        Self::read(body, is_read, charge)
    }

    fn read<E: From<ChatError>>(
        body: &Bytes,
        is_read: impl Fn(&str) -> bool,
        charge: impl FnOnce(usize) -> Result<(), E>,
    ) -> Result<Self, E> {
        // Half of a surrogate pair stays in a conversation for good, once it is there.
        let mended = match lenient::mended(body) {
            Cow::Borrowed(_) => None,
            Cow::Owned(mended) => Some(Bytes::from(mended)),
        };
        let copied = mended.as_ref().map_or(0, Bytes::len);
        let body = mended.as_ref().unwrap_or(body);
        let members = Members::read(body)?;
        charge(members.weight(&is_read).saturating_add(copied))?;
        let (messages, fields) = members.split(body, is_read);
        let text = messages.ok_or_else(|| ChatError::field(MESSAGES, "`messages` is missing."))?;
        let messages = Conversation::written(conversation(text)?, body.slice_ref(text.as_bytes()));
        let optional = |name, wanted, accepts: fn(&Value) -> bool| {
            check(&fields, name, wanted, accepts, Presence::Optional)
        };
        check(
            &fields,
            "model",
            "a text",
            Value::is_string,
            Presence::Required,
        )?;
        optional("n", "an integer of at least 1", is_count)?;
        optional("stream", "true or false", Value::is_boolean)?;
        optional("stream_options", "an object", Value::is_object)?;
        Ok(Self {
            fields: Arc::new(fields),
            has_instructions: messages.messages.iter().any(Message::is_instruction),
            messages,
            ledger: Ledger::default(),
            origin: None,
        })
    }

    /// The request as JSON, fields in the order in which they were given.
    pub fn to_bytes(&self) -> Bytes {
        Bytes::from(self.to_segments().pieces.concat())
    }

    /// [`Self::to_bytes`] in pieces. All requests that share their messages share the memory of the
    /// piece that holds them, and a long field that is as the client wrote it stays in the body.
    pub fn to_segments(&self) -> Segments {
        let mut segments = Segments::default();
        let mut text = String::from("{");
        let mut separator = "";
        for (name, field) in self.fields.iter() {
            text.push_str(separator);
            text.push_str(&Value::from(name).to_string());
            text.push(':');
            if name == MESSAGES {
                segments.written(&mut text);
                segments.pieces.push(self.messages.to_json());
            } else if let Some(json) = field.as_sent().filter(|json| json.len() > SHORT) {
                segments.written(&mut text);
                segments.pieces.push(json.clone());
            } else {
                field.write(&mut text);
            }
            separator = ",";
        }
        text.push('}');
        segments.written(&mut text);
        segments
    }

    /// The model's name.
    pub fn model(&self) -> &str {
        self.get("model")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    /// Makes a client's seed another one, for one of several calls alike.
    pub(crate) fn raise_seed(&mut self, offset: i64) {
        if let Some(seed) = self.get("seed").and_then(Value::as_i64) {
            self.set("seed", seed.wrapping_add(offset));
        }
    }

    /// Asks another model.
    pub fn set_model(&mut self, model: &str) {
        // Copies of a request share their fields until one changes.
        if self.model() != model {
            self.set("model", model);
        }
    }

    /// The conversation.
    pub fn messages(&self) -> &[Message] {
        &self.messages.messages
    }

    /// The same request with another conversation, which takes its memory first.
    #[must_use]
    pub fn with_messages(&self, messages: impl Into<Vec<Message>>) -> Self {
        Self {
            fields: Arc::clone(&self.fields),
            messages: Conversation::counted(messages.into(), &self.ledger),
            has_instructions: self.has_instructions,
            ledger: self.ledger.clone(),
            origin: self.origin.clone(),
        }
    }

    /// Whether its sender gave it system messages. Those that were added since are none of those.
    pub(crate) fn has_instructions(&self) -> bool {
        self.has_instructions
    }

    /// The same request, of whose messages the memory is counted already. Every other conversation
    /// that is made from it takes its memory from `memory`.
    #[must_use]
    pub(crate) fn counted_in(self, memory: Arc<dyn Memory>) -> Self {
        let ledger = Ledger::new(memory, self.messages());
        Self { ledger, ..self }
    }

    /// Whether there was no memory for the conversation, which therefore cannot be sent.
    pub fn is_lost(&self) -> bool {
        self.messages.is_lost
    }

    /// Whether the answer is wanted as a stream.
    pub fn stream(&self) -> bool {
        self.get("stream").and_then(Value::as_bool).unwrap_or(false)
    }

    /// Whether a stream is to end with a chunk that reports usage.
    pub fn include_usage(&self) -> bool {
        self.get("stream_options")
            .and_then(|options| options.get("include_usage"))
            .and_then(Value::as_bool)
            .unwrap_or(false)
    }

    /// How many choices are wanted, at least one.
    pub fn n(&self) -> u32 {
        self.get("n")
            .and_then(Value::as_u64)
            .map_or(1, |n| u32::try_from(n).unwrap_or(u32::MAX).max(1))
    }

    /// The name and value of the client's own limit on generated tokens, `max_completion_tokens`
    /// before `max_tokens`.
    pub fn token_limit(&self) -> Option<(&'static str, u64)> {
        ["max_completion_tokens", "max_tokens"]
            .into_iter()
            .find_map(|name| Some((name, self.get(name)?.as_u64()?)))
    }

    /// The most tokens of one answer that the request allows: the larger of its two limits, because
    /// providers differ in which they obey. `None` without one that is a positive number.
    pub fn output_limit(&self) -> Option<u64> {
        let limit = |name| self.get(name).map(|value| value.as_u64().unwrap_or(0));
        let limits = [limit("max_completion_tokens"), limit("max_tokens")];
        if limits.contains(&Some(0)) {
            return None;
        }
        limits.into_iter().flatten().max()
    }

    /// The most tokens of one answer that some server may take the request to allow. Where it sets
    /// no limit, or one that is no positive number, that is at least `expected`.
    pub fn most_output(&self, expected: impl FnOnce() -> u64) -> u64 {
        let limit = |name| {
            let value = self.get(name)?;
            Some(count(&value.to_string()).unwrap_or(0))
        };
        let limits = [limit("max_completion_tokens"), limit("max_tokens")];
        let known = limits.into_iter().flatten();
        let most = known.clone().max().unwrap_or(0);
        if known.min().unwrap_or(0) == 0 {
            most.max(expected())
        } else {
            most
        }
    }

    /// The names of all fields but `messages`, in their order.
    pub fn field_names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name)
    }

    /// The field `name`, unless it is `messages` or null.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// The names of all fields, in their order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|(name, _)| name)
    }

    /// Sets a field other than `messages`.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        debug_assert_ne!(name, "messages", "messages are set by with_messages");
        Arc::make_mut(&mut self.fields).set(name, value.into());
    }

    /// Takes the field `name` out; the others keep their order. The messages cannot be taken.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        if name == MESSAGES || !self.fields.contains(name) {
            return None;
        }
        Arc::make_mut(&mut self.fields).take(name)
    }

    /// Takes the field `name` out, whatever its value.
    pub fn remove(&mut self, name: &str) {
        if name != MESSAGES && self.fields.contains(name) {
            drop(Arc::make_mut(&mut self.fields).remove(name));
        }
    }

    /// Whether the model may call tools, or the conversation already holds tool calls.
    pub(crate) fn uses_tools(&self) -> bool {
        let given = |name: &str| {
            self.get(name)
                .and_then(Value::as_array)
                .is_some_and(|tools| !tools.is_empty())
        };
        given("tools") || given("functions")
    }

    /// Whether spoken output is wanted.
    pub(crate) fn wants_audio(&self) -> bool {
        let audio = |kinds: &Vec<Value>| kinds.iter().any(|kind| kind == "audio");
        self.get("audio").is_some()
            || self
                .get("modalities")
                .and_then(Value::as_array)
                .is_some_and(audio)
    }

    /// Whether the answer must be JSON.
    pub(crate) fn wants_json(&self) -> bool {
        let kind = self
            .get("response_format")
            .and_then(|format| format.get("type"))
            .and_then(Value::as_str);
        kind.is_some_and(|kind| kind.starts_with("json"))
    }

    /// A rough count of the prompt's tokens: text bytes by four, and what an image, audio or file
    /// is taken to cost.
    pub fn estimated_prompt_tokens(&self) -> u64 {
        let tools = ["tools", "functions", "response_format"]
            .into_iter()
            .filter_map(|name| self.get(name));
        let mut estimate = Estimate::default();
        tools.for_each(|value| estimate.count(value));
        self.messages()
            .iter()
            .for_each(|message| estimate.message(message));
        estimate.tokens()
    }
}

#[derive(Clone, Copy)]
enum Presence {
    Optional,
    Required,
}

fn is_count(value: &Value) -> bool {
    value.as_u64().is_some_and(|n| n >= 1)
}

fn check(
    fields: &Fields,
    name: &str,
    wanted: &str,
    accepts: impl Fn(&Value) -> bool,
    presence: Presence,
) -> Result<(), ChatError> {
    match fields.get(name) {
        None | Some(Value::Null) => match presence {
            Presence::Optional => Ok(()),
            Presence::Required => Err(ChatError::field(name, format!("`{name}` is missing."))),
        },
        Some(value) if accepts(value) => Ok(()),
        Some(_) => Err(ChatError::field(
            name,
            format!("`{name}` must be {wanted}."),
        )),
    }
}

/// The messages of a conversation, as they were written.
fn conversation(json: &str) -> Result<Vec<Message>, ChatError> {
    let Value::Array(messages) = serde_json::from_str(json).map_err(|_error| unreadable())? else {
        return Err(ChatError::field(
            MESSAGES,
            "`messages` must be an array of messages.",
        ));
    };
    if messages.is_empty() {
        return Err(ChatError::field(MESSAGES, "`messages` must not be empty."));
    }
    messages.into_iter().enumerate().map(message).collect()
}

/// Of what is JSON, and yet no tree.
fn unreadable() -> ChatError {
    ChatError::field(
        MESSAGES,
        "`messages` holds a number that is too large, half a character, or lists and objects \
            nested too deep.",
    )
}

fn message((index, value): (usize, Value)) -> Result<Message, ChatError> {
    let param = format!("messages[{index}]");
    match value {
        Value::Object(fields) if fields.get("role").is_some_and(Value::is_string) => {
            Ok(Message::from_fields(fields))
        }
        Value::Object(_) => Err(ChatError::field(
            &format!("{param}.role"),
            format!("`{param}.role` must be a text."),
        )),
        _ => Err(ChatError::field(
            &param,
            format!("`{param}` must be an object."),
        )),
    }
}

#[cfg(test)]
mod tests;
