//! Blocks that say something, as parts of a chat message.

use hone_strategies::chat::{End, Origin};
use serde_json::{Value, json};

use crate::shape::Refusal;
use crate::wire::json::{str_of, wanted};

/// What blocks come to.
pub(super) struct Parts {
    /// As chat has them.
    pub(super) parts: Vec<Value>,
    /// Whether that is all that they say.
    pub(super) is_plain: bool,
}

impl Parts {
    /// Reads `blocks`, which stand at `path`.
    pub(super) fn read(blocks: &[Value], path: &str, origin: &mut Origin) -> Result<Self, Refusal> {
        let mut parts = Self {
            parts: Vec::with_capacity(blocks.len()),
            is_plain: true,
        };
        for (index, block) in blocks.iter().enumerate() {
            parts.add(block, &format!("{path}.{index}"), origin)?;
        }
        Ok(parts)
    }

    fn add(&mut self, block: &Value, path: &str, origin: &mut Origin) -> Result<(), Refusal> {
        match str_of(block, "type") {
            "text" => {
                self.parts.push(text_part(text(block, path)?));
                self.is_plain &= has_only(block, &["type", "text"]);
            }
            "image" => self.image(block, path, origin),
            "document" => self.document(block, path, origin),
            "search_result" => {
                let text = texts(block.get("content"));
                let (title, source) = (str_of(block, "title"), str_of(block, "source"));
                self.parts
                    .push(text_part(&format!("{title} ({source})\n{text}")));
                self.is_plain = false;
            }
            "tool_reference" => {
                let name = str_of(block, "tool_name");
                self.parts.push(text_part(&format!("Tool {name} loaded.")));
                self.is_plain = false;
            }
            // What they change stands in the list of tools.
            "tool_addition" | "tool_removal" => self.is_plain = false,
            "" => {
                return Err(wanted(
                    &format!("{path}.type"),
                    "the name of a block's type",
                ));
            }
            kind => {
                let why = format!("No other dialect has blocks of type `{kind}`.");
                origin.fate(path, End::Refuse(why));
                self.is_plain = false;
            }
        }
        Ok(())
    }

    fn image(&mut self, block: &Value, path: &str, origin: &mut Origin) {
        match url(block) {
            Some(url) => {
                let part = json!({"type": "image_url", "image_url": {"url": url}});
                self.parts.push(part);
                self.is_plain &= has_only(block, &["type", "source"]);
            }
            None => self.foreign(path, origin),
        }
    }

    fn document(&mut self, block: &Value, path: &str, origin: &mut Origin) {
        let source = block.get("source").unwrap_or(&Value::Null);
        let (title, context) = (str_of(block, "title"), str_of(block, "context"));
        let text = match str_of(source, "type") {
            "text" => str_of(source, "data").to_owned(),
            "content" => texts(source.get("content")),
            "base64" => {
                if !title.is_empty() || !context.is_empty() {
                    self.parts
                        .push(text_part(format!("{title} {context}").trim()));
                }
                let data = url(block).unwrap_or_default();
                let file = json!({"filename": "document.pdf", "file_data": data});
                self.parts.push(json!({"type": "file", "file": file}));
                self.is_plain &= has_only(block, &["type", "source"]);
                return;
            }
            _ => return self.foreign(path, origin),
        };
        let text = format!("<document title=\"{title}\">\n{context}{text}\n</document>");
        self.parts.push(text_part(&text));
        self.is_plain = false;
    }

    /// What lies with the provider, or would have to be fetched.
    fn foreign(&mut self, path: &str, origin: &mut Origin) {
        let why = "It can be read by the client's own provider only: send the data itself.";
        origin.fate(format!("{path}.source"), End::Refuse(why.to_owned()));
        self.is_plain = false;
    }
}

/// The text of a block at `path`, which must have one.
pub(super) fn text<'a>(block: &'a Value, path: &str) -> Result<&'a str, Refusal> {
    let text = block.get("text").and_then(Value::as_str);
    text.ok_or_else(|| wanted(&format!("{path}.text"), "a string"))
}

/// A text part of chat's.
pub(super) fn text_part(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

/// The source of an image or a document as a URL.
fn url(block: &Value) -> Option<String> {
    let source = block.get("source")?;
    match str_of(source, "type") {
        "base64" => {
            let (kind, data) = (str_of(source, "media_type"), str_of(source, "data"));
            Some(format!("data:{kind};base64,{data}"))
        }
        "url" => Some(str_of(source, "url").to_owned()),
        _ => None,
    }
}

/// The texts among blocks.
fn texts(blocks: Option<&Value>) -> String {
    match blocks {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(blocks)) => {
            let texts: Vec<_> = blocks.iter().map(|block| str_of(block, "text")).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// Whether `block` has no members but these.
pub(super) fn has_only(block: &Value, names: &[&str]) -> bool {
    let fields = block.as_object();
    fields.is_some_and(|fields| fields.keys().all(|name| names.contains(&name.as_str())))
}
