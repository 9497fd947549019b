//! OpenAI's Responses.

mod answer_in;
mod answer_out;
mod content_in;
mod content_out;
mod events;
mod fields_in;
mod items_in;
mod items_out;
mod object;
mod request_in;
mod request_out;
mod said;
mod step;
mod stream_in;
mod stream_item;
mod stream_open;
mod stream_out;
mod tools;
mod tools_in;
mod tools_out;

use hone_strategies::chat::{ChatRequest, Completion, Dialect};
use serde_json::{Value, json};

use crate::chat::Chat;
use crate::port::{Codec, Model, Route};
use crate::shape::{
    Encoded, ErrorReply, Frame, Refusal, Source, StreamDecoder, StreamEncoder, Target,
};
use crate::wire::json::document;

/// The codec of [`Dialect::OpenAiResponses`].
#[derive(Debug)]
pub(crate) struct Responses;

/// What a counter of tokens takes of a request.
const COUNTED: [&str; 8] = [
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
];

impl Codec for Responses {
    fn dialect(&self) -> Dialect {
        said::OWN
    }

    fn decode_request(&self, body: &[u8], _route: &Route<'_>) -> Result<ChatRequest, Refusal> {
        request_in::decode(body)
    }

    fn encode_request(&self, request: &ChatRequest, target: &Target) -> Result<Encoded, Refusal> {
        request_out::encode(request, target)
    }

    fn decode_answer(&self, body: &[u8], source: &Source) -> Result<Completion, Box<ErrorReply>> {
        answer_in::decode(body, source)
    }

    fn encode_answer(&self, answer: &Completion, frame: &Frame) -> String {
        answer_out::encode(answer, frame).to_string()
    }

    fn stream_decoder(&self, source: Source) -> Box<dyn StreamDecoder> {
        Box::new(stream_in::Decoder::new(source))
    }

    fn stream_encoder(&self, frame: Frame) -> Box<dyn StreamEncoder> {
        Box::new(stream_out::Encoder::new(frame))
    }

    fn encode_count(
        &self,
        request: &ChatRequest,
        target: &Target,
    ) -> Result<Option<Encoded>, Refusal> {
        let mut encoded = request_out::encode(request, target)?;
        if let Some(Value::Object(mut fields)) = document(&encoded.body) {
            fields.retain(|name, _| COUNTED.contains(&name.as_str()));
            encoded.body = Value::Object(fields).to_string().into_bytes();
        }
        "/responses/input_tokens".clone_into(&mut encoded.path);
        Ok(Some(encoded))
    }

    fn decode_count(&self, body: &[u8]) -> Option<u64> {
        document(body)?.get("input_tokens")?.as_u64()
    }

    fn encode_count_answer(&self, tokens: u64) -> String {
        json!({"object": "response.input_tokens", "input_tokens": tokens}).to_string()
    }

    fn encode_models(&self, models: &[Model<'_>]) -> String {
        Chat.encode_models(models)
    }

    fn encode_model(&self, model: &Model<'_>) -> String {
        Chat.encode_model(model)
    }

    fn decode_models(&self, body: &[u8]) -> Option<Vec<(String, u64)>> {
        Chat.decode_models(body)
    }
}
