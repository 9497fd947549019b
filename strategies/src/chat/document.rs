//! The one reader of what upstreams send in answer to a chat request: a document, or the data of an
//! event.
//!
//! Servers that speak OpenAI's API differ in what stands around an answer: errors with status 200,
//! chunks without choices, words that are no JSON, finish reasons that are none. Whatever can be
//! taken for a part of an answer is; what is none is skipped; a failure is told in the upstream's
//! own words.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::completion::{Choice, Completion};
use super::delta::{Chunk, ChunkChoice, Delta};
use super::error::ChatError;
use super::lenient;

mod plain;

/// A failure that an upstream tells where an answer was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The HTTP status that goes with it: the one that it names, else 502.
    pub status: u16,
    /// What the upstream said, as a document with the member `error`.
    pub body: Bytes,
}

/// What an event of a stream says.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// Something is added to the answer, or to what stands beside it.
    Chunk(Chunk),
    /// The upstream failed.
    Failure(Failure),
    /// Nothing that belongs to an answer.
    Nothing,
}

impl Said {
    /// Reads an event's data.
    ///
    /// # Errors
    ///
    /// JSON that breaks off or is none: a part of the answer may have been lost.
    pub fn read(data: &[u8]) -> Result<Self, ChatError> {
        plain::read(data).map_or_else(|| Self::read_whole(data), |chunk| Ok(Self::Chunk(chunk)))
    }

    fn read_whole(data: &[u8]) -> Result<Self, ChatError> {
        let Some(document) = parse(data)? else {
            return Ok(Self::Nothing);
        };
        if let Some(failure) = Failure::found(&document) {
            return Ok(Self::Failure(failure));
        }
        let Value::Object(fields) = document else {
            return Ok(Self::Nothing);
        };
        Ok(Chunk::from_fields(fields).map_or(Self::Nothing, Self::Chunk))
    }
}

/// Reads a whole answer.
///
/// # Errors
///
/// The upstream's failure, if it tells one. Else what was found that is no answer.
pub fn whole(body: &[u8]) -> Result<Result<Completion, Failure>, ChatError> {
    let Some(document) = parse(body)? else {
        let begin = body.trim_ascii_start();
        let kind = match begin.first() {
            None => "an empty body",
            Some(b'<') => "an HTML or XML document",
            Some(_) => "a text that is no JSON",
        };
        return Err(ChatError::body(format!(
            "A completion was asked for; {kind} came."
        )));
    };
    if let Some(failure) = Failure::found(&document) {
        return Ok(Err(failure));
    }
    match document {
        Value::Object(fields) => Completion::from_fields(fields).map(Ok),
        _ => Err(ChatError::body(
            "A completion was asked for; a JSON array came.",
        )),
    }
}

impl Chunk {
    /// Reads the data of one event. A failure, or anything else that is no chunk, is none.
    pub fn parse(data: &[u8]) -> Result<Self, ChatError> {
        match Said::read(data)? {
            Said::Chunk(chunk) => Ok(chunk),
            Said::Failure(_) | Said::Nothing => Err(ChatError::body("It is no chunk.")),
        }
    }
}

impl Completion {
    /// Reads a completion. A failure, or anything else without `choices`, is none.
    pub fn parse(body: &[u8]) -> Result<Self, ChatError> {
        whole(body)?.map_err(|_failure| ChatError::field("error", "The completion is an error."))
    }

    /// The completion as one chunk that adds all of it.
    pub fn into_chunk(self) -> Chunk {
        let choices = self.choices.into_iter().map(ChunkChoice::whole).collect();
        Chunk {
            choices,
            usage: self.usage,
            reported: self.reported,
            rest: Arc::unwrap_or_clone(self.rest),
        }
    }
}

impl ChunkChoice {
    fn whole(choice: Choice) -> Self {
        let native = choice.message.native().cloned();
        let rest = choice.said_of_end();
        let mut fields = choice.message.fields().clone();
        let calls = fields.get_mut("tool_calls").and_then(Value::as_array_mut);
        for (index, call) in calls.into_iter().flatten().enumerate() {
            if let Some(call) = call.as_object_mut() {
                call.shift_insert(0, "index".to_owned(), index.into());
            }
        }
        let delta = Delta {
            fields,
            finish_reason: choice.finish_reason,
            logprobs: choice.logprobs,
            native,
            rest,
        };
        Self {
            index: choice.index,
            delta,
        }
    }
}

/// The document that `data` is, or nothing if it does not look like one.
fn parse(data: &[u8]) -> Result<Option<Value>, ChatError> {
    let data = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    match data.trim_ascii_start().first() {
        Some(b'{' | b'[') => {
            let read = lenient::read(data);
            read.map(Some).map_err(|error| ChatError::json(&error))
        }
        _ => Ok(None),
    }
}

impl Failure {
    /// The failure that `document` tells anywhere: as its `error`, in an array around it, or in a
    /// choice, by an `error` or by the finish reason of that name.
    fn found(document: &Value) -> Option<Self> {
        let document = match document {
            Value::Array(documents) => documents.first()?,
            document => document,
        };
        let error = document.get("error").filter(|error| says_something(error));
        let choices = document.get("choices").and_then(Value::as_array);
        let in_a_choice = || {
            let mut choices = choices.into_iter().flatten();
            choices.find_map(|choice| {
                let error = choice.get("error").filter(|error| says_something(error));
                let has_failed = choice
                    .get("finish_reason")
                    .is_some_and(|reason| reason == "error");
                error.or(has_failed.then_some(&Value::Null))
            })
        };
        Some(Self::of(error.or_else(in_a_choice)?))
    }

    fn of(error: &Value) -> Self {
        let named = ["code", "status", "status_code", "http_code"];
        let status = named.iter().find_map(|name| status(error.get(name)?));
        let error = match error {
            Value::Object(fields) => Value::Object(fields.clone()),
            Value::String(text) => json!({"message": text}),
            _ => json!({"message": "The upstream broke off its answer with an error."}),
        };
        Self {
            status: status.unwrap_or(502),
            body: json!({"error": error}).to_string().into(),
        }
    }
}

/// Whether an `error` is one: some upstreams have an empty one beside each answer.
fn says_something(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => !fields.is_empty() && !is_no_error(fields),
        Value::Array(errors) => !errors.is_empty(),
        Value::Bool(true) => true,
        Value::Number(number) => number.as_i64() != Some(0),
    }
}

/// `{"code": 0, "message": ""}` and the like.
fn is_no_error(fields: &Map<String, Value>) -> bool {
    fields.values().all(|value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty() || text == "0",
        Value::Number(number) => number.as_i64() == Some(0),
        _ => false,
    })
}

fn status(code: &Value) -> Option<u16> {
    let number = match code {
        Value::String(text) => text.parse().ok()?,
        code => code.as_u64()?,
    };
    u16::try_from(number)
        .ok()
        .filter(|status| (400..600).contains(status))
}
