//! Responses and their items as a client gets them.

use hone_strategies::chat::{Message, Native, Usage};
use serde_json::{Map, Value, json};

use super::request_out::text;
use super::tools::{Call, Tools};
use super::{tools_in, tools_out};
use crate::leave::own;
use crate::marks::{Minter, Names, clean, envelope};
use crate::shape::{ErrorReply, Frame};
use crate::tables::usage;
use crate::wire::json::str_of;

/// A response as it comes to be.
#[derive(Debug, Default)]
pub(super) struct Response {
    pub(super) status: &'static str,
    pub(super) why: Option<&'static str>,
    pub(super) output: Vec<Value>,
    pub(super) usage: Option<Usage>,
    pub(super) error: Option<Value>,
}

impl Response {
    /// One of this status, with nothing in it.
    pub(super) fn new(status: &'static str) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    /// The whole object, which says again what was asked.
    pub(super) fn whole(self, id: &str, frame: &Frame) -> Value {
        let mut fields = self.fields(id, frame);
        asked(frame, &mut fields);
        Value::Object(fields)
    }

    /// The object without what was asked: what every client reads, and little else.
    pub(super) fn short(self, id: &str, frame: &Frame) -> Value {
        let mut fields = self.fields(id, frame);
        fields.insert("parallel_tool_calls".to_owned(), true.into());
        fields.insert("tool_choice".to_owned(), "auto".into());
        fields.insert("tools".to_owned(), json!([]));
        Value::Object(fields)
    }

    fn fields(self, id: &str, frame: &Frame) -> Map<String, Value> {
        let why = self.why.map(|reason| json!({ "reason": reason }));
        let told = self.usage.as_ref().map(usage::to_responses);
        Map::from_iter([
            ("id".to_owned(), id.into()),
            ("object".to_owned(), "response".into()),
            ("created_at".to_owned(), frame.created.into()),
            ("status".to_owned(), self.status.into()),
            ("error".to_owned(), self.error.into()),
            ("incomplete_details".to_owned(), why.into()),
            ("model".to_owned(), frame.model.as_str().into()),
            ("output".to_owned(), self.output.into()),
            ("usage".to_owned(), told.into()),
            ("store".to_owned(), false.into()),
            ("previous_response_id".to_owned(), Value::Null),
            ("truncation".to_owned(), "disabled".into()),
        ])
    }
}

/// Says again what was asked, in the client's own form.
fn asked(frame: &Frame, fields: &mut Map<String, Value>) {
    let request = &frame.request;
    let origin = own(request, super::said::OWN);
    let mut add = |name: &str, value: Value| drop(fields.insert(name.to_owned(), value));
    let told = |name: &str| request.get(name).cloned();
    let first = request.messages().first();
    let first = first.filter(|first| first.role() == "system" && first.native().is_none());
    let instructions = first.filter(|_| origin.is_some()).map(Message::text);
    add("instructions", instructions.map(String::from).into());
    add("metadata", told("metadata").unwrap_or_else(|| json!({})));
    for name in ["temperature", "top_p", "user", "service_tier"] {
        add(name, told(name).into());
    }
    let limit = request.token_limit().map(|(_, limit)| limit);
    add("max_output_tokens", limit.into());
    let format = || json!({"format": {"type": "text"}});
    add("text", text(request).unwrap_or_else(format));
    let mut reasoning = Map::from_iter([("effort".to_owned(), Value::Null)]);
    reasoning.insert("summary".to_owned(), Value::Null);
    if let Some(Value::Object(own)) = origin.and_then(|origin| origin.fields.get("reasoning")) {
        reasoning.extend(own.clone());
    }
    reasoning.insert("effort".to_owned(), told("reasoning_effort").into());
    add("reasoning", Value::Object(reasoning));
    let parallel = told("parallel_tool_calls");
    add(
        "parallel_tool_calls",
        parallel.unwrap_or_else(|| true.into()),
    );
    let tools = tools_out::of_chat(request, &Names::kept());
    let own_choice = origin.and_then(|origin| origin.fields.get("tool_choice").cloned());
    let choice = own_choice.or(tools.choice);
    add("tool_choice", choice.unwrap_or_else(|| "auto".into()));
    let own_tools = origin.filter(|origin| !origin.tools.is_empty());
    let own_tools = own_tools.map(|origin| tools_out::split(&origin.tools).1);
    add("tools", own_tools.unwrap_or(tools.tools).into());
}

/// A part of a message.
pub(super) fn text_part(text: &str, annotations: &[Value], logprobs: &[Value]) -> Value {
    json!({"type": "output_text", "text": text, "annotations": annotations, "logprobs": logprobs})
}

/// The part of a message that says why there is no answer.
pub(super) fn refusal_part(text: &str) -> Value {
    json!({"type": "refusal", "refusal": text})
}

/// A message.
pub(super) fn message(id: &str, status: &str, content: &[Value]) -> Value {
    json!({"id": id, "type": "message", "status": status, "role": "assistant", "content": content})
}

/// What the model thought.
pub(super) fn reasoning(id: &str, text: &str, encrypted: Option<String>) -> Value {
    let summary = if text.is_empty() {
        json!([])
    } else {
        json!([{"type": "summary_text", "text": text}])
    };
    let mut item = json!({"id": id, "type": "reasoning", "summary": summary});
    if let (Some(encrypted), Some(fields)) = (encrypted, item.as_object_mut()) {
        fields.insert("encrypted_content".to_owned(), encrypted.into());
    }
    item
}

/// Makes calls with the names that the client knows.
#[derive(Debug)]
pub(super) struct Calls {
    tools: Tools,
}

impl Calls {
    pub(super) fn of(frame: &Frame) -> Self {
        Self {
            tools: tools_in::special(frame.request.origin().map(|origin| &**origin)),
        }
    }

