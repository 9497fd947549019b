//! What the pieces of a streamed value add up to.

use serde_json::Value;

/// Adds `more` to `whole`: texts are appended, objects merged, list elements that carry an index go
/// to their place, other lists are appended.
pub(super) fn merge(whole: &mut Value, more: Value, name: &str) {
    match (whole, more) {
        (_, Value::Null) => {}
        (Value::String(_), Value::String(text)) if is_said_whole(name) && text.is_empty() => {}
        (Value::String(whole), Value::String(text)) if !is_said_whole(name) => {
            whole.push_str(&text);
        }
        (Value::Object(whole), Value::Object(more)) => {
            for (name, more) in more {
                merge(
                    whole.entry(name.clone()).or_insert(Value::Null),
                    more,
                    &name,
                );
            }
        }
        (Value::Array(whole), Value::Array(more)) => {
            for element in more {
                merge_element(whole, element);
            }
        }
        (whole, more @ Value::Array(_)) => {
            *whole = Value::Array(Vec::new());
            merge(whole, more, name);
        }
        (whole, more) => *whole = more,
    }
}

/// Fields that are repeated rather than continued.
fn is_said_whole(name: &str) -> bool {
    matches!(name, "id" | "name" | "role" | "type")
}

fn merge_element(elements: &mut Vec<Value>, element: Value) {
    let index = element.get("index").filter(|index| index.is_u64());
    // The newest is the likeliest, so the search starts there.
    match elements
        .iter_mut()
        .rev()
        .find(|other| index.is_some() && other.get("index") == index)
    {
        Some(whole) => merge(whole, element, ""),
        None => elements.push(element),
    }
}
