//! A response as an object.

use serde_json::{Value, json};

use super::MAKER;
use crate::ask::Ask;
use crate::endpoints::CREATED;
use crate::endpoints::fields::{list, text};
use crate::endpoints::reply::{Call, Reply, Stop};
use crate::endpoints::signature;
use crate::knobs::Ending;
use crate::script::Script;

/// Why the simulated model refuses.
pub(super) const REFUSAL: &str = "I'm sorry, but I can't help with that.";

/// An answer, and how it was asked for.
pub(super) struct Answer<'a> {
    pub(super) ask: &'a Ask,
    pub(super) model: &'a str,
    pub(super) reply: &'a Reply,
}

/// What a request says that its response repeats, and what it says otherwise.
const ECHOED: [(&str, &str); 14] = [
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("reasoning", r#"{"effort": null, "summary": null}"#),
    ("store", "true"),
    ("temperature", "1.0"),
    ("text", r#"{"format": {"type": "text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_p", "1.0"),
    ("truncation", r#""disabled""#),
];

impl Answer<'_> {
    /// All of it, at once.
    pub(super) fn whole(&self) -> Script {
        let object = self.object(self.status(), &self.output());
        self.reply.whole(&self.ask.knobs, &object)
    }

    /// How it ended.
    pub(super) fn status(&self) -> &'static str {
        match self.reply.stop {
            Stop::Length | Stop::Told(Ending::Filter | Ending::Blocked | Ending::Pause) => {
                "incomplete"
            }
            Stop::Told(Ending::Failed | Ending::MalformedCall) => "failed",
            Stop::End | Stop::Calls | Stop::Sequence(_) | Stop::Told(Ending::Refusal) => {
                "completed"
            }
        }
    }

    /// The response, in this state.
    pub(super) fn object(&self, status: &str, output: &[Value]) -> Value {
        let reason = match self.reply.stop {
            Stop::Length => "max_output_tokens",
            Stop::Told(Ending::Pause) => "pause",
            _ => "content_filter",
        };
        let details = (status == "incomplete").then(|| json!({"reason": reason}));
        let error = (status == "failed").then(|| {
            json!({"code": "server_error",
                "message": "This error was injected by the simulated provider."})
        });
        let is_over = status != "in_progress";
        let usage = (is_over && self.ask.knobs.usage.is_told()).then(|| self.usage());
        let mut object = json!({"id": self.reply.id("resp_"), "object": "response",
            "created_at": CREATED, "status": status, "background": false, "error": error,
            "incomplete_details": details, "model": self.model, "output": output, "usage": usage,
            "service_tier": "default", "user": null});
        if let Some(object) = object.as_object_mut() {
            for (name, otherwise) in ECHOED {
                let said = self.ask.get(name).cloned();
                let otherwise = || serde_json::from_str(otherwise).unwrap_or_default();
                object.insert(name.to_owned(), said.unwrap_or_else(otherwise));
            }
        }
        object
    }

    fn usage(&self) -> Value {
        let (input, output) = (self.reply.prompt_tokens, self.reply.tokens());
        let mut usage = json!({
            "input_tokens": input,
            "input_tokens_details": {"cached_tokens": self.reply.cached},
            "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": self.reply.thinking()},
            "total_tokens": input.saturating_add(output),
        });
        if self.reply.written > 0
            && let Some(details) = usage.pointer_mut("/input_tokens_details")
            && let Some(details) = details.as_object_mut()
        {
            details.insert("cache_write_tokens".to_owned(), json!(self.reply.written));
        }
        usage
    }

    /// The id of an item behind reasoning says that it is one of a pair.
    fn paired(&self, id: String) -> String {
        if self.reply.thoughts.is_empty() {
            id
        } else {
            id + "r"
        }
    }

    /// The items, finished.
    pub(super) fn output(&self) -> Vec<Value> {
        let mut output = Vec::new();
        output.extend(self.reasoning(true));
        let status = if self.status() == "incomplete" {
            "incomplete"
        } else {
            "completed"
        };
        output.extend(self.message(status, self.part().as_slice()));
        let calls = self.reply.calls.iter().enumerate();
        output.extend(
            calls
                .filter(|(_, call)| call.is_whole)
                .map(|(index, call)| self.call(index, call, status, &call.arguments())),
        );
        output
    }

    /// The summary of the reasoning, where it was asked for.
    pub(super) fn summary(&self) -> Option<String> {
        let reasoning = self.ask.get("reasoning")?;
        let name = ["summary", "generate_summary"];
        name.into_iter().find_map(|name| text(reasoning, name))?;
        Some(self.reply.thoughts.concat())
    }

    /// The item of the reasoning: its summary and what it was, once it is done.
    pub(super) fn reasoning(&self, is_done: bool) -> Option<Value> {
        if self.reply.thoughts.is_empty() {
            return None;
        }
        let summary: Vec<Value> = self
            .summary()
            .filter(|_| is_done)
            .map(|text| json!({"type": "summary_text", "text": text}))
            .into_iter()
            .collect();
        let mut item = json!({"id": self.reply.id("rs_"), "type": "reasoning", "summary": summary});
        let include = self.ask.get("include").and_then(Value::as_array);
        let is_included = include
            .into_iter()
            .flatten()
            .any(|name| name == "reasoning.encrypted_content");
        if let Some(item) = item.as_object_mut().filter(|_| is_included) {
            let content = signature::sign(MAKER, self.model, "", self.reply.number);
            item.insert("encrypted_content".to_owned(), json!(content));
        }
        Some(item)
    }

    /// What the message has in it.
    pub(super) fn part(&self) -> Option<Value> {
        if self.reply.stop == Stop::Told(Ending::Refusal) {
            return Some(json!({"type": "refusal", "refusal": REFUSAL}));
        }
        (!self.reply.text.is_empty()).then(|| said(&self.reply.text.concat()))
    }

    pub(super) fn message_id(&self) -> String {
        self.paired(self.reply.id("msg_"))
    }

    /// The item of the text, if there is any.
    pub(super) fn message(&self, status: &str, content: &[Value]) -> Option<Value> {
        self.part()?;
        Some(
            json!({"id": self.message_id(), "type": "message", "status": status,
            "role": "assistant", "content": content}),
        )
    }

    /// The item of a call.
    pub(super) fn call(&self, index: usize, call: &Call, status: &str, input: &str) -> Value {
        let call_id = self.reply.numbered("call_", index);
        let (kind, prefix, name) = if call.is_text {
            ("custom_tool_call", "ctc_", "input")
        } else {
            ("function_call", "fc_", "arguments")
        };
        let id = self.paired(self.reply.numbered(prefix, index));
        let mut item = json!({"id": id, "type": kind, "status": status, "call_id": call_id,
            "name": call.name, name: input});
        if let (Some(item), Some(namespace)) = (item.as_object_mut(), &call.namespace) {
            item.insert("namespace".to_owned(), json!(namespace));
        }
        item
    }
}

/// A part of text.
pub(super) fn said(text: &str) -> Value {
    json!({"type": "output_text", "text": text, "annotations": [], "logprobs": []})
}

/// Whether an item was made here behind reasoning, and the id of that.
pub(super) fn reasoning_of(item: &Value) -> Option<String> {
    let id = text(item, "id")?;
    let (_, rest) = id.split_once("_sim")?;
    let digits = rest.strip_suffix('r')?.get(..16)?;
    Some(format!("rs_sim{digits}"))
}

/// Texts of a list of parts, or of a text.
pub(super) fn is_text_or_list(item: &Value, name: &str) -> bool {
    text(item, name).is_some()
        || item.get(name).is_some_and(Value::is_array)
            && list(item, name)
                .iter()
                .all(|part| text(part, "type").is_some())
}
