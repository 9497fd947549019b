//! `POST /v1/embeddings`.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::base64::encode;
use crate::ask::Ask;
use crate::refusal::Refusal;
use crate::script::Script;
use crate::text;

/// One vector for each input: equal inputs have equal vectors, under every seed.
pub(crate) fn answer(ask: &Ask) -> Result<Script, Refusal> {
    let model = ask.model()?;
    let input = ask
        .get("input")
        .ok_or_else(|| Refusal::invalid("Missing required parameter: 'input'.").param("input"))?;
    let inputs: Vec<&Value> = match input {
        // A list of numbers is one input in tokens.
        Value::Array(items) if !items.first().is_some_and(Value::is_number) => {
            items.iter().collect()
        }
        one => vec![one],
    };
    let dimensions = ask.number("dimensions", 1..=4096)?.unwrap_or(8);
    let base64 = ask.get("encoding_format").and_then(Value::as_str) == Some("base64");
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector(&input.to_string(), dimensions);
            let embedding = if base64 {
                json!(encode(&little_endian(&vector)))
            } else {
                json!(vector)
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let mut body = json!({"object": "list", "model": model, "data": data});
    if let Some(body) = body.as_object_mut().filter(|_| ask.knobs.usage.is_told()) {
        let tokens = text::input_tokens(input);
        body.insert(
            "usage".to_owned(),
            json!({"prompt_tokens": tokens, "total_tokens": tokens}),
        );
    }
    Ok(Script::json(&body).answering(text::input_tokens(input)))
}

/// Numbers in [-1, 1] that depend on the text alone.
fn vector(text: &str, dimensions: u32) -> Vec<f32> {
    let element = |index: u32| {
        let digest = Sha256::new()
            .chain_update(index.to_le_bytes())
            .chain_update(text)
            .finalize();
        f32::from(digest.first().copied().unwrap_or(0)) / 127.5 - 1.0
    };
    (0..dimensions).map(element).collect()
}

fn little_endian(vector: &[f32]) -> Vec<u8> {
    vector
        .iter()
        .flat_map(|element| element.to_le_bytes())
        .collect()
}
