//! Messages as blocks.

use hone_strategies::chat::{Dialect, Message, Native};
use serde_json::{Map, Value, json};

use crate::marks::{Names, clean, envelope};
use crate::shape::{Losses, Refusal, Target};
use crate::wire::json::str_of;

/// The types of images that the API takes.
const IMAGES: [&str; 4] = ["image/gif", "image/jpeg", "image/png", "image/webp"];

/// The message's own blocks, if they are this dialect's.
fn own(message: &Message) -> Option<&Native> {
    let native = message.native()?;
    (native.dialect == Dialect::Anthropic).then_some(native)
}

fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| json!({"type": "text", "text": text}))
}

/// What a user or an instruction says.
pub(super) fn said(message: &Message, index: usize) -> Result<Vec<Value>, Refusal> {
    if let Some(native) = own(message).filter(|native| !native.model.starts_with('#')) {
        return Ok(native.value.iter().filter_map(replayed).collect());
    }
    match message.get("content") {
        Some(Value::Array(parts)) => {
            let parts = parts.iter().enumerate();
            let blocks = parts.filter_map(|(at, part)| block(part, index, at).transpose());
            blocks.collect()
        }
        _ => Ok(text(&message.text()).into_iter().collect()),
    }
}

/// A part of a chat message.
fn block(part: &Value, index: usize, at: usize) -> Result<Option<Value>, Refusal> {
    let kind = str_of(part, "type");
    let source = match kind {
        "" | "text" => return Ok(text(part.as_str().unwrap_or_else(|| str_of(part, "text")))),
        "refusal" => return Ok(text(str_of(part, "refusal"))),
        "image_url" => {
            let url = part.get("image_url").unwrap_or(&Value::Null);
            source(url.as_str().unwrap_or_else(|| str_of(url, "url")), &IMAGES)
        }
        "file" => {
            let file = part.get("file").unwrap_or(&Value::Null);
            source(str_of(file, "file_data"), &["application/pdf"])
        }
        _ => None,
    };
    let Some(source) = source else {
        let path = format!("messages[{index}].content[{at}]");
        let why = "Anthropic's API takes no such data.";
        return Err(Refusal::untranslatable(path, why));
    };
    let kind = if kind == "file" { "document" } else { "image" };
    Ok(Some(json!({"type": kind, "source": source})))
}

/// The source that `url` is: nothing if it holds data of a type that the API does not take.
fn source(url: &str, kinds: &[&str]) -> Option<Value> {
    let Some(data) = url.strip_prefix("data:") else {
        return url
            .starts_with("https://")
            .then(|| json!({"type": "url", "url": url}));
    };
    let (kind, data) = data.split_once(";base64,")?;
    let kind = kind.split(';').next().unwrap_or_default();
    let source = json!({"type": "base64", "media_type": kind, "data": data});
    kinds.contains(&kind).then_some(source)
}

/// The result of a tool.
pub(super) fn result(message: &Message, index: usize) -> Result<Value, Refusal> {
    let id = message.get("tool_call_id").and_then(Value::as_str);
    let id = clean(id.unwrap_or_default()).into_owned();
    if let Some([block]) = own(message).map(|native| native.value.as_slice()) {
        let mut block = block.clone();
        if let Some(fields) = block.as_object_mut() {
            fields.insert("tool_use_id".to_owned(), id.into());
        }
        return Ok(block);
    }
    let content = match message.get("content") {
        Some(Value::Array(_)) => said(message, index)?.into(),
        _ => Value::from(message.text()),
    };
    let mut block = json!({"type": "tool_result", "tool_use_id": id, "content": content});
    if let (true, Some(fields)) = (message.has_failed(), block.as_object_mut()) {
        fields.insert("is_error".to_owned(), true.into());
    }
    Ok(block)
}

/// What the model said: reasoning, text, calls.
pub(super) fn assistant(
    message: &Message,
    target: &Target,
    names: &Names,
    index: usize,
    losses: &mut Losses,
) -> Result<Vec<Value>, Refusal> {
    let native = own(message);
    let is_sealed = native.is_some_and(|native| native.model.starts_with('#'));
    if let (Some(native), false) = (native, is_sealed) {
        let is_its_own = is_its_own(native, target);
        let blocks = native
            .value
            .iter()
            .filter(|block| is_its_own || !is_signed(block));
        return Ok(blocks.filter_map(replayed).collect());
    }
    let thoughts = native.filter(|native| is_its_own(native, target));
    let mut blocks: Vec<Value> = thoughts.map_or_else(Vec::new, |native| native.value.clone());
    blocks.extend(said(message, index)?);
    blocks.extend(message.refusal().and_then(text));
    let calls = message.tool_calls().and_then(Value::as_array);
    for (at, call) in calls.into_iter().flatten().enumerate() {
        blocks.push(tool_use(call, names, || {
            losses.degrade(&format!(
                "messages[{index}].tool_calls[{at}].function.arguments"
            ));
        }));
    }
    Ok(blocks)
}

/// Whether what the native blocks hold of signatures is the target's.
fn is_its_own(native: &Native, target: &Target) -> bool {
    if native.model.is_empty() {
        target.is_asked
    } else {
        envelope::is_made_by(&native.model, &target.maker())
    }
}

fn is_signed(block: &Value) -> bool {
    matches!(str_of(block, "type"), "redacted_thinking" | "thinking")
}

/// A block of a turn as it goes back: with the ids that results will have.
fn replayed(block: &Value) -> Option<Value> {
    match str_of(block, "type") {
        "text" if str_of(block, "text").is_empty() => None,
        "thinking" if envelope::is_sealed(str_of(block, "signature")) => None,
        "tool_use" => {
            let mut block = block.clone();
            if let Some(Value::String(id)) = block.get_mut("id") {
                *id = clean(id).into_owned();
            }
            Some(block)
        }
        _ => Some(block.clone()),
    }
}

/// A call. What is no object among arguments is told as a text, and never left out.
fn tool_use(call: &Value, names: &Names, mut odd: impl FnMut()) -> Value {
    let function = call.get("function").unwrap_or(&Value::Null);
    let arguments = str_of(function, "arguments");
    let input = match serde_json::from_str(arguments) {
        Ok(Value::Object(input)) => input,
        _ if arguments.trim().is_empty() => Map::new(),
        _ => {
            odd();
            Map::from_iter([("input".to_owned(), arguments.into())])
        }
    };
    json!({
        "type": "tool_use",
        "id": clean(str_of(call, "id")),
        "name": names.there(str_of(function, "name")),
        "input": input,
    })
}
