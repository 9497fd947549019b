//! Items of the input, each by itself.

use serde_json::Value;

use super::check::{invalid_type, invalid_value, missing, unknown};
use super::object::is_text_or_list;
use crate::endpoints::fields::{self, list, text};
use crate::refusal::Refusal;

/// Types of items, with the beginning of their ids.
const KINDS: [(&str, &str); 9] = [
    ("custom_tool_call", "ctc"),
    ("custom_tool_call_output", "ctco"),
    ("function_call", "fc"),
    ("function_call_output", "fc"),
    ("item_reference", ""),
    ("message", "msg"),
    ("reasoning", "rs"),
    ("compaction", "cmp"),
    ("web_search_call", "ws"),
];

/// The longest id.
const LONGEST: usize = 64;

pub(super) fn check(items: &[Value]) -> Result<(), Refusal> {
    if items.is_empty() {
        return Err(Refusal::invalid(
            "Invalid 'input': empty array. Expected an array with minimum length 1, but got an \
             empty array instead.",
        )
        .param("input")
        .code("empty_array"));
    }
    let mut places = items.iter().enumerate();
    places.try_for_each(|(index, item)| one(&format!("input[{index}]"), item))
}

/// The type of an item: without one, it is a message.
pub(super) fn kind(item: &Value) -> &str {
    text(item, "type").unwrap_or("message")
}

fn one(place: &str, item: &Value) -> Result<(), Refusal> {
    let kind = kind(item);
    let known = KINDS.iter().find(|(known, _)| *known == kind);
    let Some((_, prefix)) = known else {
        if kind.ends_with("_call") || kind.ends_with("_call_output") {
            // Of tools that run at the provider.
            return Ok(());
        }
        let all = KINDS.map(|(known, _)| known);
        return Err(invalid_value(&format!("{place}.type"), kind, &all));
    };
    id(place, item, prefix)?;
    match kind {
        "message" => message(place, item),
        "function_call" => call(place, item, "arguments"),
        "custom_tool_call" => call(place, item, "input"),
        "function_call_output" | "custom_tool_call_output" => {
            named(place, item, &["call_id"])?;
            allowed(
                place,
                item,
                &["call_id", "output", "status", "name", "namespace"],
            )?;
            if is_text_or_list(item, "output") {
                return Ok(());
            }
            Err(missing(&format!("{place}.output")))
        }
        "reasoning" => reasoning(place, item),
        _ => Ok(()),
    }
}

/// Ids begin as their type wants it, and are not too long.
fn id(place: &str, item: &Value, prefix: &str) -> Result<(), Refusal> {
    for name in ["id", "call_id"] {
        let Some(id) = text(item, name).filter(|id| id.len() > LONGEST) else {
            continue;
        };
        return Err(Refusal::invalid(format!(
            "Invalid '{place}.{name}': string too long. Expected a string with maximum length \
             {LONGEST}, but got a string with length {} instead.",
            id.len()
        ))
        .param(&format!("{place}.{name}"))
        .code("string_above_max_length"));
    }
    let Some(id) = text(item, "id").filter(|id| !id.starts_with(prefix)) else {
        return Ok(());
    };
    Err(Refusal::invalid(format!(
        "Invalid '{place}.id': '{id}'. Expected an ID that begins with '{prefix}'."
    ))
    .param(&format!("{place}.id"))
    .code("invalid_value"))
}

fn named(place: &str, item: &Value, names: &[&str]) -> Result<(), Refusal> {
    let absent = names.iter().find(|name| text(item, name).is_none());
    absent.map_or(Ok(()), |name| Err(missing(&format!("{place}.{name}"))))
}

/// There are only these fields, beside those of every item.
fn allowed(place: &str, item: &Value, names: &[&str]) -> Result<(), Refusal> {
    let known: Vec<&str> = ["id", "type"].iter().chain(names).copied().collect();
    match fields::unknown(item, &known) {
        Some(name) => Err(unknown(&format!("{place}.{name}"))),
        None => Ok(()),
    }
}

fn call(place: &str, item: &Value, input: &str) -> Result<(), Refusal> {
    named(place, item, &["call_id", "name", input])?;
    allowed(
        place,
        item,
        &["call_id", "name", input, "status", "namespace"],
    )
}

fn reasoning(place: &str, item: &Value) -> Result<(), Refusal> {
    named(place, item, &["id"])?;
    if !item.get("summary").is_some_and(Value::is_array) {
        return Err(missing(&format!("{place}.summary")));
    }
    allowed(
        place,
        item,
        &["summary", "content", "encrypted_content", "status"],
    )
}

fn message(place: &str, item: &Value) -> Result<(), Refusal> {
    allowed(place, item, &["role", "content", "status", "phase"])?;
    let role = text(item, "role").ok_or_else(|| missing(&format!("{place}.role")))?;
    let known: &[&str] = match role {
        "assistant" => &["output_text", "refusal"],
        "user" | "system" | "developer" => &["input_text", "input_image", "input_file"],
        _ => {
            let roles = ["assistant", "system", "developer", "user"];
            return Err(invalid_value(&format!("{place}.role"), role, &roles));
        }
    };
    match item.get("content") {
        Some(Value::String(_)) => Ok(()),
        Some(Value::Array(_)) => {
            for (index, part) in list(item, "content").iter().enumerate() {
                let kind = text(part, "type").unwrap_or_default();
                if !known.contains(&kind) {
                    let param = format!("{place}.content[{index}]");
                    return Err(invalid_value(&param, kind, known));
                }
                body(&format!("{place}.content[{index}]"), kind, part)?;
            }
            Ok(())
        }
        Some(_) => Err(invalid_type(
            &format!("{place}.content"),
            "one of a string or array of objects",
        )),
        None => Err(missing(&format!("{place}.content"))),
    }
}

fn body(place: &str, kind: &str, part: &Value) -> Result<(), Refusal> {
    match kind {
        "input_text" | "output_text" => named(place, part, &["text"]),
        "refusal" => named(place, part, &["refusal"]),
        "input_image" => match part.get("image_url") {
            // Chat completions have an object here.
            Some(Value::Object(_)) => {
                Err(invalid_type(&format!("{place}.image_url"), "an image URL"))
            }
            _ => Ok(()),
        },
        _ => Ok(()),
    }
}
