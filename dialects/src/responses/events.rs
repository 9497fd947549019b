//! Events, written for a client.

use serde_json::{Map, Value, json};

use crate::wire::json::{push_text, str_of};
use crate::wire::sse;

/// Writes events under their numbers.
#[derive(Debug, Default)]
pub(super) struct Writer {
    next: u64,
    text: String,
}

/// The item that an event is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) output_index: usize,
    pub(super) item_id: &'a str,
}

/// A part of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Refusal,
    Summary,
    Text,
    /// What a model thought that shows it.
    Thought,
}

impl Part {
    /// The part that `part` is.
    fn of(part: &Value) -> Option<Self> {
        match str_of(part, "type") {
            "output_text" => Some(Self::Text),
            "reasoning_text" => Some(Self::Thought),
            "refusal" => Some(Self::Refusal),
            "summary_text" => Some(Self::Summary),
            _ => None,
        }
    }

    /// The field that holds its text.
    fn field(self) -> &'static str {
        match self {
            Self::Refusal => "refusal",
            Self::Summary | Self::Text | Self::Thought => "text",
        }
    }

    /// How the events of its text begin, and those of the part.
    fn names(self) -> (&'static str, &'static str, &'static str) {
        let content = "response.content_part";
        match self {
            Self::Refusal => ("response.refusal", content, "content_index"),
            Self::Summary => (
                "response.reasoning_summary_text",
                "response.reasoning_summary_part",
                "summary_index",
            ),
            Self::Text => ("response.output_text", content, "content_index"),
            Self::Thought => ("response.reasoning_text", content, "content_index"),
        }
    }
}

/// Bytes of the names in an event with a piece of a text, and of its numbers.
const LONGEST_NAMES: usize = 320;

impl Writer {
    /// What was written since the last time.
    pub(super) fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// Writes the event `kind` with these fields.
    fn event(&mut self, kind: &str, fields: Map<String, Value>) {
        let mut event = Map::from_iter([("type".to_owned(), Value::from(kind))]);
        event.insert("sequence_number".to_owned(), self.next.into());
        event.extend(fields);
        self.next += 1;
        self.text.push_str(&sse::named(kind, &Value::Object(event)));
    }

    /// An event with the whole response.
    pub(super) fn response(&mut self, kind: &str, response: Value) {
        self.event(kind, Map::from_iter([("response".to_owned(), response)]));
    }

    /// A comment.
    pub(super) fn comment(&mut self, text: &str) {
        self.text.push_str(&sse::comment(text));
    }

    fn about(&mut self, kind: &str, place: Place<'_>, more: &[(&str, Value)]) {
        let mut fields = Map::from_iter([("item_id".to_owned(), Value::from(place.item_id))]);
        fields.insert("output_index".to_owned(), place.output_index.into());
        let more = more.iter();
        fields.extend(more.map(|(name, value)| ((*name).to_owned(), value.clone())));
        self.event(kind, fields);
    }

    fn item(&mut self, kind: &str, output_index: usize, item: Value) {
        let mut fields = Map::from_iter([("output_index".to_owned(), output_index.into())]);
        fields.insert("item".to_owned(), item);
        self.event(kind, fields);
    }

    /// An item begins.
    pub(super) fn added(&mut self, output_index: usize, item: Value) {
        self.item("response.output_item.added", output_index, item);
    }

    /// An item ends.
    pub(super) fn done(&mut self, output_index: usize, item: Value) {
        self.item("response.output_item.done", output_index, item);
    }

    /// The part number `index` begins; `whole` is what it will be, or one like it.
    pub(super) fn part_added(&mut self, place: Place<'_>, index: usize, whole: &Value) {
        let Some(part) = Part::of(whole) else {
            return;
        };
        let (_, of_part, name) = part.names();
        let mut empty = whole.clone();
        if let Some(fields) = empty.as_object_mut() {
            fields.insert(part.field().to_owned(), "".into());
            for name in ["annotations", "logprobs"] {
                if fields.contains_key(name) {
                    fields.insert(name.to_owned(), json!([]));
                }
            }
        }
        let more = [(name, index.into()), ("part", empty)];
        self.about(&format!("{of_part}.added"), place, &more);
    }