    /// Whether a call of `name` gives a text.
    pub(super) fn is_custom(&self, name: &str) -> bool {
        self.tools.is_custom(name)
    }

    /// The id of a call's item.
    pub(super) fn id(&self, name: &str, minter: &mut Minter) -> String {
        minter.mint(if self.is_custom(name) { "ctc_" } else { "fc_" })
    }

    /// A call's item.
    pub(super) fn item(&self, id: &str, call: Call<'_>, status: &str) -> Value {
        let mut item = self.tools.item(call);
        if let Some(fields) = item.as_object_mut() {
            fields.insert("id".to_owned(), id.into());
            fields.insert("status".to_owned(), status.into());
        }
        item
    }

    /// An upstream's own item as a client sees it, who did not ask for what is encrypted, or calls
    /// its tools otherwise.
    pub(super) fn shown(&self, item: &Value, frame: &Frame) -> Value {
        let mut shown = item.clone();
        let name = str_of(item, "name");
        if str_of(item, "type") == "function_call" && self.tools.has(name) {
            let call = Call {
                id: str_of(item, "call_id"),
                name,
                arguments: str_of(item, "arguments"),
            };
            let mut minter = Minter::new(call.id);
            let id = self.id(name, &mut minter);
            shown = self.item(&id, call, "completed");
        }
        let Some(fields) = shown.as_object_mut() else {
            return shown;
        };
        if str_of(item, "type") == "reasoning" && !frame.shows_encrypted() {
            fields.shift_remove("encrypted_content");
        }
        if let Some(Value::String(id)) = fields.get_mut("call_id") {
            *id = clean(id).into_owned();
        }
        shown
    }
}

/// The id of a call, which some upstreams do not give.
pub(super) fn call_id(id: &str, minter: &mut Minter) -> String {
    if id.is_empty() {
        minter.mint("call_")
    } else {
        clean(id).into_owned()
    }
}

/// What the model thought, under either of its names in chat.
pub(super) fn thought(fields: &Map<String, Value>) -> &str {
    let names = ["reasoning_content", "reasoning"];
    let mut texts = names.iter().filter_map(|name| fields.get(*name)?.as_str());
    texts.next().unwrap_or_default()
}

/// What another dialect's reasoning needs back, if it needs something and the client will give it.
/// `said` is the same in chat's fields.
pub(super) fn sealed(native: &Native, said: &Map<String, Value>, frame: &Frame) -> Option<String> {
    if !frame.shows_encrypted() || native.model.is_empty() {
        return None;
    }
    envelope::seal_native(native, said)
}

/// Why an answer failed, in the words that clients know.
pub(super) fn failure(error: &ErrorReply) -> Value {
    let code = if error.overflow.is_some() {
        "context_length_exceeded"
    } else if error.status == 429 {
        "rate_limit_exceeded"
    } else {
        "server_error"
    };
    json!({"code": code, "message": error.message})
}
