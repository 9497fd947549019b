//! How many tokens a prompt has at most, for a client that asks where nobody counts.
//!
//! Tokenizers of models differ. A count that is too low has an agent run into the end of its
//! context, and one that is too high has it tidy up a little early: so this one is high. Letters
//! and blanks are three to a token, which holds for English, German and long names in code. Digits
//! and signs, of which dense code and numbers consist, are three to two tokens, and what is not
//! ASCII, as Chinese and Arabic, two bytes to a token.

use hone_strategies::ChatRequest;
use serde_json::Value;

/// Tokens of what stands around a message.
const MESSAGE: u64 = 4;
/// Tokens of an image, whatever its size.
const IMAGE: u64 = 1600;
/// Tokens of a part of a document, and bytes of such a part.
const PART: (u64, u64) = (1500, 50 * 1024);

/// Tokens of a prompt: of its messages, its tools, and the schema of its answer.
pub(super) fn tokens(request: &ChatRequest) -> u64 {
    let mut size = Size::default();
    for message in request.messages() {
        size.tokens += MESSAGE;
        message.fields().values().for_each(|value| size.add(value));
    }
    for name in ["tools", "functions", "response_format"] {
        if let Some(value) = request.get(name) {
            size.text(&value.to_string());
        }
    }
    size.total()
}

#[derive(Default)]
struct Size {
    tokens: u64,
    /// Sixths of a token.
    sixths: u64,
}

impl Size {
    /// What a part of a message holds.
    fn add(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.text(text),
            Value::Array(list) => list.iter().for_each(|value| self.add(value)),
            Value::Object(fields) => match fields.get("type").and_then(Value::as_str) {
                Some("image_url") => self.tokens += IMAGE,
                Some("file" | "input_audio") => self.document(value),
                _ => fields.values().for_each(|value| self.add(value)),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn document(&mut self, value: &Value) {
        // In base64, four characters for three bytes.
        let bytes = longest(value) * 3 / 4;
        let (tokens, part) = PART;
        self.tokens += bytes.div_ceil(part).max(1) * tokens;
    }

    fn text(&mut self, text: &str) {
        let sixths = text.bytes().map(|byte| match byte {
            b' ' | b'\n' | b'a'..=b'z' | b'A'..=b'Z' => 2,
            0x80.. => 3,
            _ => 4,
        });
        self.sixths += sixths.sum::<u64>();
    }

    fn total(&self) -> u64 {
        self.tokens + self.sixths.div_ceil(6)
    }
}

/// The length of the longest text in `value`.
fn longest(value: &Value) -> u64 {
    match value {
        Value::String(text) => text.len() as u64,
        Value::Array(list) => list.iter().map(longest).max().unwrap_or_default(),
        Value::Object(fields) => fields.values().map(longest).max().unwrap_or_default(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}
