//! Anthropic's Messages.

mod answer;
mod blocks_out;
mod content_in;
mod reasoning;
mod request_in;
mod request_out;
mod schema;
mod stream_in;
mod stream_out;
mod tools_in;
mod tools_out;
mod turns_in;
mod turns_out;

use hone_strategies::chat::{ChatRequest, Completion, Dialect};
use serde_json::{Value, json};

use crate::port::{Codec, Model, Route};
use crate::shape::{
    Encoded, ErrorReply, Frame, Refusal, Source, StreamDecoder, StreamEncoder, Target,
};
use crate::wire::date::{date, seconds};
use crate::wire::json::{document, str_of};
use crate::wire::models;

/// The codec of [`Dialect::Anthropic`].
#[derive(Debug)]
pub(crate) struct Anthropic;

/// What a counter of tokens takes of a request.
const COUNTED: [&str; 7] = [
    "messages",
    "model",
    "output_config",
    "system",
    "thinking",
    "tool_choice",
    "tools",
];

impl Codec for Anthropic {
    fn dialect(&self) -> Dialect {
        Dialect::Anthropic
    }

    fn decode_request(&self, body: &[u8], route: &Route<'_>) -> Result<ChatRequest, Refusal> {
        request_in::decode(body, route)
    }

    fn encode_request(&self, request: &ChatRequest, target: &Target) -> Result<Encoded, Refusal> {
        request_out::encode(request, target)
    }

    fn decode_answer(&self, body: &[u8], source: &Source) -> Result<Completion, Box<ErrorReply>> {
        answer::decode(body, source)
    }

    fn encode_answer(&self, answer: &Completion, frame: &Frame) -> String {
        answer::encode(answer, frame).to_string()
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
        "/messages/count_tokens".clone_into(&mut encoded.path);
        Ok(Some(encoded))
    }

    fn decode_count(&self, body: &[u8]) -> Option<u64> {
        document(body)?.get("input_tokens")?.as_u64()
    }

    fn encode_count_answer(&self, tokens: u64) -> String {
        json!({ "input_tokens": tokens }).to_string()
    }

    fn encode_models(&self, models: &[Model<'_>]) -> String {
        let data: Vec<Value> = models.iter().map(entry).collect();
        let id = |model: Option<&Model<'_>>| model.map(|model| model.id.to_owned());
        json!({
            "data": data,
            "has_more": false,
            "first_id": id(models.first()),
            "last_id": id(models.last()),
        })
        .to_string()
    }

    fn encode_model(&self, model: &Model<'_>) -> String {
        entry(model).to_string()
    }

    fn decode_models(&self, body: &[u8]) -> Option<Vec<(String, u64)>> {
        models::listed(body, "data", |entry| {
            let created = seconds(str_of(entry, "created_at"));
            (str_of(entry, "id"), created.unwrap_or_default())
        })
    }
}

fn entry(model: &Model<'_>) -> Value {
    json!({"type": "model", "id": model.id, "display_name": model.id,
        "created_at": date(model.created)})
}
