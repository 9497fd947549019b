//! Schemas: Google's subset of `OpenAPI`'s, and JSON Schema as Google's clients write it.

use serde_json::{Map, Value, json};

/// Bounds that the subset writes as texts.
const COUNTS: [&str; 6] = [
    "maxItems",
    "maxLength",
    "maxProperties",
    "minItems",
    "minLength",
    "minProperties",
];
/// What holds schemas by name.
const BY_NAME: [&str; 5] = [
    "$defs",
    "definitions",
    "dependentSchemas",
    "patternProperties",
    "properties",
];
/// What holds values, and no schemas.
const VALUES: [&str; 7] = [
    "const",
    "default",
    "enum",
    "example",
    "examples",
    "propertyOrdering",
    "required",
];
/// The types, as the subset writes them.
const TYPES: [&str; 7] = [
    "ARRAY", "BOOLEAN", "INTEGER", "NULL", "NUMBER", "OBJECT", "STRING",
];
/// What the subset has in `snake_case` where a client writes it so.
const CAMEL: [(&str, &str); 11] = [
    ("additional_properties", "additionalProperties"),
    ("any_of", "anyOf"),
    ("defs", "$defs"),
    ("max_items", "maxItems"),
    ("max_length", "maxLength"),
    ("max_properties", "maxProperties"),
    ("min_items", "minItems"),
    ("min_length", "minLength"),
    ("min_properties", "minProperties"),
    ("property_ordering", "propertyOrdering"),
    ("ref", "$ref"),
];

/// JSON Schema for a schema of the subset.
pub(super) fn from_subset(schema: &Value) -> Value {
    let Value::Object(fields) = lowered(schema) else {
        return schema.clone();
    };
    subset(fields)
}

fn subset(fields: Map<String, Value>) -> Value {
    let mut out = Map::with_capacity(fields.len());
    let mut is_nullable = false;
    for (name, value) in fields {
        let camel = CAMEL.iter().find(|(snake, _)| *snake == name);
        let name = camel.map_or(name.as_str(), |(_, camel)| *camel);
        match name {
            "nullable" => is_nullable = value == json!(true),
            "propertyOrdering" => {}
            "example" => drop(out.insert("examples".to_owned(), json!([value]))),
            _ => {
                let value = if COUNTS.contains(&name) {
                    counted(value)
                } else {
                    each(name, value, &|schema| match schema {
                        Value::Object(fields) => subset(fields),
                        other => other,
                    })
                };
                out.insert(name.to_owned(), value);
            }
        }
    }
    if is_nullable {
        nullable(&mut out);
    }
    Value::Object(out)
}

fn counted(value: Value) -> Value {
    let count = value.as_str().and_then(|text| text.parse::<u64>().ok());
    count.map_or(value, Value::from)
}

/// Lets null be one of the values.
fn nullable(schema: &mut Map<String, Value>) {
    match schema.get_mut("type") {
        Some(Value::String(kind)) => {
            let kinds = json!([std::mem::take(kind), "null"]);
            schema.insert("type".to_owned(), kinds);
        }
        Some(Value::Array(kinds)) if !kinds.contains(&json!("null")) => kinds.push(json!("null")),
        _ => {}
    }
    if let Some(Value::Array(values)) = schema.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

/// The schema with its types in lower case, as JSON Schema has them.
pub(super) fn lowered(schema: &Value) -> Value {
    let Value::Object(fields) = schema else {
        return schema.clone();
    };
    let lower = |(name, value): (&String, &Value)| {
        let value = match (name.as_str(), value) {
            ("type", Value::String(kind)) => lower_type(kind).into(),
            ("type", Value::Array(kinds)) => kinds
                .iter()
                .map(|kind| {
                    kind.as_str()
                        .map_or(kind.clone(), |kind| lower_type(kind).into())
                })
                .collect(),
            (name, value) => each(name, value.clone(), &|schema| lowered(&schema)),
        };
        (name.clone(), value)
    };
    fields.iter().map(lower).collect()
}

fn lower_type(kind: &str) -> String {
    if TYPES.contains(&kind) {
        kind.to_ascii_lowercase()
    } else {
        kind.to_owned()
    }
}

/// `value`, which is the member `name` of a schema, with `change` done to the schemas in it.
fn each(name: &str, value: Value, change: &dyn Fn(Value) -> Value) -> Value {
    match value {
        value if VALUES.contains(&name) => value,
        Value::Object(named) if BY_NAME.contains(&name) => named
            .into_iter()
            .map(|(name, schema)| (name, change(schema)))
            .collect(),
        Value::Object(fields) => change(Value::Object(fields)),
        Value::Array(schemas) => schemas.into_iter().map(change).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subset_becomes_json_schema() {
        let found = from_subset(&json!({"type": "OBJECT", "property_ordering": ["type"],
        "required": ["type"], "properties": {
            "type": {"type": "STRING", "nullable": true, "enum": ["STRING"]},
            "list": {"type": "ARRAY", "minItems": "1", "maxItems": 3,
                "items": {"any_of": [{"type": "INTEGER"}, {"type": "NULL"}]}},
            "nullable": {"type": "NUMBER", "example": 1, "default": {"type": "STRING"}},
        }}));
        let expected = json!({"type": "object", "required": ["type"], "properties": {
            "type": {"type": ["string", "null"], "enum": ["STRING", null]},
            "list": {"type": "array", "minItems": 1, "maxItems": 3,
                "items": {"anyOf": [{"type": "integer"}, {"type": "null"}]}},
            "nullable": {"type": "number", "examples": [1], "default": {"type": "STRING"}},
        }});
        assert_eq!(found, expected);
    }

    #[test]
    fn json_schema_only_gets_its_types_in_lower_case() {
        let schema = json!({"$schema": "x", "type": "OBJECT", "additionalProperties": false,
            "properties": {"a": {"type": ["STRING", "null"], "const": "OBJECT", "minLength": 1},
                "b": {"enum": [{"type": "OBJECT"}], "examples": [{"type": "NULL"}]}},
            "$defs": {"type": {"type": "ARRAY", "items": true}}});
        let expected = json!({"$schema": "x", "type": "object", "additionalProperties": false,
            "properties": {"a": {"type": ["string", "null"], "const": "OBJECT", "minLength": 1},
                "b": {"enum": [{"type": "OBJECT"}], "examples": [{"type": "NULL"}]}},
            "$defs": {"type": {"type": "array", "items": true}}});
        assert_eq!(lowered(&schema), expected);
        assert_eq!(lowered(&expected), expected);
    }
}
