//! A stream of Responses as OpenAI's SDKs and Codex read it: what they would stumble over is a
//! fault here.

use serde_json::{Map, Value, json};

use super::response::{check_item, check_response};

/// How a stream ended.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    /// With this status.
    Whole(String),
    /// With an error; its code.
    Failed(String),
}

/// What a stream says.
#[derive(Debug)]
pub(crate) struct Read {
    /// The items as their `done` events have them.
    pub(crate) items: Vec<Value>,
    /// The response that ends it.
    pub(crate) response: Value,
    pub(crate) end: End,
    /// How often it has told that it is alive.
    pub(crate) beats: usize,
}

#[derive(Default)]
struct State {
    next: u64,
    id: Option<String>,
    has_started: bool,
    items: Vec<Value>,
    open: Option<Open>,
    end: Option<(End, Value)>,
    beats: usize,
    ids: Vec<String>,
}

/// The item that is open.
struct Open {
    item: Value,
    /// Its parts that have ended.
    parts: Vec<Value>,
    part: Option<(Value, bool)>,
    annotations: usize,
    arguments: String,
    are_whole: bool,
}

/// Reads a whole stream.
pub(crate) fn read(text: &str) -> Result<Read, String> {
    let mut state = State::default();
    if !text.ends_with("\n\n") {
        return Err("does not end with an event".to_owned());
    }
    for event in text.split_terminator("\n\n") {
        state
            .event(event)
            .map_err(|why| format!("{why}: {event}"))?;
    }
    let (end, response) = state.end.ok_or("has no end")?;
    Ok(Read {
        items: state.items,
        response,
        end,
        beats: state.beats,
    })
}

impl State {
    fn event(&mut self, event: &str) -> Result<(), String> {
        if event.starts_with(": ") && !event.contains('\n') {
            let is_fit = self.id.is_none() || self.end.is_some();
            return is_fit.then_some(()).ok_or("a comment".to_owned());
        }
        if self.end.is_some() {
            return Err("after the end".to_owned());
        }
        let (name, data) = event.split_once('\n').ok_or("one line")?;
        let name = name.strip_prefix("event: ").ok_or("no name")?;
        let data = data.strip_prefix("data: ").ok_or("no data")?;
        let data: Value = serde_json::from_str(data).map_err(|error| error.to_string())?;
        if data["type"] != name {
            return Err("two names".to_owned());
        }
        if data["sequence_number"] != self.next {
            return Err(format!("not number {}", self.next));
        }
        self.next += 1;
        match name {
            "response.created" | "response.in_progress" => self.begin(name, &data["response"]),
            "response.completed" | "response.incomplete" | "response.failed" => {
                self.finish(name, &data["response"])
            }
            "response.output_item.added" => self.added(&data),
            "response.output_item.done" => self.done(&data),
            _ => self.within(name, &data),
        }
    }

    fn begin(&mut self, name: &str, response: &Value) -> Result<(), String> {
        check_response(response)?;
        let id = response["id"].as_str().unwrap_or_default();
        let is_first = name == "response.created";
        let is_right = match &self.id {
            None => is_first,
            Some(known) => !is_first && known == id,
        };
        let is_empty = response["status"] == "in_progress" && response["output"] == json!([]);
        (is_right && is_empty).then_some(()).ok_or("a beginning")?;
        self.id = Some(id.to_owned());
        if !is_first && std::mem::replace(&mut self.has_started, true) {
            self.beats += 1;
        }
        Ok(())
    }

    fn finish(&mut self, name: &str, response: &Value) -> Result<(), String> {
        check_response(response)?;
        let status = response["status"].as_str().unwrap_or_default();
        let is_right = name == format!("response.{status}")
            && self.has_started
            && response["id"].as_str() == self.id.as_deref()
            && response["output"] == json!(self.items);
        is_right
            .then_some(())
            .ok_or("an end that is not the stream's")?;
        let end = if status == "failed" {
            let code = response["error"]["code"].as_str().unwrap_or_default();
            End::Failed(code.to_owned())
        } else {
            self.open.is_none().then_some(()).ok_or("an open item")?;
            End::Whole(status.to_owned())
        };
        self.end = Some((end, response.clone()));
        Ok(())
    }

