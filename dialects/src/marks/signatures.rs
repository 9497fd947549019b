//! Google's thought signatures, without what was said.

use serde_json::{Map, Value, json};

/// The signatures of `parts`, each on a part that tells what it belongs to: a call by the id that
/// chat gives it, the answer's text, or a thought, which goes back as it is. Without what was said,
/// which the client gives back itself.
pub(super) fn of(parts: &[Value], said: &Map<String, Value>) -> Vec<Value> {
    let calls = said.get("tool_calls").and_then(Value::as_array);
    let mut calls = calls.into_iter().flatten();
    let mut signed = Vec::new();
    for part in parts {
        let call = either(part, "functionCall", "function_call");
        let told = call.and_then(|_| calls.next());
        let signature = either(part, "thoughtSignature", "thought_signature");
        let Some(signature) = signature.filter(|signature| *signature != "") else {
            continue;
        };
        let mut bare = match (call, part.get("text")) {
            (Some(call), _) => {
                let id = told.or(Some(call)).and_then(|call| call.get("id"));
                json!({ "functionCall": { "id": id } })
            }
            (None, Some(text)) if part.get("thought") == Some(&Value::Bool(true)) => {
                json!({"text": text, "thought": true})
            }
            (None, Some(_)) => json!({"text": ""}),
            (None, None) => continue,
        };
        if let Some(fields) = bare.as_object_mut() {
            fields.insert("thoughtSignature".to_owned(), signature.clone());
        }
        signed.push(bare);
    }
    signed
}

/// A field under either of its names.
fn either<'a>(part: &'a Value, camel: &str, snake: &str) -> Option<&'a Value> {
    part.get(camel).or_else(|| part.get(snake))
}
