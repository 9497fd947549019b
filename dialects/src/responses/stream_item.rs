//! An item of an upstream's stream as far as it has come.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer_in::Heard;
use super::said::APART;
use super::tools::flat;
use crate::wire::json::str_of;

/// What names the item that an event is about. Some servers leave out one or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark<'a> {
    pub(super) output_index: Option<u64>,
    pub(super) item_id: &'a str,
}

impl<'a> Mark<'a> {
    pub(super) fn of(event: &'a Value) -> Self {
        Self {
            output_index: event.get("output_index").and_then(Value::as_u64),
            item_id: str_of(event, "item_id"),
        }
    }
}

/// A text of an item: which kind, and the number among its kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    pub(super) kind: Kind,
    pub(super) index: u64,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Summary,
    Thought,
    Text,
    Refusal,
}

/// The events that have a text: how they are called, what it is, the field that holds it.
const TEXTS: [(&str, Kind, &str); 8] = [
    ("response.output_text.delta", Kind::Text, "delta"),
    ("response.output_text.done", Kind::Text, "text"),
    (
        "response.reasoning_summary_text.delta",
        Kind::Summary,
        "delta",
    ),
    (
        "response.reasoning_summary_text.done",
        Kind::Summary,
        "text",
    ),
    ("response.reasoning_text.delta", Kind::Thought, "delta"),
    ("response.reasoning_text.done", Kind::Thought, "text"),
    ("response.refusal.delta", Kind::Refusal, "delta"),
    ("response.refusal.done", Kind::Refusal, "refusal"),
];

/// The part and the text of an event that has one, and whether it is all of the part's text.
pub(super) fn text_of<'a>(name: &str, event: &'a Value) -> Option<(Part, &'a str, bool)> {
    let (_, kind, field) = TEXTS.iter().find(|(known, ..)| *known == name)?;
    let index = index_of(event);
    let part = Part { kind: *kind, index };
    Some((part, str_of(event, field), *field != "delta"))
}

/// The number of the part that an event is about.
pub(super) fn index_of(event: &Value) -> u64 {
    let names = ["summary_index", "content_index"];
    let mut told = names.iter().filter_map(|name| event.get(*name)?.as_u64());
    told.next().unwrap_or(0)
}

/// The kind and the text of a whole part.
pub(super) fn part_of(part: &Value) -> Option<(Kind, &str)> {
    match str_of(part, "type") {
        "output_text" | "text" => Some((Kind::Text, str_of(part, "text"))),
        "reasoning_text" => Some((Kind::Thought, str_of(part, "text"))),
        "refusal" => Some((Kind::Refusal, str_of(part, "refusal"))),
        "summary_text" => Some((Kind::Summary, str_of(part, "text"))),
        _ => None,
    }
}

/// The texts of a whole item, in order.
pub(super) fn texts_of(item: &Value) -> Vec<(Part, String)> {
    let mut texts = Vec::new();
    for name in ["summary", "content"] {
        let parts = item.get(name).and_then(Value::as_array);
        for (index, part) in (0_u64..).zip(parts.into_iter().flatten()) {
            if let Some((kind, text)) = part_of(part) {
                texts.push((Part { kind, index }, text.to_owned()));
            }
        }
    }
    texts
}

/// The item.
#[derive(Debug, Default)]
pub(super) struct Item {
    /// As it began.
    pub(super) value: Value,
    texts: BTreeMap<Part, String>,
    /// Its number among the calls, if it is one that has been told.
    pub(super) call: Option<u32>,
    arguments: String,
    /// Bytes of those that have been told.
    told: usize,
}

impl Item {
    pub(super) fn new(value: Value) -> Self {
        Self {
            value,
            ..Self::default()
        }
    }

    /// Whether it is a call that gives a text.
    pub(super) fn is_custom(&self) -> bool {
        str_of(&self.value, "type") == "custom_tool_call"
    }

    pub(super) fn is_call(&self) -> bool {
        self.is_custom() || str_of(&self.value, "type") == "function_call"
    }

    /// What chat calls the tool.
    pub(super) fn name(&self) -> String {
        let name = str_of(&self.value, "name");
        if name.is_empty() {
            return String::new();
        }
        flat(str_of(&self.value, "namespace"), name)
    }

    /// Adds to the text of `part`.
    pub(super) fn add(&mut self, part: Part, more: &str) {
        self.texts.entry(part).or_default().push_str(more);
    }

