//! Messages as parts.

use hone_strategies::chat::{Dialect, Message, Native};
use serde_json::{Map, Value, json};

use super::fields::get;
use super::signature::{self, Signatures, is_its_own, sign, unsigned};
use crate::marks::Names;
use crate::shape::{Losses, Refusal, Target};
use crate::wire::json::str_of;

/// What messages are written with.
pub(super) struct Desk<'a> {
    pub(super) target: &'a Target,
    pub(super) names: &'a Names,
    pub(super) losses: &'a mut Losses,
}

/// The message's own parts, if they are this dialect's.
pub(super) fn own(message: &Message) -> Option<&Native> {
    let native = message.native()?;
    (native.dialect == Dialect::Gemini).then_some(native)
}

/// Whether native parts are the reasoning of a turn, and not the turn.
fn is_sealed(native: &Native) -> bool {
    native.model.starts_with('#')
}

pub(super) fn text(text: &str) -> Option<Value> {
    (!text.is_empty()).then(|| json!({ "text": text }))
}

/// What a user or an instruction says.
pub(super) fn said(
    message: &Message,
    index: usize,
    desk: &mut Desk<'_>,
) -> Result<Vec<Value>, Refusal> {
    if let Some(native) = own(message).filter(|native| !is_sealed(native)) {
        return Ok(native.value.clone());
    }
    match message.get("content") {
        Some(Value::Array(parts)) => {
            let mut said = Vec::with_capacity(parts.len());
            for (at, one) in parts.iter().enumerate() {
                let path = format!("messages[{index}].content[{at}]");
                said.extend(part(one, &path, desk)?);
            }
            Ok(said)
        }
        _ => Ok(text(&message.text()).into_iter().collect()),
    }
}

/// A part of a chat message.
fn part(part: &Value, path: &str, desk: &mut Desk<'_>) -> Result<Option<Value>, Refusal> {
    let said = match str_of(part, "type") {
        "" | "text" => return Ok(text(part.as_str().unwrap_or_else(|| str_of(part, "text")))),
        "refusal" => return Ok(text(str_of(part, "refusal"))),
        "image_url" => {
            let image = part.get("image_url").unwrap_or(&Value::Null);
            if image.get("detail").is_some() {
                desk.losses.quiet(&format!("{path}.image_url.detail"));
            }
            let url = image.as_str().unwrap_or_else(|| str_of(image, "url"));
            inline(url).or_else(|| linked(url, desk.target))
        }
        "file" => {
            let file = part.get("file").unwrap_or(&Value::Null);
            inline(str_of(file, "file_data"))
        }
        "input_audio" => {
            let audio = part.get("input_audio").unwrap_or(&Value::Null);
            let kind = format!("audio/{}", str_of(audio, "format"));
            let blob = json!({"mimeType": kind, "data": str_of(audio, "data")});
            Some(json!({ "inlineData": blob }))
        }
        _ => None,
    };
    let why = "Google's API reads only data that the request holds, and files of its own.";
    said.map_or_else(
        || Err(Refusal::untranslatable(path, why)),
        |said| Ok(Some(said)),
    )
}

/// The data that a URL holds.
fn inline(url: &str) -> Option<Value> {
    let (kind, data) = url.strip_prefix("data:")?.split_once(";base64,")?;
    let kind = kind.split(';').next().unwrap_or_default();
    Some(json!({"inlineData": {"mimeType": kind, "data": data}}))
}

/// A URL, if the upstream takes such.
fn linked(url: &str, target: &Target) -> Option<Value> {
    let passes = target.settings.passes_file_uris && url.starts_with("https://");
    passes.then(|| json!({"fileData": {"fileUri": url}}))
}

