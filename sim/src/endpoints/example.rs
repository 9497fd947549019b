//! Values that fit a schema.

use serde_json::{Map, Value, json};

/// A value that fits a JSON schema, as far as types and properties tell. Types may be in upper
/// case, as Gemini has them.
pub(crate) fn example(schema: &Value) -> Value {
    if let Some(first) = schema.get("enum").and_then(|options| options.get(0)) {
        return first.clone();
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.first(),
        kind => kind,
    };
    let kind = kind
        .and_then(Value::as_str)
        .map(str::to_ascii_lowercase)
        .unwrap_or_default();
    match kind.as_str() {
        "string" => json!("simulated"),
        "number" | "integer" => json!(1),
        "boolean" => json!(true),
        "array" => json!([example(schema.get("items").unwrap_or(&Value::Null))]),
        "null" => Value::Null,
        _ => {
            let properties = schema.get("properties").and_then(Value::as_object);
            Value::Object(
                properties
                    .into_iter()
                    .flatten()
                    .map(|(name, schema)| (name.clone(), example(schema)))
                    .collect::<Map<_, _>>(),
            )
        }
    }
}