    fn is_next(&self, data: &Value) -> bool {
        data["output_index"].as_u64() == Some(self.items.len() as u64)
    }

    fn added(&mut self, data: &Value) -> Result<(), String> {
        if !self.has_started || self.open.is_some() || !self.is_next(data) {
            return Err("an item at the wrong place".to_owned());
        }
        let item = data["item"].clone();
        check_item(&item)?;
        let id = item["id"].as_str().unwrap_or_default().to_owned();
        if self.ids.contains(&id) {
            return Err("an id that was there".to_owned());
        }
        self.ids.push(id);
        let empty = [("content", json!([])), ("summary", json!([]))];
        let texts = [("arguments", json!("")), ("input", json!(""))];
        let is_ours = matches!(
            item["type"].as_str(),
            Some("message" | "reasoning" | "function_call" | "custom_tool_call")
        );
        for (name, value) in empty.into_iter().chain(texts) {
            if is_ours && item.get(name).is_some_and(|found| *found != value) {
                return Err(format!("an item that begins with {name}"));
            }
        }
        self.open = Some(Open {
            item,
            parts: Vec::new(),
            part: None,
            annotations: 0,
            arguments: String::new(),
            are_whole: false,
        });
        Ok(())
    }

    fn within(&mut self, name: &str, data: &Value) -> Result<(), String> {
        let is_next = self.is_next(data);
        let open = self.open.as_mut().ok_or("no item")?;
        if !is_next || data["item_id"] != open.item["id"] {
            return Err("another item's".to_owned());
        }
        open.event(name, data)
    }

    fn done(&mut self, data: &Value) -> Result<(), String> {
        let is_next = self.is_next(data);
        let open = self.open.take().filter(|_| is_next).ok_or("no item")?;
        let item = data["item"].clone();
        check_item(&item)?;
        for name in ["id", "type", "call_id", "name", "namespace", "role"] {
            if item.get(name) != open.item.get(name) {
                return Err(format!("another {name}"));
            }
        }
        open.check(&item)?;
        self.items.push(item);
        Ok(())
    }
}

/// The kind of part, its field and the name of its number, by how its text's events begin.
fn text_of(name: &str) -> Option<(&'static str, &'static str, &'static str)> {
    match name.rsplit_once('.')?.0 {
        "response.output_text" => Some(("output_text", "text", "content_index")),
        "response.refusal" => Some(("refusal", "refusal", "content_index")),
        "response.reasoning_text" => Some(("reasoning_text", "text", "content_index")),
        "response.reasoning_summary_text" => Some(("summary_text", "text", "summary_index")),
        _ => None,
    }
}

impl Open {
    fn event(&mut self, name: &str, data: &Value) -> Result<(), String> {
        match name {
            "response.content_part.added" => self.part_added(data, "content_index"),
            "response.reasoning_summary_part.added" => self.part_added(data, "summary_index"),
            "response.content_part.done" => self.part_done(data, "content_index"),
            "response.reasoning_summary_part.done" => self.part_done(data, "summary_index"),
            "response.output_text.annotation.added" => {
                let is_next = data["annotation_index"] == self.annotations;
                self.annotations += 1;
                is_next.then_some(()).ok_or("an annotation".to_owned())
            }
            "response.function_call_arguments.delta" => self.more(data, "function_call"),
            "response.custom_tool_call_input.delta" => self.more(data, "custom_tool_call"),
            "response.function_call_arguments.done" => self.whole(data, "arguments"),
            "response.custom_tool_call_input.done" => self.whole(data, "input"),
            _ => self.text(name, data),
        }
    }

