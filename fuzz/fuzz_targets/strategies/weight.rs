//! What JSON is said to take as a tree: never less than the tree does, however it is written.
#![no_main]

use hone_strategies::chat::weight;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|body: &[u8]| {
    let said = weight(body);
    let Ok(tree) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    let taken = size_of::<Value>() + beside(&tree);
    assert!(said >= taken, "{said} of {taken}");
    for written in [
        tree.to_string(),
        serde_json::to_string_pretty(&tree).expect("a value can be written"),
    ] {
        let said = weight(written.as_bytes());
        // What was overwritten is not there any more.
        assert!(said >= size_of::<Value>() + least_beside(&tree), "{said}");
    }
});

/// What a value allocates: room that its lists and texts have, not only what they hold.
fn beside(value: &Value) -> usize {
    match value {
        Value::Array(values) => {
            let room = values.capacity() * size_of::<Value>();
            room + values.iter().map(beside).sum::<usize>()
        }
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| member() + name.capacity() + beside(value))
            .sum(),
        Value::String(text) => text.capacity(),
        Value::Bool(_) | Value::Null | Value::Number(_) => 0,
    }
}

/// The same if nothing has more room than it needs.
fn least_beside(value: &Value) -> usize {
    match value {
        Value::Array(values) => values
            .iter()
            .map(|value| size_of::<Value>() + least_beside(value))
            .sum(),
        Value::Object(members) => of_members(members),
        Value::String(text) => text.len(),
        Value::Bool(_) | Value::Null | Value::Number(_) => 0,
    }
}

fn of_members(members: &Map<String, Value>) -> usize {
    let each = |(name, value): (&String, &Value)| member() + name.len() + least_beside(value);
    members.iter().map(each).sum()
}

/// A member's place in its object: name, value, hash, and its number in the index.
fn member() -> usize {
    size_of::<(String, Value)>() + 2 * size_of::<usize>()
}
