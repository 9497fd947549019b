//! Reading strangers' JSON: the shape of each field is checked by its path.

use hone_strategies::chat::mended;
use serde_json::{Map, Value};

use crate::shape::Refusal;

/// More elements than any conversation, list of tools or list of parts has.
pub const MOST_ELEMENTS: usize = 100_000;

/// The object that `body` is. Half of a surrogate pair, as JavaScript writes it, becomes U+FFFD;
/// what nests deeper than 127 levels is refused.
pub fn body(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(&mended(body)) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(Refusal::body("The body is not a JSON object.")),
        Err(error) => Err(Refusal::body(format!(
            "The body is not a JSON object (line {}, column {}).",
            error.line(),
            error.column()
        ))),
    }
}

/// Takes the field `name` out of `fields`, unless it is null.
pub fn take(fields: &mut Map<String, Value>, name: &str) -> Option<Value> {
    fields.shift_remove(name).filter(|value| !value.is_null())
}

/// The text that `value` must be.
pub fn text(value: Value, path: &str) -> Result<String, Refusal> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(wanted(path, "a string")),
    }
}

/// The object that `value` must be.
pub fn object(value: Value, path: &str) -> Result<Map<String, Value>, Refusal> {
    match value {
        Value::Object(fields) => Ok(fields),
        _ => Err(wanted(path, "an object")),
    }
}

/// The list that `value` must be, of at most [`MOST_ELEMENTS`].
pub fn list(value: Value, path: &str) -> Result<Vec<Value>, Refusal> {
    match value {
        Value::Array(elements) if elements.len() <= MOST_ELEMENTS => Ok(elements),
        Value::Array(_) => Err(Refusal::invalid(
            path,
            format!("`{path}` has more than {MOST_ELEMENTS} elements."),
        )),
        _ => Err(wanted(path, "an array")),
    }
}

/// A refusal of a value that is not `what` it must be.
pub fn wanted(path: &str, what: &str) -> Refusal {
    Refusal::invalid(path, format!("`{path}` must be {what}."))
}

/// A refusal of a field that is not there.
pub fn missing(path: &str) -> Refusal {
    Refusal::invalid(path, format!("`{path}` is missing."))
}

/// The text of a field of `value`, or an empty one.
pub fn str_of<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Adds `text` to `json` as a string, which nearly always is what it is between quotes.
pub fn push_text(json: &mut String, text: &str) {
    let is_escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    if text.bytes().any(is_escaped) {
        // A text is always JSON.
        json.push_str(&serde_json::to_string(text).unwrap_or_default());
        return;
    }
    json.push('"');
    json.push_str(text);
    json.push('"');
}

/// An upstream's document, as far as it is JSON.
pub fn document(body: &[u8]) -> Option<Value> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    serde_json::from_slice(&mended(body)).ok()
}
