//! Anthropic's stream as its SDKs read it: what they would stumble over is a fault here.

use serde_json::{Map, Value};

/// How a stream ended.
#[derive(Debug, PartialEq)]
pub(crate) enum End {
    /// With `message_stop`; the `stop_reason`.
    Whole(String),
    /// With an error; its type.
    Error(String),
}

/// What a stream says.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) id: String,
    pub(crate) blocks: Vec<Value>,
    pub(crate) usage: Value,
    pub(crate) end: End,
}

#[derive(Default)]
struct State {
    id: Option<String>,
    blocks: Vec<Value>,
    /// The input of the call that is open, as it comes.
    input: String,
    open: Option<Value>,
    reason: Option<(String, Value)>,
    end: Option<End>,
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
    let (_, usage) = state.reason.unwrap_or_default();
    Ok(Read {
        id: state.id.unwrap_or_default(),
        blocks: state.blocks,
        usage,
        end: state.end.ok_or("has no end")?,
    })
}

fn only(value: &Value, names: &[&str]) -> Result<(), String> {
    let fields = value.as_object().ok_or("is no object")?;
    let mut found: Vec<&str> = fields.keys().map(String::as_str).collect();
    let mut wanted = names.to_vec();
    found.sort_unstable();
    wanted.sort_unstable();
    (found == wanted)
        .then_some(())
        .ok_or(format!("{found:?}, not {wanted:?}"))
}

impl State {
    fn event(&mut self, event: &str) -> Result<(), String> {
        if event.starts_with(": ") && !event.contains('\n') {
            let is_last = matches!(self.end, Some(End::Whole(_)));
            return is_last.then_some(()).ok_or("a comment".to_owned());
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
        match name {
            "ping" => only(&data, &["type"]),
            "error" => self.error(&data),
            "message_start" => self.start(&data),
            "content_block_start" => self.block_start(&data),
            "content_block_delta" => self.block_delta(&data),
            "content_block_stop" => self.block_stop(&data),
            "message_delta" => self.message_delta(&data),
            "message_stop" => self.stop(&data),
            _ => Err("unknown".to_owned()),
        }
    }

    fn error(&mut self, data: &Value) -> Result<(), String> {
        let kind = data["error"]["type"].as_str().ok_or("no type")?;
        data["error"]["message"].as_str().ok_or("no message")?;
        self.end = Some(End::Error(kind.to_owned()));
        Ok(())
    }

    fn start(&mut self, data: &Value) -> Result<(), String> {
        let message = &data["message"];
        only(
            message,
            &[
                "id",
                "type",
                "role",
                "model",
                "content",
                "stop_reason",
                "stop_sequence",
                "usage",
            ],
        )?;
        let id = message["id"].as_str().ok_or("no id")?;
        let is_right = id.starts_with("msg_")
            && message["type"] == "message"
            && message["role"] == "assistant"
            && message["content"] == serde_json::json!([])
            && message["stop_reason"].is_null()
            && message["usage"]["input_tokens"].is_u64()
            && message["usage"]["output_tokens"].is_u64();
        if self.id.is_some() || !is_right {
            return Err("a start".to_owned());
        }
        self.id = Some(id.to_owned());
        Ok(())
    }

    fn block_start(&mut self, data: &Value) -> Result<(), String> {
        only(data, &["type", "index", "content_block"])?;
        let is_next = data["index"].as_u64() == Some(self.blocks.len() as u64);
        if self.id.is_none() || self.open.is_some() || self.reason.is_some() || !is_next {
            return Err("a block at the wrong place".to_owned());
        }
        let block = data["content_block"].clone();
        let is_empty = match block["type"].as_str().ok_or("no type")? {
            "text" => block["text"] == "",
            "thinking" => block["thinking"] == "" && block["signature"] == "",
            "tool_use" => {
                only(&block, &["type", "id", "name", "input"])?;
                let id = block["id"].as_str().unwrap_or_default();
                let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                let is_id = (1..=64).contains(&id.len()) && id.chars().all(fits);
                is_id && block["name"].is_string() && block["input"] == Value::Object(Map::new())
            }
            _ => true,
        };
        self.open = Some(block);
        self.input.clear();
        is_empty
            .then_some(())
            .ok_or("a block that is not empty".to_owned())
    }

    fn block_delta(&mut self, data: &Value) -> Result<(), String> {
        only(data, &["type", "index", "delta"])?;
        let is_open = data["index"].as_u64() == Some(self.blocks.len() as u64);
        let block = self.open.as_mut().filter(|_| is_open).ok_or("no block")?;
        let delta = &data["delta"];
        let (of, field) = match delta["type"].as_str().ok_or("no type")? {
            "text_delta" => ("text", "text"),
            "thinking_delta" => ("thinking", "thinking"),
            "signature_delta" => ("thinking", "signature"),
            "input_json_delta" => ("", "partial_json"),
            "citations_delta" => return Ok(()),
            _ => return Err("unknown delta".to_owned()),
        };
        let more = delta[field].as_str().filter(|more| !more.is_empty());
        let more = more.ok_or("an empty delta")?;
        if of.is_empty() {
            let kind = block["type"].as_str().unwrap_or_default();
            self.input.push_str(more);
            return kind
                .ends_with("tool_use")
                .then_some(())
                .ok_or("no tool".to_owned());
        }
        if block["type"] != of {
            return Err("a delta of another kind".to_owned());
        }
        let is_late = of == "thinking" && block["signature"] != "";
        let whole = format!("{}{more}", block[field].as_str().unwrap_or_default());
        block[field] = whole.into();
        (!is_late)
            .then_some(())
            .ok_or("after the signature".to_owned())
    }

    fn block_stop(&mut self, data: &Value) -> Result<(), String> {
        only(data, &["type", "index"])?;
        let is_open = data["index"].as_u64() == Some(self.blocks.len() as u64);
        let mut block = self.open.take().filter(|_| is_open).ok_or("no block")?;
        if block["type"] == "thinking" && block["signature"] == "" {
            return Err("no signature".to_owned());
        }
        if block["type"] == "text" && block["text"] == "" {
            return Err("an empty text".to_owned());
        }
        if !self.input.is_empty() {
            block["input"] = serde_json::from_str(&self.input).unwrap_or(Value::Null);
        }
        self.blocks.push(block);
        Ok(())
    }

    fn message_delta(&mut self, data: &Value) -> Result<(), String> {
        only(data, &["type", "delta", "usage"])?;
        only(&data["delta"], &["stop_reason", "stop_sequence"])?;
        let usage = &data["usage"];
        let counters = [
            "input_tokens",
            "output_tokens",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
        ];
        let are_there = counters.iter().all(|name| usage[name].is_u64());
        let reason = data["delta"]["stop_reason"].as_str().ok_or("no reason")?;
        if self.open.is_some() || self.id.is_none() || self.reason.is_some() || !are_there {
            return Err("an end at the wrong place".to_owned());
        }
        self.reason = Some((reason.to_owned(), usage.clone()));
        Ok(())
    }

    fn stop(&mut self, data: &Value) -> Result<(), String> {
        only(data, &["type"])?;
        let (reason, _) = self.reason.as_ref().ok_or("no reason")?;
        let calls = self.blocks.iter().any(|block| block["type"] == "tool_use");
        if (reason == "tool_use") != calls && reason != "max_tokens" {
            return Err("a reason that is not the blocks'".to_owned());
        }
        self.end = Some(End::Whole(reason.clone()));
        Ok(())
    }
}
