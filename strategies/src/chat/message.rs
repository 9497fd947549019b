//! One message of a conversation.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::foreign::Native;

/// A message with every field the sender gave it. Cloning shares the content.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    fields: Arc<Value>,
    /// What it was in another dialect.
    native: Option<Arc<Native>>,
    /// Whether it is the result of a tool that failed.
    has_failed: bool,
}

/// What a message says in its own dialect too: who changes it here has another message there.
const SAID: [&str; 5] = [
    "content",
    "reasoning_content",
    "refusal",
    "role",
    "tool_calls",
];

/// So many fields are looked through rather than hashed.
const FEW: usize = 8;

impl Message {
    /// The message with these fields.
    pub fn from_fields(fields: Map<String, Value>) -> Self {
        Self {
            fields: Arc::new(Value::Object(fields)),
            native: None,
            has_failed: false,
        }
    }

    /// The same message, which was `native` in its own dialect.
    #[must_use]
    pub fn with_native(self, native: Option<Arc<Native>>) -> Self {
        Self { native, ..self }
    }

    /// What it was in its own dialect, if chat cannot say all of it and nobody has changed it.
    pub fn native(&self) -> Option<&Arc<Native>> {
        self.native.as_ref()
    }

    /// The same message, as the result of a tool that failed.
    #[must_use]
    pub fn as_failure(self) -> Self {
        Self {
            has_failed: true,
            ..self
        }
    }

    /// Whether it is the result of a tool that failed.
    pub fn has_failed(&self) -> bool {
        self.has_failed
    }

    /// A message of `role` whose content is `content`: a text, or an array of parts.
    pub fn new(role: &str, content: impl Into<Value>) -> Self {
        let mut fields = Map::new();
        fields.insert("role".to_owned(), role.into());
        fields.insert("content".to_owned(), content.into());
        Self::from_fields(fields)
    }

    /// A system message.
    pub fn system(text: impl Into<String>) -> Self {
        Self::new("system", text.into())
    }

    /// A user message.
    pub fn user(content: impl Into<Value>) -> Self {
        Self::new("user", content)
    }

    /// An assistant message.
    pub fn assistant(text: impl Into<String>) -> Self {
        Self::new("assistant", text.into())
    }

    /// `system`, `developer`, `user`, `assistant`, `tool`, or whatever the sender wrote; empty if
    /// it wrote none.
    pub fn role(&self) -> &str {
        self.get("role").and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether it tells the model how to answer.
    pub(crate) fn is_instruction(&self) -> bool {
        matches!(self.role(), "developer" | "system")
    }

    /// The field `name`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        let fields = self.fields.as_object()?;
        if fields.len() > FEW {
            return fields.get(name);
        }
        // Faster than one hash: messages have few fields, and are looked into all the time.
        let mut fields = fields.iter();
        fields.find_map(|(other, value)| (other == name).then_some(value))
    }

    /// The same message with `name` replaced. What it was in another dialect is lost if that said
    /// the same.
    #[must_use]
    pub fn with(&self, name: &str, value: impl Into<Value>) -> Self {
        let mut fields = self.fields().clone();
        fields.insert(name.to_owned(), value.into());
        let native = self.native.as_ref().filter(|_| !SAID.contains(&name));
        Self {
            native: native.cloned(),
            has_failed: self.has_failed,
            ..Self::from_fields(fields)
        }
    }

    /// The same of a message that nobody else needs: what nobody shares is not copied.
    pub(crate) fn changed(self, name: &str, value: impl Into<Value>) -> Self {
        let mut fields = match Arc::unwrap_or_clone(self.fields) {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        fields.insert(name.to_owned(), value.into());
        Self {
            native: self.native.filter(|_| !SAID.contains(&name)),
            has_failed: self.has_failed,
            ..Self::from_fields(fields)
        }
    }

    /// Every field, in the order in which the sender gave them.
    pub fn fields(&self) -> &Map<String, Value> {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        self.fields.as_object().unwrap_or(&EMPTY)
    }

    /// Whether both share one content.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.fields, &other.fields)
    }

    /// The message as JSON.
    pub(crate) fn as_value(&self) -> &Value {
        &self.fields
    }

    /// All text of the content; text parts are joined by line feeds.
    pub fn text(&self) -> Cow<'_, str> {
        match self.get("content") {
            Some(Value::String(text)) => Cow::Borrowed(text),
            Some(Value::Array(parts)) => {
                let texts: Vec<&str> = parts.iter().filter_map(part_text).collect();
                Cow::Owned(texts.join("\n"))
            }
            _ => Cow::Borrowed(""),
        }
    }

    /// The content's parts that are not text: images, audio, files.
    pub fn attachments(&self) -> Vec<Value> {
        match self.get("content") {
            Some(Value::Array(parts)) => parts
                .iter()
                .filter(|part| part_text(part).is_none())
                .cloned()
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The same message with its text replaced by `text` and its other parts kept, in front of the
    /// text.
    #[must_use]
    pub fn with_text(&self, text: &str) -> Self {
        let mut parts = self.attachments();
        if parts.is_empty() {
            return self.with("content", text);
        }
        parts.push(json!({"type": "text", "text": text}));
        self.with("content", parts)
    }

    /// The tool calls, if there is at least one.
    pub fn tool_calls(&self) -> Option<&Value> {
        self.get("tool_calls")
            .filter(|calls| calls.as_array().is_some_and(|calls| !calls.is_empty()))
    }

    /// The explanation of a model that declined to answer.
    pub fn refusal(&self) -> Option<&str> {
        self.get("refusal")
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
    }
}

fn part_text(part: &Value) -> Option<&str> {
    if let Value::String(text) = part {
        return Some(text);
    }
    part.get("text")
        .and_then(Value::as_str)
        .filter(|_| part.get("type").is_none_or(|kind| kind == "text"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Dialect;

    #[test]
    fn replacing_the_text_keeps_the_images() {
        let image = json!({"type": "image_url", "image_url": {"url": "data:,x"}});
        let message = Message::user(vec![
            json!({"type": "text", "text": "what is"}),
            image.clone(),
            json!({"type": "text", "text": "this?"}),
        ]);
        assert_eq!(message.text(), "what is\nthis?");
        assert_eq!(message.with_text("look").attachments(), [image]);
        assert_eq!(message.with_text("look").text(), "look");
    }

    #[test]
    fn a_message_that_says_something_else_is_no_longer_what_it_was() {
        let native = Native {
            dialect: Dialect::Anthropic,
            model: String::new(),
            value: vec![json!({"type": "text", "text": "a", "cache_control": {}})],
        };
        let message = Message::user("a").with_native(Some(Arc::new(native)));
        assert!(message.clone().native().is_some());
        assert!(message.with("prefix", true).native().is_some());
        for name in SAID {
            assert!(message.with(name, "b").native().is_none(), "{name}");
        }
        assert!(message.with_text("b").native().is_none());
        let failed = Message::new("tool", "no").as_failure();
        assert!(failed.with("content", "no!").has_failed());
    }

    #[test]
    fn an_empty_list_of_tool_calls_is_no_tool_call() {
        assert_eq!(
            Message::assistant("hi")
                .with("tool_calls", json!([]))
                .tool_calls(),
            None
        );
    }
}
