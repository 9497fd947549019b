//! Tool calls and JSON as answers, in one canonical text.

use serde_json::{Map, Number, Value};

/// The canonical text of a message's `tool_calls`: name and arguments of each call in order, keys
/// sorted, ids left out. None if there are no calls or one has arguments that are not JSON, which
/// cannot be compared.
///
/// ```
/// use hone_strategies::answer::canonical_tool_calls;
/// use serde_json::json;
/// let call = |id: &str, arguments: &str| {
///     let function = json!({"name": "add", "arguments": arguments});
///     canonical_tool_calls(&json!([{"id": id, "type": "function", "function": function}]))
/// };
/// assert_eq!(call("a", r#"{"x":1,"y":2}"#), call("b", r#"{ "y": 2.0, "x": 1 }"#));
/// ```
pub fn canonical_tool_calls(tool_calls: &Value) -> Option<String> {
    let calls = tool_calls.as_array().filter(|calls| !calls.is_empty())?;
    let calls = calls
        .iter()
        .map(canonical_call)
        .collect::<Option<Vec<Value>>>()?;
    Some(canonical(&Value::Array(calls)))
}

fn canonical_call(call: &Value) -> Option<Value> {
    let function = call.get("function").or_else(|| call.get("custom"))?;
    let name = function.get("name")?.as_str()?;
    let arguments = match function.get("arguments").or_else(|| function.get("input")) {
        Some(Value::String(text)) if text.trim().is_empty() => Value::Object(Map::new()),
        // A custom tool takes free text; a function's arguments must be JSON.
        Some(Value::String(text)) if function.get("arguments").is_some() => {
            serde_json::from_str(text).ok()?
        }
        Some(arguments) => arguments.clone(),
        None => Value::Object(Map::new()),
    };
    Some(Value::Array(vec![Value::from(name), arguments]))
}

/// JSON with sorted keys, no spaces, and one form for each number.
pub(super) fn canonical(value: &Value) -> String {
    sorted(value).to_string()
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| *name);
            fields
                .into_iter()
                .map(|(name, value)| (name.clone(), sorted(value)))
                .collect::<Map<_, _>>()
                .into()
        }
        Value::Number(number) => Value::Number(whole(number).unwrap_or_else(|| number.clone())),
        Value::Null | Value::Bool(_) | Value::String(_) => value.clone(),
    }
}

/// A float that is a whole number, as that whole number.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the bound excludes what does not fit"
)]
fn whole(number: &Number) -> Option<Number> {
    let float = number.as_f64().filter(|_| number.is_f64())?;
    (float.fract() == 0.0 && float.abs() < 1e15).then(|| Number::from(float as i64))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(name: &str, arguments: &str) -> Value {
        json!([{"id": "call_1", "type": "function",
            "function": {"name": name, "arguments": arguments}}])
    }

    #[test]
    fn the_same_call_has_one_text() {
        let first = canonical_tool_calls(&call("f", r#"{"a":{"y":1,"x":[2]},"b":null}"#));
        assert!(first.is_some());
        assert_eq!(
            first,
            canonical_tool_calls(&call("f", r#"{"b":null, "a":{"x":[2.0],"y":1}}"#))
        );
        assert_eq!(
            canonical_tool_calls(&call("f", "")),
            canonical_tool_calls(&call("f", "{}"))
        );
    }

    #[test]
    fn different_calls_have_different_texts() {
        let texts = [
            call("f", "{}"),
            call("g", "{}"),
            call("f", r#"{"a":1}"#),
            call("f", r#"{"a":"1"}"#),
            call("f", r#"{"a":[1,2]}"#),
            call("f", r#"{"a":[2,1]}"#),
        ];
        let texts: Vec<_> = texts
            .iter()
            .map(|calls| canonical_tool_calls(calls).unwrap())
            .collect();
        for (index, text) in texts.iter().enumerate() {
            assert!(!texts[..index].contains(text), "{text}");
        }
    }

    #[test]
    fn calls_that_cannot_be_compared_have_none() {
        for calls in [
            json!(null),
            json!([]),
            json!({}),
            json!([{"id": "x"}]),
            call("f", "{broken"),
        ] {
            assert_eq!(canonical_tool_calls(&calls), None);
        }
    }
}
