//! Reasoning that comes back in an envelope, which anybody can have written: hone signs none.

use hone_strategies::chat::Dialect;
use serde_json::{Map, Value, json};

/// What of `value` is reasoning of `dialect`, member by member. Nothing else may reach an upstream
/// from there: a block of any other kind could name what lies with the account of an operator.
pub(super) fn only(dialect: Dialect, value: Value) -> Vec<Value> {
    let values = match value {
        Value::Array(values) => values,
        value => vec![value],
    };
    let read = match dialect {
        Dialect::Anthropic => block,
        Dialect::Gemini => part,
        Dialect::OpenAiChat => return Vec::new(),
        Dialect::OpenAiResponses => item,
    };
    values.iter().filter_map(read).collect()
}

fn block(block: &Value) -> Option<Value> {
    let text = |name: &str| block.get(name)?.as_str();
    match text("type")? {
        kind @ "thinking" => {
            let (thinking, signature) = (text("thinking")?, text("signature")?);
            Some(json!({"type": kind, "thinking": thinking, "signature": signature}))
        }
        kind @ "redacted_thinking" => Some(json!({"type": kind, "data": text("data")?})),
        _ => None,
    }
}

fn item(item: &Value) -> Option<Value> {
    if item.get("type")? != "reasoning" {
        return None;
    }
    let encrypted = item.get("encrypted_content")?.as_str()?;
    let mut fields = Map::from_iter([("type".to_owned(), "reasoning".into())]);
    if let Some(id @ Value::String(_)) = item.get("id") {
        fields.insert("id".to_owned(), id.clone());
    }
    if let Some(Value::Array(summary)) = item.get("summary") {
        let summary = summary.iter().filter_map(summary_text).collect();
        fields.insert("summary".to_owned(), summary);
    }
    fields.insert("encrypted_content".to_owned(), encrypted.into());
    Some(fields.into())
}

fn summary_text(part: &Value) -> Option<Value> {
    let text = part.get("text")?.as_str()?;
    let is_text = part.get("type")? == "summary_text";
    is_text.then(|| json!({"type": "summary_text", "text": text}))
}

/// A signature, on what [`super::signatures::of`] has put it.
fn part(part: &Value) -> Option<Value> {
    let signature = part.get("thoughtSignature")?.as_str()?;
    if let Some(call) = part.get("functionCall") {
        let id = call.get("id")?.as_str()?;
        return Some(json!({"functionCall": {"id": id}, "thoughtSignature": signature}));
    }
    let text = part.get("text")?.as_str()?;
    Some(if part.get("thought") == Some(&Value::Bool(true)) {
        json!({"text": text, "thought": true, "thoughtSignature": signature})
    } else {
        json!({"text": "", "thoughtSignature": signature})
    })
}