    fn is_number(&self, data: &Value, number: &str) -> bool {
        let is_summary = number == "summary_index";
        let parts = self.parts.iter();
        let like = parts.filter(|part| (part["type"] == "summary_text") == is_summary);
        data[number].as_u64() == Some(like.count() as u64)
    }

    fn part_added(&mut self, data: &Value, number: &str) -> Result<(), String> {
        let part = data["part"].clone();
        let is_empty = ["text", "refusal"]
            .iter()
            .all(|name| part.get(name).is_none_or(|text| text == ""));
        if self.part.is_some() || !self.is_number(data, number) || !is_empty {
            return Err("a part at the wrong place".to_owned());
        }
        self.part = Some((part, false));
        Ok(())
    }

    fn text(&mut self, name: &str, data: &Value) -> Result<(), String> {
        let (kind, field, number) = text_of(name).ok_or("unknown")?;
        let is_number = self.is_number(data, number);
        let (part, has_ended) = self.part.as_mut().ok_or("no part")?;
        if part["type"] != kind || !is_number || *has_ended {
            return Err("a text of another part".to_owned());
        }
        if kind == "output_text" && !data["logprobs"].is_array() {
            return Err("no logprobs".to_owned());
        }
        if name.rsplit_once('.').is_some_and(|(_, end)| end == "done") {
            *has_ended = true;
            let is_same = data[field] == part[field];
            return is_same.then_some(()).ok_or("another text".to_owned());
        }
        let more = data["delta"].as_str().filter(|more| !more.is_empty());
        let more = more.ok_or("an empty delta")?;
        let whole = format!("{}{more}", part[field].as_str().unwrap_or_default());
        part[field] = whole.into();
        Ok(())
    }

    fn part_done(&mut self, data: &Value, number: &str) -> Result<(), String> {
        let is_number = self.is_number(data, number);
        let (part, has_ended) = self.part.take().ok_or("no part")?;
        let whole = data["part"].clone();
        let is_same = ["type", "text", "refusal"]
            .iter()
            .all(|name| whole.get(name) == part.get(name));
        (is_number && has_ended && is_same)
            .then_some(())
            .ok_or("a part's end".to_owned())?;
        self.parts.push(whole);
        Ok(())
    }

    fn more(&mut self, data: &Value, kind: &str) -> Result<(), String> {
        let more = data["delta"].as_str().filter(|more| !more.is_empty());
        let more = more.ok_or("an empty delta")?;
        self.arguments.push_str(more);
        let is_right = self.item["type"] == kind && !self.are_whole;
        is_right.then_some(()).ok_or("no call".to_owned())
    }

    fn whole(&mut self, data: &Value, field: &str) -> Result<(), String> {
        let is_right = data[field] == *self.arguments && !self.are_whole;
        let is_named = field == "input" || data["name"] == self.item["name"];
        self.are_whole = true;
        (is_right && is_named)
            .then_some(())
            .ok_or("other arguments".to_owned())
    }

    /// Whether `item` is what the events have said.
    fn check(&self, item: &Value) -> Result<(), String> {
        let kind = item["type"].as_str().unwrap_or_default();
        let of = |names: &[&str]| -> Vec<Value> {
            let lists = names.iter().filter_map(|name| item.get(*name)?.as_array());
            lists.flatten().cloned().collect()
        };
        let is_right = match kind {
            "message" => self.part.is_none() && of(&["content"]) == self.parts,
            "reasoning" => self.part.is_none() && of(&["summary", "content"]) == self.parts,
            "function_call" => self.are_whole && item["arguments"] == *self.arguments,
            "custom_tool_call" => self.are_whole && item["input"] == *self.arguments,
            _ => true,
        };
        is_right
            .then_some(())
            .ok_or("an item that was not said".to_owned())?;
        let empty = Map::new();
        let fields = item.as_object().unwrap_or(&empty);
        let says_nothing = kind == "message" && fields["content"] == json!([]);
        (!says_nothing)
            .then_some(())
            .ok_or("an empty message".to_owned())
    }
}
