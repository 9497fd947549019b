//! Parts that say something, as parts of a chat message.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use hone_strategies::chat::{End, Origin};
use serde_json::{Value, json};

use super::fields::{find, get, has_only, join, text};
use crate::shape::Refusal;
use crate::wire::json::{str_of, wanted};

/// Images that every dialect takes.
const IMAGES: [&str; 4] = ["image/gif", "image/jpeg", "image/png", "image/webp"];
/// Sounds that chat takes, by its names.
const SOUNDS: [(&str, &str); 5] = [
    ("audio/mp3", "mp3"),
    ("audio/mpeg", "mp3"),
    ("audio/wav", "wav"),
    ("audio/wave", "wav"),
    ("audio/x-wav", "wav"),
];
/// What a part may hold.
pub(super) const KINDS: [&str; 9] = [
    "codeExecutionResult",
    "executableCode",
    "fileData",
    "functionCall",
    "functionResponse",
    "inlineData",
    "text",
    "toolCall",
    "toolResponse",
];

/// What `part` holds: its kind, the name that it has there, and the value.
pub(super) fn held(part: &Value) -> Option<(&'static str, &str, &Value)> {
    let fields = part.as_object()?;
    KINDS.into_iter().find_map(|kind| {
        let (name, value) = find(fields, kind)?;
        Some((kind, name, value))
    })
}

/// Refuses a part that holds nothing, or two things: the API takes one of them.
pub(super) fn check(part: &Value, path: &str) -> Result<(), Refusal> {
    let Some(fields) = part.as_object() else {
        return Ok(());
    };
    let kinds = KINDS
        .into_iter()
        .filter(|kind| find(fields, kind).is_some());
    if fields.is_empty() || kinds.count() > 1 {
        return Err(wanted(
            path,
            "an object with one of `text`, `inlineData` and the like",
        ));
    }
    Ok(())
}

/// What parts come to.
#[derive(Default)]
pub(super) struct Parts {
    /// As chat has them.
    pub(super) parts: Vec<Value>,
    /// Whether that is not all that they say.
    pub(super) is_odd: bool,
}

impl Parts {
    /// Reads a part that stands at `path` and is neither a call nor a result.
    pub(super) fn add(
        &mut self,
        part: &Value,
        path: &str,
        origin: &mut Origin,
    ) -> Result<(), Refusal> {
        check(part, path)?;
        match held(part) {
            Some(("text", name, value)) => {
                let text = value.as_str();
                let text = text.ok_or_else(|| wanted(&join(path, name), "a string"))?;
                self.parts.push(text_part(text));
                self.is_odd |= !has_only(part, &["text"]);
            }
            Some(("inlineData", name, blob)) => {
                self.blob(blob, &join(path, name), origin)?;
                self.is_odd |= !has_only(part, &["inlineData"]);
            }
            Some(("codeExecutionResult", _, result)) => {
                self.parts.push(text_part(text(result, "output")));
                self.odd(path, origin);
            }
            Some(("fileData", name, _)) => {
                let why = "It can be read by the client's own provider only: send the data itself.";
                origin.fate(join(path, name), End::Refuse(why.to_owned()));
                self.is_odd = true;
            }
            Some(("functionCall" | "functionResponse", name, _)) => {
                let why = "A call stands in a model's turn, and its result in the turn after it.";
                return Err(Refusal::invalid(join(path, name), why));
            }
            Some(_) => self.odd(path, origin),
            None if part.is_object() => self.odd(path, origin),
            None => return Err(wanted(path, "an object")),
        }
        Ok(())
    }

    /// Makes one text of the texts around the place `at`: a stream was cut there.
    pub(super) fn join_at(&mut self, at: usize) {
        let is_text = |part: &Value| str_of(part, "type") == "text";
        let around = at
            .checked_sub(1)
            .and_then(|before| self.parts.get(before..=at));
        if !around.is_some_and(|around| around.iter().all(is_text)) {
            return;
        }
        let more = self.parts.remove(at);
        let text = self
            .parts
            .get_mut(at - 1)
            .and_then(|part| part.get_mut("text"));
        if let Some(Value::String(text)) = text {
            text.push_str(str_of(&more, "text"));
        }
    }

    /// What only its own provider's tools have said.
    fn odd(&mut self, path: &str, origin: &mut Origin) {
        origin.fate(path, End::Degrade);
        self.is_odd = true;
    }

    /// Data that stands in the request.
    pub(super) fn blob(
        &mut self,
        blob: &Value,
        path: &str,
        origin: &mut Origin,
    ) -> Result<(), Refusal> {
        let data = get(blob, "data").and_then(Value::as_str);
        let data = data.ok_or_else(|| wanted(&join(path, "data"), "a string in base64"))?;
        let kind = text(blob, "mimeType");
        let url = || format!("data:{kind};base64,{}", standard(data));
        let sound = SOUNDS.iter().find(|(sound, _)| *sound == kind);
        self.is_odd |= !has_only(blob, &["data", "mimeType"]);
        if IMAGES.contains(&kind) {
            let part = json!({"type": "image_url", "image_url": {"url": url()}});
            self.parts.push(part);
        } else if kind == "application/pdf" {
            let name = text(blob, "displayName");
            let name = if name.is_empty() {
                "document.pdf"
            } else {
                name
            };
            let file = json!({"filename": name, "file_data": url()});
            self.parts.push(json!({"type": "file", "file": file}));
        } else if let Some((_, format)) = sound {
            let audio = json!({"data": standard(data), "format": format});
            self.parts
                .push(json!({"type": "input_audio", "input_audio": audio}));
            self.is_odd |= !matches!(kind, "audio/mp3" | "audio/wav");
        } else if let Some(words) = words(kind, data) {
            let title = text(blob, "displayName");
            let document = format!("<document title=\"{title}\">\n{words}\n</document>");
            self.parts.push(text_part(&document));
            self.is_odd = true;
        } else {
            let why = format!("Other upstreams take no data of type `{kind}`.");
            origin.fate(join(path, "mimeType"), End::Refuse(why));
            self.is_odd = true;
        }
        Ok(())
    }
}

/// Base64 in the alphabet that data URLs have; the API takes both.
fn standard(data: &str) -> String {
    data.replace('-', "+").replace('_', "/")
}

/// The text that `data` is.
fn words(kind: &str, data: &str) -> Option<String> {
    if !kind.starts_with("text/") && kind != "application/json" {
        return None;
    }
    let bytes = STANDARD.decode(data).or_else(|_| URL_SAFE.decode(data));
    String::from_utf8(bytes.ok()?).ok()
}

/// A text part of chat's.
pub(super) fn text_part(text: &str) -> Value {
    json!({"type": "text", "text": text})
}
