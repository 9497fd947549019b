//! JSON schemas as Anthropic takes them for structured outputs.

use serde_json::{Map, Value};

/// Keywords that the API refuses. What they say goes into the description.
const REFUSED: [&str; 13] = [
    "exclusiveMaximum",
    "exclusiveMinimum",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "uniqueItems",
];

/// The schema with objects closed and refused keywords told in words; and whether nothing had to be
/// told so.
pub(super) fn adapted(schema: &Value) -> (Value, bool) {
    let mut schema = schema.clone();
    let mut is_whole = true;
    adapt(&mut schema, &mut is_whole, true);
    (schema, is_whole)
}

/// `is_schema` is false for a map from names to schemas, where every word is a name.
fn adapt(value: &mut Value, is_whole: &mut bool, is_schema: bool) {
    match value {
        Value::Array(values) => {
            for value in values {
                adapt(value, is_whole, true);
            }
        }
        Value::Object(fields) => {
            if is_schema {
                close(fields);
                tell(fields, is_whole);
            }
            for (name, value) in fields.iter_mut() {
                let holds_names = matches!(&**name, "properties" | "$defs" | "definitions");
                let is_data = matches!(&**name, "const" | "default" | "enum" | "examples");
                if !is_data || !is_schema {
                    adapt(value, is_whole, !(holds_names && is_schema));
                }
            }
        }
        _ => {}
    }
}

fn close(fields: &mut Map<String, Value>) {
    let is_object = fields.get("type").is_some_and(|kind| kind == "object");
    if is_object || fields.contains_key("properties") {
        fields.insert("additionalProperties".to_owned(), false.into());
    }
}

fn tell(fields: &mut Map<String, Value>, is_whole: &mut bool) {
    let mut told = Vec::new();
    for name in REFUSED {
        if let Some(value) = fields.shift_remove(name) {
            told.push(format!("{name}: {value}"));
        }
    }
    if told.is_empty() {
        return;
    }
    *is_whole = false;
    let told = told.join(", ");
    let text = match fields.get("description").and_then(Value::as_str) {
        Some(text) if !text.is_empty() => format!("{text} ({told})"),
        _ => told,
    };
    fields.insert("description".to_owned(), text.into());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn objects_are_closed_and_bounds_become_words() {
        let schema = json!({"type": "object", "properties": {
            "minimum": {"type": "integer", "minimum": 1, "description": "How many."}}});
        let (adapted, is_whole) = adapted(&schema);
        let expected = json!({"type": "object", "properties": {
            "minimum": {"type": "integer", "description": "How many. (minimum: 1)"}},
            "additionalProperties": false});
        assert_eq!((adapted, is_whole), (expected, false));
        assert!(super::adapted(&json!({"type": "string"})).1);
    }
}
