//! Endpoints that take JSON and are only forwarded: speech, images, moderations.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::ask::Ask;
use crate::endpoints::CREATED;
use crate::endpoints::base64::encode;
use crate::endpoints::files;
use crate::refusal::Refusal;
use crate::script::Script;

/// Bytes of sound for each byte of text.
const SOUND: u64 = 1000;
/// The first bytes of every PNG file.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// `POST /v1/audio/speech`: binary, of a length that depends on the text, in chunks.
pub(crate) fn speech(ask: &Ask) -> Result<Script, Refusal> {
    ask.model()?;
    let input = ask
        .get("input")
        .and_then(Value::as_str)
        .ok_or_else(|| Refusal::invalid("Missing required parameter: 'input'.").param("input"))?;
    let length = u64::try_from(input.len())
        .unwrap_or(u64::MAX)
        .saturating_mul(SOUND);
    let mut script = files::binary("audio/mpeg", 0..length);
    script.headers.remove(http::header::CONTENT_LENGTH);
    Ok(script)
}

/// `POST /v1/images/generations`.
pub(crate) fn images(ask: &Ask) -> Result<Script, Refusal> {
    let count = ask.number("n", 1..=10)?.unwrap_or(1);
    let image = json!({"b64_json": encode(&Bytes::from_static(PNG))});
    let data: Vec<Value> = (0..count).map(|_| image.clone()).collect();
    Ok(Script::json(&json!({"created": CREATED, "data": data})))
}

/// `POST /v1/moderations`: nothing is objected to.
pub(crate) fn moderations(ask: &Ask) -> Script {
    let count = ask
        .get("input")
        .and_then(Value::as_array)
        .map_or(1, Vec::len);
    let result = json!({"flagged": false, "categories": {"violence": false},
        "category_scores": {"violence": 0.0}});
    let results: Vec<Value> = (0..count).map(|_| result.clone()).collect();
    Script::json(&json!({"id": "modr-sim", "model": "sim-moderation", "results": results}))
}
