//! What items say.

use hone_strategies::chat::Dialect;
use serde_json::{Value, json};

use crate::wire::json::str_of;

/// The dialect of this room.
pub(super) const OWN: Dialect = Dialect::OpenAiResponses;
/// What sets texts apart in chat that are items or parts of their own here.
pub(super) const APART: &str = "\n\n";

/// The parts of an item's content.
pub(super) fn parts(item: &Value) -> impl Iterator<Item = &Value> {
    let parts = item.get("content").and_then(Value::as_array);
    parts.into_iter().flatten()
}

/// The text of a message, and why it declines.
pub(super) fn words(message: &Value) -> (String, String) {
    if let Some(Value::String(text)) = message.get("content") {
        return (text.clone(), String::new());
    }
    let (mut text, mut refusal) = (String::new(), String::new());
    for part in parts(message) {
        match str_of(part, "type") {
            "refusal" => refusal.push_str(str_of(part, "refusal")),
            _ => text.push_str(str_of(part, "text")),
        }
    }
    (text, refusal)
}

/// What a reasoning item shows of what the model thought. It need not show anything.
pub(super) fn thoughts(item: &Value) -> Vec<String> {
    let summary = item.get("summary").and_then(Value::as_array);
    let all = summary.into_iter().flatten().chain(parts(item));
    let texts = all.map(|part| str_of(part, "text"));
    let said = texts.filter(|text| !text.is_empty());
    said.map(str::to_owned).collect()
}

/// Citations of pages, as chat has them.
pub(super) fn to_chat(annotations: &[Value]) -> Vec<Value> {
    let is_url = |annotation: &&Value| str_of(annotation, "type") == "url_citation";
    let urls = annotations.iter().filter(is_url);
    urls.map(|annotation| {
        let mut citation = annotation.clone();
        if let Some(fields) = citation.as_object_mut() {
            fields.shift_remove("type");
        }
        json!({"type": "url_citation", "url_citation": citation})
    })
    .collect()
}

/// Chat's citations as they stand in a text's part.
pub(super) fn from_chat(annotations: Option<&Value>) -> Vec<Value> {
    let annotations = annotations.and_then(Value::as_array);
    let citations = annotations.into_iter().flatten();
    citations
        .filter_map(|annotation| {
            let mut citation = annotation.get("url_citation")?.as_object()?.clone();
            citation.insert("type".to_owned(), "url_citation".into());
            Some(Value::Object(citation))
        })
        .collect()
}

/// The citations of a message, as chat has them.
pub(super) fn cited(message: &Value) -> Vec<Value> {
    let lists = parts(message).filter_map(|part| part.get("annotations")?.as_array());
    lists.flat_map(|annotations| to_chat(annotations)).collect()
}