    /// More of a part's text.
    pub(super) fn delta(
        &mut self,
        place: Place<'_>,
        (part, index): (Part, usize),
        text: &str,
        logprobs: &[Value],
    ) {
        let (of_text, _, name) = part.names();
        let Place {
            output_index,
            item_id,
        } = place;
        // Most events are such, so they are written without a tree.
        let json = &mut self.text;
        json.reserve(LONGEST_NAMES + item_id.len() + text.len());
        for text in ["event: ", of_text, ".delta\ndata: {\"type\":\"", of_text] {
            json.push_str(text);
        }
        json.push_str(".delta\",\"sequence_number\":");
        json.push_str(&self.next.to_string());
        json.push_str(",\"item_id\":");
        push_text(json, item_id);
        json.push_str(",\"output_index\":");
        json.push_str(&output_index.to_string());
        for text in [",\"", name, "\":"] {
            json.push_str(text);
        }
        json.push_str(&index.to_string());
        json.push_str(",\"delta\":");
        push_text(json, text);
        if part == Part::Text {
            json.push_str(",\"logprobs\":");
            json.push_str(&Value::from(logprobs).to_string());
        }
        json.push_str("}\n\n");
        self.next += 1;
    }

    /// The part number `index` ends, as `whole`.
    pub(super) fn part_done(&mut self, place: Place<'_>, index: usize, whole: &Value) {
        let Some(part) = Part::of(whole) else {
            return;
        };
        let (of_text, of_part, name) = part.names();
        let annotations = whole.get("annotations").and_then(Value::as_array);
        for (at, annotation) in annotations.into_iter().flatten().enumerate() {
            let more = [
                (name, index.into()),
                ("annotation_index", at.into()),
                ("annotation", annotation.clone()),
            ];
            self.about("response.output_text.annotation.added", place, &more);
        }
        let field = part.field();
        let mut more = vec![(name, index.into()), (field, str_of(whole, field).into())];
        if part == Part::Text {
            let logprobs = whole.get("logprobs").cloned();
            more.push(("logprobs", logprobs.unwrap_or_else(|| json!([]))));
        }
        self.about(&format!("{of_text}.done"), place, &more);
        let more = [(name, index.into()), ("part", whole.clone())];
        self.about(&format!("{of_part}.done"), place, &more);
    }

    /// More of a call's arguments.
    pub(super) fn arguments(&mut self, place: Place<'_>, text: &str) {
        let kind = "response.function_call_arguments.delta";
        self.about(kind, place, &[("delta", text.into())]);
    }

    /// A call's arguments are whole.
    pub(super) fn called(&mut self, place: Place<'_>, item: &Value) {
        if let Some(input) = item.get("input") {
            let kind = "response.custom_tool_call_input.delta";
            if *input != json!("") {
                self.about(kind, place, &[("delta", input.clone())]);
            }
            let kind = "response.custom_tool_call_input.done";
            self.about(kind, place, &[("input", input.clone())]);
            return;
        }
        let field = |name: &str| item.get(name).cloned().unwrap_or_default();
        let more = [("name", field("name")), ("arguments", field("arguments"))];
        self.about("response.function_call_arguments.done", place, &more);
    }

    /// An item that is there at once.
    pub(super) fn whole(&mut self, output_index: usize, item: &Value) {
        self.added(output_index, begun(item));
        let place = Place {
            output_index,
            item_id: str_of(item, "id"),
        };
        for name in ["summary", "content"] {
            let parts = item.get(name).and_then(Value::as_array);
            for (index, part) in parts.into_iter().flatten().enumerate() {
                self.part(place, index, part);
            }
        }
        match str_of(item, "type") {
            "function_call" => {
                let arguments = str_of(item, "arguments");
                if !arguments.is_empty() {
                    self.arguments(place, arguments);
                }
                self.called(place, item);
            }
            "custom_tool_call" => self.called(place, item),
            _ => {}
        }
        self.done(output_index, item.clone());
    }

    fn part(&mut self, place: Place<'_>, index: usize, whole: &Value) {
        let Some(part) = Part::of(whole) else {
            return;
        };
        self.part_added(place, index, whole);
        let text = str_of(whole, part.field());
        if !text.is_empty() {
            self.delta(place, (part, index), text, &[]);
        }
        self.part_done(place, index, whole);
    }
}

/// An item as it begins: with nothing in it of what comes in pieces.
pub(super) fn begun(item: &Value) -> Value {
    let mut begun = item.clone();
    let kind = str_of(item, "type");
    let Some(fields) = begun.as_object_mut() else {
        return begun;
    };
    match kind {
        "message" => drop(fields.insert("content".to_owned(), json!([]))),
        "reasoning" => {
            fields.insert("summary".to_owned(), json!([]));
            fields.shift_remove("content");
            fields.shift_remove("encrypted_content");
        }
        "function_call" => drop(fields.insert("arguments".to_owned(), "".into())),
        "custom_tool_call" => drop(fields.insert("input".to_owned(), "".into())),
        _ => {}
    }
    if fields.contains_key("status") {
        fields.insert("status".to_owned(), "in_progress".into());
    }
    begun
}
