//! OpenAI's chat completions: the middle form itself.
//!
//! What a chat client sent goes to a chat upstream as it is. What came in another dialect is
//! lowered first to what chat upstreams take.

mod lower;
mod stream_in;
mod stream_out;

use hone_strategies::chat::{ChatRequest, Completion, Dialect, Failure, whole};
use serde_json::{Map, Value, json};

use crate::functions::{self, OfText};
use crate::marks::Names;
use crate::port::{Codec, Model, Route};
use crate::shape::{
    Encoded, ErrorReply, Frame, Losses, Refusal, Source, StreamDecoder, StreamEncoder, Target,
};
use crate::tables::errors;
use crate::wire::json::{document, str_of};
use crate::wire::models;

/// The codec of [`Dialect::OpenAiChat`].
#[derive(Debug)]
pub(crate) struct Chat;

impl Codec for Chat {
    fn dialect(&self) -> Dialect {
        Dialect::OpenAiChat
    }

    fn decode_request(&self, body: &[u8], _route: &Route<'_>) -> Result<ChatRequest, Refusal> {
        Ok(ChatRequest::parse(body)?)
    }

    fn encode_request(&self, request: &ChatRequest, target: &Target) -> Result<Encoded, Refusal> {
        let mut losses = Losses::default();
        let (mut request, names) = lower::lower(request, target, &mut losses)?;
        request.set_model(&target.model);
        Ok(Encoded {
            body: request.to_bytes().to_vec(),
            path: "/chat/completions".to_owned(),
            headers: Vec::new(),
            losses,
            names,
        })
    }

    fn decode_answer(&self, body: &[u8], source: &Source) -> Result<Completion, Box<ErrorReply>> {
        match whole(body) {
            Ok(Ok(answer)) => {
                for choice in &answer.choices {
                    let reason = choice.finish_reason.as_deref().unwrap_or_default();
                    functions::check(choice.message.tool_calls(), reason)?;
                }
                Ok(restored(answer, &source.names))
            }
            Ok(Err(failure)) => Err(Box::new(told(&failure))),
            Err(error) => Err(Box::new(ErrorReply::malformed(error.message))),
        }
    }

    fn encode_answer(&self, answer: &Completion, frame: &Frame) -> String {
        let of_text = OfText::of(&frame.request);
        let mut answer = if of_text.is_empty() {
            answer.to_value()
        } else {
            with_texts(answer, &of_text).to_value()
        };
        if let Some(fields) = answer.as_object_mut() {
            fields.insert("id".to_owned(), id(frame).into());
            fields.insert("created".to_owned(), frame.created.into());
            fields.insert("model".to_owned(), frame.model.as_str().into());
        }
        answer.to_string()
    }

    fn stream_decoder(&self, source: Source) -> Box<dyn StreamDecoder> {
        Box::new(stream_in::Decoder::new(source))
    }

    fn stream_encoder(&self, frame: Frame) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::new(frame))
    }

    fn encode_count(
        &self,
        _request: &ChatRequest,
        _target: &Target,
    ) -> Result<Option<Encoded>, Refusal> {
        Ok(None)
    }

    fn decode_count(&self, body: &[u8]) -> Option<u64> {
        document(body)?.get("input_tokens")?.as_u64()
    }

    fn encode_count_answer(&self, tokens: u64) -> String {
        json!({ "input_tokens": tokens }).to_string()
    }

    fn encode_models(&self, models: &[Model<'_>]) -> String {
        let data: Vec<Value> = models.iter().map(entry).collect();
        json!({"object": "list", "data": data}).to_string()
    }

    fn encode_model(&self, model: &Model<'_>) -> String {
        entry(model).to_string()
    }

    fn decode_models(&self, body: &[u8]) -> Option<Vec<(String, u64)>> {
        models::listed(body, "data", |entry| {
            let created = entry.get("created").and_then(Value::as_u64);
            (str_of(entry, "id"), created.unwrap_or_default())
        })
    }
}

fn entry(model: &Model<'_>) -> Value {
    let (id, created) = (model.id, model.created);
    json!({"id": id, "object": "model", "created": created, "owned_by": "hone"})
}

/// The answer with calls of tools that take a text, as their client knows them.
fn with_texts(answer: &Completion, of_text: &OfText) -> Completion {
    let mut answer = answer.clone();
    for choice in &mut answer.choices {
        if let Some(Value::Array(calls)) = choice.message.tool_calls() {
            let calls: Vec<Value> = calls.iter().map(|call| of_text.restored(call)).collect();
            choice.message = choice.message.with("tool_calls", calls);
        }
    }
    answer
}

fn id(frame: &Frame) -> String {
    format!("chatcmpl-{}", frame.seed)
}

/// What an upstream tells instead of an answer.
fn told(failure: &Failure) -> ErrorReply {
    let document = serde_json::from_slice(&failure.body).unwrap_or_default();
    errors::from_document(Dialect::OpenAiChat, failure.status, &document)
}

/// The answer with its calls under the client's names.
fn restored(mut answer: Completion, names: &Names) -> Completion {
    if names.is_empty() {
        return answer;
    }
    for choice in &mut answer.choices {
        if let Some(Value::Array(calls)) = choice.message.tool_calls() {
            let mut calls = calls.clone();
            for call in &mut calls {
                rename(call, names);
            }
            choice.message = choice.message.with("tool_calls", calls);
        }
    }
    answer
}

/// Gives a call the client's name of its tool.
fn rename(call: &mut Value, names: &Names) {
    let name = call
        .get_mut("function")
        .and_then(|function| function.get_mut("name"));
    if let Some(Value::String(name)) = name {
        names.here(name).to_owned().clone_into(name);
    }
}

/// The members of a call's function.
fn function(call: &mut Value) -> Option<&mut Map<String, Value>> {
    call.get_mut("function")?.as_object_mut()
}
