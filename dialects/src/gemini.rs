//! Google's `generateContent`.

mod answer_in;
mod answer_out;
mod candidate_out;
mod config_in;
mod config_out;
mod documents;
mod fields;
mod logprobs;
mod parts_in;
mod parts_out;
mod request_in;
mod request_out;
mod schema;
mod signature;
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
use crate::wire::json::{document, str_of};
use crate::wire::models;
use crate::wire::verb::{Verb, path_of};

/// The codec of [`Dialect::Gemini`].
#[derive(Debug)]
pub(crate) struct Gemini;

/// What a counter of tokens does not take of a request.
const NOT_COUNTED: [&str; 4] = ["safetySettings", "labels", "serviceTier", "store"];

impl Codec for Gemini {
    fn dialect(&self) -> Dialect {
        Dialect::Gemini
    }

    fn decode_request(&self, body: &[u8], route: &Route<'_>) -> Result<ChatRequest, Refusal> {
        request_in::decode(body, route)
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
            fields.retain(|name, _| !NOT_COUNTED.contains(&name.as_str()));
            fields.insert(
                "model".to_owned(),
                format!("models/{}", target.model).into(),
            );
            let body = json!({ "generateContentRequest": fields });
            encoded.body = body.to_string().into_bytes();
        }
        encoded.path = path_of(request_out::VERSION, &target.model, Verb::CountTokens);
        Ok(Some(encoded))
    }

    fn decode_count(&self, body: &[u8]) -> Option<u64> {
        document(body)?.get("totalTokens")?.as_u64()
    }

    fn encode_count_answer(&self, tokens: u64) -> String {
        json!({ "totalTokens": tokens }).to_string()
    }

    fn encode_models(&self, models: &[Model<'_>]) -> String {
        let models: Vec<Value> = models.iter().map(entry).collect();
        json!({ "models": models }).to_string()
    }

    fn encode_model(&self, model: &Model<'_>) -> String {
        entry(model).to_string()
    }

    fn decode_models(&self, body: &[u8]) -> Option<Vec<(String, u64)>> {
        if body.trim_ascii() == b"{}" {
            // Google leaves out what is empty.
            return Some(Vec::new());
        }
        models::listed(body, "models", |entry| {
            let name = str_of(entry, "name");
            (name.strip_prefix("models/").unwrap_or(name), 0)
        })
    }
}

fn entry(model: &Model<'_>) -> Value {
    json!({
        "name": format!("models/{}", model.id),
        "displayName": model.id,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    })
}