/// The result of a tool. What is no text stands in it, or goes to `shown` behind it.
pub(super) fn result(
    message: &Message,
    name: &str,
    index: usize,
    shown: &mut Vec<Value>,
    desk: &mut Desk<'_>,
) -> Result<Value, Refusal> {
    if let Some([part]) = own(message).map(|native| native.value.as_slice()) {
        return Ok(part.clone());
    }
    let (mut texts, mut media) = (Vec::new(), Vec::new());
    for part in said(message, index, desk)? {
        match part.get("text").and_then(Value::as_str) {
            Some(text) => texts.push(text.to_owned()),
            None if takes_media(desk.target) => media.push(part),
            None => {
                let kind = get(&part, "inlineData").map_or("", |blob| str_of(blob, "mimeType"));
                let kind = if kind.starts_with("image/") {
                    "image"
                } else {
                    "file"
                };
                shown.push(part);
                texts.push(format!("[{kind} {}]", shown.len()));
            }
        }
    }
    let field = if message.has_failed() {
        "error"
    } else {
        "output"
    };
    let mut response = json!({"name": name, "response": {field: texts.join("\n")}});
    if let (false, Some(fields)) = (media.is_empty(), response.as_object_mut()) {
        fields.insert("parts".to_owned(), media.into());
    }
    Ok(json!({ "functionResponse": response }))
}

/// Whether the model looks at images in results.
fn takes_media(target: &Target) -> bool {
    signature::generation(&target.model).is_some_and(|generation| generation >= 3)
}

/// What the model said: text and calls, each with its signature.
pub(super) fn assistant(
    message: &Message,
    index: usize,
    desk: &mut Desk<'_>,
) -> Result<Vec<Value>, Refusal> {
    let native = own(message);
    if let Some(native) = native.filter(|native| !is_sealed(native)) {
        return Ok(replayed(native, desk.target));
    }
    let mut signatures = Signatures::of(native, desk.target);
    let mut parts = std::mem::take(&mut signatures.thoughts);
    parts.extend(said(&message.clone().with_native(None), index, desk)?);
    parts.extend(message.refusal().and_then(text));
    let is_text = |part: &&mut Value| get(part, "thought").is_none();
    let last = parts.last_mut().filter(is_text);
    if let (Some(last), Some(signature)) = (last, signatures.text()) {
        sign(last, signature);
    }
    let calls = message.tool_calls().and_then(Value::as_array);
    for (at, call) in calls.into_iter().flatten().enumerate() {
        let function = call.get("function").unwrap_or(&Value::Null);
        let (id, name) = (str_of(call, "id"), str_of(function, "name"));
        let args = arguments(str_of(function, "arguments"), || {
            desk.losses.degrade(&format!(
                "messages[{index}].tool_calls[{at}].function.arguments"
            ));
        });
        let there = desk.names.there(name);
        let mut part = json!({"functionCall": {"name": there, "args": args}});
        let beside = signature::beside_call(call).filter(|_| desk.target.is_asked);
        let signed = signatures.call(id);
        if let Some(signature) = signed.or_else(|| beside.map(str::to_owned)) {
            sign(&mut part, signature);
        }
        parts.push(part);
    }
    Ok(parts)
}

/// A turn's own parts as they go back: what another model has signed goes without that.
fn replayed(native: &Native, target: &Target) -> Vec<Value> {
    let is_its_own = is_its_own(native, target);
    let is_thought = |part: &Value| get(part, "thought") == Some(&Value::Bool(true));
    let is_kept = |part: &&Value| {
        (is_its_own || !is_thought(part)) && get(part, super::answer_in::CANDIDATE).is_none()
    };
    let parts = native.value.iter().filter(is_kept);
    let part = |part: &Value| {
        let is_foreign = signature::is_sealed(signature::of(part));
        if is_its_own && !is_foreign {
            part.clone()
        } else {
            unsigned(part)
        }
    };
    parts.map(part).collect()
}

/// A call's arguments. What is no object is told as a text, and never left out.
pub(super) fn arguments(text: &str, mut odd: impl FnMut()) -> Map<String, Value> {
    match serde_json::from_str(text) {
        Ok(Value::Object(args)) => args,
        _ if text.trim().is_empty() => Map::new(),
        _ => {
            odd();
            Map::from_iter([("input".to_owned(), text.into())])
        }
    }
}