    /// What of `whole` has not come yet. A whole that is another text than what came adds nothing.
    pub(super) fn rest<'a>(&self, part: Part, whole: &'a str) -> &'a str {
        let said = self.texts.get(&part).map_or("", String::as_str);
        whole.strip_prefix(said).unwrap_or_default()
    }

    /// More arguments.
    pub(super) fn argue(&mut self, more: &str) {
        self.arguments.push_str(more);
    }

    /// All of the arguments. Those that came in pieces count for more.
    pub(super) fn settle(&mut self, whole: &str) {
        if let Some(rest) = whole.strip_prefix(self.arguments.as_str()) {
            self.arguments.push_str(rest);
        }
    }

    /// What is to be told of the arguments, and whether it is the first of it.
    pub(super) fn untold(&mut self) -> (String, bool) {
        let untold = self.arguments.get(self.told..).unwrap_or_default();
        let untold = untold.to_owned();
        let is_first = self.told == 0;
        self.told = self.arguments.len();
        (untold, is_first)
    }

    /// Whether nothing was told of the arguments.
    pub(super) fn is_untold(&self) -> bool {
        self.told == 0
    }

    /// The whole item, of one whose end never came.
    pub(super) fn assembled(&self) -> Value {
        let mut whole = self.value.clone();
        let is_custom = self.is_custom();
        let is_call = self.is_call();
        let Some(fields) = whole.as_object_mut() else {
            return whole;
        };
        if is_call {
            let name = if is_custom { "input" } else { "arguments" };
            fields.insert(name.to_owned(), self.arguments.as_str().into());
            return whole;
        }
        let (mut summary, mut content) = (Vec::new(), Vec::new());
        for (part, text) in &self.texts {
            match part.kind {
                Kind::Summary => summary.push(json!({"type": "summary_text", "text": text})),
                Kind::Thought => content.push(json!({"type": "reasoning_text", "text": text})),
                Kind::Refusal => content.push(json!({"type": "refusal", "refusal": text})),
                Kind::Text => content.push(json!({"type": "output_text", "text": text,
                    "annotations": []})),
            }
        }
        if str_of(&self.value, "type") == "reasoning" {
            fields.insert("summary".to_owned(), summary.into());
        }
        if !content.is_empty() {
            fields.insert("content".to_owned(), content.into());
        }
        whole
    }
}

/// What was told of an answer's texts.
#[derive(Debug, Default)]
pub(super) struct Speech {
    pub(super) heard: Heard,
    /// The item whose text came last.
    speaker: Option<u64>,
    /// The part of reasoning that came last.
    thought: Option<(u64, Part)>,
}

impl Speech {
    /// Chat's field for `more` of the part of the item at `place`, and what it adds there: texts of
    /// their own are set apart.
    pub(super) fn tell(&mut self, place: u64, part: Part, more: &str) -> (&'static str, String) {
        let (field, is_apart) = match part.kind {
            Kind::Text => {
                self.heard.text = true;
                let before = self.speaker.replace(place);
                ("content", before.is_some_and(|before| before != place))
            }
            Kind::Summary | Kind::Thought => {
                self.heard.thought = true;
                let before = self.thought.replace((place, part));
                let is_apart = before.is_some_and(|before| before != (place, part));
                ("reasoning_content", is_apart)
            }
            Kind::Refusal => {
                self.heard.refusal = true;
                ("refusal", false)
            }
        };
        let apart = if is_apart { APART } else { "" };
        (field, format!("{apart}{more}"))
    }
}

/// The error in an event, which is flat or has a member of its own.
pub(super) fn error_of(event: &Value) -> Value {
    if event.get("error").is_some_and(Value::is_object) {
        return event.clone();
    }
    let mut error = event.clone();
    if let Some(fields) = error.as_object_mut() {
        fields.shift_remove("type");
        fields.shift_remove("sequence_number");
    }
    json!({ "error": error })
}

/// Takes what names a call from where it is told.
pub(super) fn named(item: &mut Item, told: &Value) {
    let Some(fields) = item.value.as_object_mut() else {
        return;
    };
    for name in ["name", "namespace", "call_id"] {
        let is_missing = fields
            .get(name)
            .and_then(Value::as_str)
            .is_none_or(str::is_empty);
        let value = told.get(name).filter(|value| value.is_string());
        if let (true, Some(value)) = (is_missing, value) {
            fields.insert(name.to_owned(), value.clone());
        }
    }
}

/// The arguments of a whole call, as it writes them.
pub(super) fn arguments_of(item: &Value) -> String {
    let told = item.get("arguments").or_else(|| item.get("input"));
    match told {
        Some(Value::String(text)) => text.clone(),
        Some(value @ Value::Object(_)) => value.to_string(),
        _ => String::new(),
    }
}

/// A piece of a text as it stands within a JSON string.
pub(super) fn escaped(text: &str) -> String {
    let quoted = Value::from(text).to_string();
    let inner = quoted
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    inner.unwrap_or_default().to_owned()
}

/// The response of the event that ends a stream, which says how it ended too. Some servers send the
/// response as it began.
pub(super) fn with_status(response: &Value, status: &str) -> Value {
    let mut response = response.clone();
    let has_ended = matches!(str_of(&response, "status"), "completed" | "incomplete");
    if let (false, Some(fields)) = (has_ended, response.as_object_mut()) {
        fields.insert("status".to_owned(), status.into());
    }
    response
}
