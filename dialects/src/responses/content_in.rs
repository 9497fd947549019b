//! Parts of content, read from a client.

use hone_strategies::chat::{End, Origin};
use serde_json::{Map, Value, json};

use crate::shape::Refusal;
use crate::wire::json::{str_of, wanted};

/// What parts come to.
pub(super) struct Parts {
    /// As chat has them.
    parts: Vec<Value>,
    /// Whether that is all that they say.
    pub(super) is_plain: bool,
}

impl Parts {
    /// Reads `parts`, which stand at `path`.
    pub(super) fn read(parts: &[Value], path: &str, origin: &mut Origin) -> Result<Self, Refusal> {
        let mut read = Self {
            parts: Vec::with_capacity(parts.len()),
            is_plain: true,
        };
        for (index, part) in parts.iter().enumerate() {
            read.add(part, &format!("{path}.{index}"), origin)?;
        }
        Ok(read)
    }

    /// The content of chat's message: one text alone is a text.
    pub(super) fn content(mut self) -> Value {
        match self.parts.as_mut_slice() {
            [] => "".into(),
            [one] if str_of(one, "type") == "text" => {
                one.get_mut("text").map(Value::take).unwrap_or_default()
            }
            _ => self.parts.into(),
        }
    }

    fn add(&mut self, part: &Value, path: &str, origin: &mut Origin) -> Result<(), Refusal> {
        match str_of(part, "type") {
            "input_text" | "output_text" | "text" => {
                let text = part.get("text").and_then(Value::as_str);
                let text = text.ok_or_else(|| wanted(&format!("{path}.text"), "a string"))?;
                self.parts.push(json!({"type": "text", "text": text}));
                let is_input = str_of(part, "type") == "input_text";
                self.is_plain &= is_input && has_only(part, &["type", "text"]);
            }
            "refusal" => {
                self.parts
                    .push(json!({"type": "text", "text": str_of(part, "refusal")}));
                self.is_plain = false;
            }
            "input_image" => self.image(part, path, origin),
            "input_file" => self.file(part, path, origin),
            "input_audio" => {
                let audio = part.get("input_audio").cloned().unwrap_or_default();
                self.parts
                    .push(json!({"type": "input_audio", "input_audio": audio}));
                self.is_plain = false;
            }
            "" => return Err(wanted(&format!("{path}.type"), "the name of a part's type")),
            kind => {
                let why = format!("No other dialect has parts of type `{kind}`.");
                origin.fate(path, End::Refuse(why));
                self.is_plain = false;
            }
        }
        Ok(())
    }

    fn image(&mut self, part: &Value, path: &str, origin: &mut Origin) {
        let url = str_of(part, "image_url");
        if url.is_empty() {
            return self.foreign(&format!("{path}.file_id"), origin);
        }
        let mut image = Map::from_iter([("url".to_owned(), Value::from(url))]);
        if let Some(detail) = part.get("detail").filter(|detail| detail.is_string()) {
            image.insert("detail".to_owned(), detail.clone());
        }
        self.parts
            .push(json!({"type": "image_url", "image_url": image}));
        self.is_plain &= has_only(part, &["type", "image_url", "detail"]);
    }

    fn file(&mut self, part: &Value, path: &str, origin: &mut Origin) {
        let data = str_of(part, "file_data");
        if data.is_empty() {
            let names = ["file_url", "file_id"];
            let name = names.into_iter().find(|name| part.get(*name).is_some());
            let path = format!("{path}.{}", name.unwrap_or("file_data"));
            return self.foreign(&path, origin);
        }
        let data = if data.starts_with("data:") {
            data.to_owned()
        } else {
            format!("data:application/pdf;base64,{data}")
        };
        let name = match str_of(part, "filename") {
            "" => "document.pdf",
            name => name,
        };
        self.parts
            .push(json!({"type": "file", "file": {"filename": name, "file_data": data}}));
        let known = ["type", "file_data", "filename"];
        self.is_plain &= has_only(part, &known) && str_of(part, "file_data") == data;
    }

    /// What lies with the provider, or would have to be fetched.
    fn foreign(&mut self, path: &str, origin: &mut Origin) {
        let why = "It can be read by the client's own provider only: send the data itself.";
        origin.fate(path, End::Refuse(why.to_owned()));
        self.is_plain = false;
    }
}

/// Whether `value` has no members but these.
pub(super) fn has_only(value: &Value, names: &[&str]) -> bool {
    let fields = value.as_object();
    fields.is_some_and(|fields| fields.keys().all(|name| names.contains(&name.as_str())))
}
