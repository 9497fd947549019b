//! Tools as functions, for dialects that have nothing else, and calls as the client made them.
//!
//! Chat has tools that take a text in no form of JSON. Elsewhere such a tool is a function of one
//! text, `input`, and its calls come back as what the client knows.

use std::borrow::Cow;
use std::collections::BTreeSet;

use hone_strategies::chat::{ChatRequest, Dialect, Message};
use serde_json::{Map, Value, json};

use crate::shape::{ErrorReply, Losses, Refusal};
use crate::wire::json::str_of;

fn list(request: &ChatRequest) -> impl Iterator<Item = &Value> {
    let tools = request.get("tools").and_then(Value::as_array);
    tools.into_iter().flatten()
}

/// What a tool, a call or a choice of chat's holds.
pub(crate) fn held(tool: &Value) -> &Value {
    let held = tool.get("function").or_else(|| tool.get("custom"));
    held.unwrap_or(&Value::Null)
}

/// The names of the request's tools.
pub(crate) fn names(request: &ChatRequest) -> impl Iterator<Item = &str> {
    list(request).map(|tool| str_of(held(tool), "name"))
}

/// The arguments by which a function is given a text.
pub(crate) fn wrapped(input: &str) -> String {
    json!({ "input": input }).to_string()
}

/// Refuses an answer whose calls nobody could run: their arguments are no JSON objects. In one that
/// was cut off they need not be. None at all are an empty object.
pub(crate) fn check(calls: Option<&Value>, reason: &str) -> Result<(), Box<ErrorReply>> {
    let calls = calls.and_then(Value::as_array);
    let mut calls = calls.into_iter().flatten();
    let is_broken = |call: &Value| {
        let arguments = call.pointer("/function/arguments").and_then(Value::as_str);
        let arguments = arguments.unwrap_or_default();
        !arguments.trim().is_empty()
            && serde_json::from_str::<Map<String, Value>>(arguments).is_err()
    };
    if matches!(reason, "length" | "content_filter") || !calls.any(is_broken) {
        return Ok(());
    }
    let why = "The arguments of a call are no JSON object.";
    Err(Box::new(ErrorReply {
        code: Some("malformed_tool_call".to_owned()),
        ..ErrorReply::new(502, why)
    }))
}

/// The text in such arguments. A model that gave others has said all the same what it wants.
pub(crate) fn input(arguments: &str) -> String {
    let parsed: Option<Value> = serde_json::from_str(arguments).ok();
    let text = parsed.as_ref().and_then(|parsed| parsed.get("input"));
    match text {
        Some(Value::String(text)) => text.clone(),
        _ => arguments.to_owned(),
    }
}

/// The function of one text that a tool is. What the text must match, which is nested in chat and
/// flat in Responses, is only described; the second value tells whether there is such a thing.
pub(crate) fn of_text(name: &str, tool: &Value) -> (Value, bool) {
    let mut description = str_of(tool, "description").to_owned();
    let format = tool.get("format").unwrap_or(&Value::Null);
    let format = format.get("grammar").unwrap_or(format);
    let definition = str_of(format, "definition");
    if !definition.is_empty() {
        if !description.is_empty() {
            description.push_str("\n\n");
        }
        let syntax = str_of(format, "syntax");
        let grammar = format!("The input must match this {syntax} grammar:\n{definition}");
        description.push_str(&grammar);
    }
    let parameters = json!({"type": "object", "properties": {"input": {"type": "string"}},
        "required": ["input"], "additionalProperties": false});
    let function = json!({"name": name, "description": description, "parameters": parameters});
    let tool = json!({"type": "function", "function": function});
    (tool, !definition.is_empty())
}

/// The request with tools, calls and a choice that `dialect` has. Responses has all of chat's.
///
/// # Errors
///
/// A tool that nobody else has, if the choice demands it.
pub(crate) fn plain<'a>(
    request: Cow<'a, ChatRequest>,
    dialect: Dialect,
    losses: &mut Losses,
) -> Result<Cow<'a, ChatRequest>, Refusal> {
    let has_all = dialect == Dialect::OpenAiResponses;
    let is_plain =
        |tool: &Value| tool.get("function").is_some() || has_all && tool.get("custom").is_some();
    let choice = request.get("tool_choice").unwrap_or(&Value::Null);
    let is_among = choice.get("allowed_tools").is_some() && !has_all;
    let calls = |message: &Message| {
        let calls = message.tool_calls().and_then(Value::as_array);
        calls.into_iter().flatten().all(is_plain)
    };
    if list(&request).all(is_plain) && !is_among && request.messages().iter().all(calls) {
        return Ok(request);
    }
    let tools = tools(&request, has_all, losses)?;
    let mut plain = request.into_owned();
    if has_all {
        plain.set("tools", tools);
        return Ok(Cow::Owned(plain));
    }
    if let Some(choice) = plain.get("tool_choice").map(choice_of) {
        plain.set("tool_choice", choice);
    }
    plain.set("tools", tools);
    let messages: Vec<Message> = plain.messages().iter().map(called).collect();
    let plain = plain.with_messages(messages);
    if plain.is_lost() {
        return Err(Refusal::body("There is no memory for the conversation."));
    }
    Ok(Cow::Owned(plain))
}

/// The tools that are left, as functions unless the dialect `has_all` of chat's.
fn tools(request: &ChatRequest, has_all: bool, losses: &mut Losses) -> Result<Vec<Value>, Refusal> {
    let choice = request.get("tool_choice").unwrap_or(&Value::Null);
    let among = choice.pointer("/allowed_tools/tools").filter(|_| !has_all);
    let among = among.and_then(Value::as_array);
    let is_allowed = |name: &str| {
        among.is_none_or(|among| among.iter().any(|tool| str_of(held(tool), "name") == name))
    };
    let (mut left, mut left_out) = (Vec::new(), None);
    for (at, tool) in list(request).enumerate() {
        let name = str_of(held(tool), "name");
        if held(tool).is_null() {
            left_out = Some(at);
            losses.degrade(&format!("tools[{at}]"));
        } else if !is_allowed(name) {
        } else if let (Some(custom), false) = (tool.get("custom"), has_all) {
            let (function, has_format) = of_text(name, custom);
            if has_format {
                losses.degrade(&format!("tools[{at}].custom.format"));
            }
            left.push(function);
        } else {
            left.push(tool.clone());
        }
    }
    let is_named = choice.is_object() && held(choice).is_null() && among.is_none();
    match left_out {
        Some(at) if is_named || *choice == json!("required") && left.is_empty() => {
            let why = "The upstream's API has no such tool, and the choice of tools demands it.";
            Err(Refusal::untranslatable(format!("tools[{at}]"), why))
        }
        _ => Ok(left),
    }
}

/// The choice, where the tools are functions and those that are not allowed have been left out.
fn choice_of(choice: &Value) -> Value {
    if let Some(allowed) = choice.get("allowed_tools") {
        return str_of(allowed, "mode").into();
    }
    match choice.get("custom") {
        Some(custom) => json!({"type": "function", "function": {"name": str_of(custom, "name")}}),
        None => choice.clone(),
    }
}

/// The message with calls of functions alone.
fn called(message: &Message) -> Message {
    let calls = message.tool_calls().and_then(Value::as_array);
    let Some(calls) = calls.filter(|calls| calls.iter().any(|call| call.get("custom").is_some()))
    else {
        return message.clone();
    };
    let call = |call: &Value| {
        let Some(custom) = call.get("custom") else {
            return call.clone();
        };
        let arguments = wrapped(str_of(custom, "input"));
        let function = json!({"name": str_of(custom, "name"), "arguments": arguments});
        json!({"id": str_of(call, "id"), "type": "function", "function": function})
    };
    message.with("tool_calls", calls.iter().map(call).collect::<Vec<_>>())
}

/// A chat client's tools that take a text.
#[derive(Debug, Default)]
pub(crate) struct OfText {
    names: BTreeSet<String>,
}

impl OfText {
    pub(crate) fn of(request: &ChatRequest) -> Self {
        let custom = list(request).filter_map(|tool| tool.get("custom"));
        Self {
            names: custom.map(|tool| str_of(tool, "name").to_owned()).collect(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Whether a call, or its first piece, is one of a function that stands for such a tool.
    pub(crate) fn has(&self, call: &Value) -> bool {
        let function = call.get("function").unwrap_or(&Value::Null);
        self.names.contains(str_of(function, "name"))
    }

    /// A whole call as the client knows it.
    pub(crate) fn restored(&self, call: &Value) -> Value {
        if !self.has(call) {
            return call.clone();
        }
        let function = call.get("function").unwrap_or(&Value::Null);
        let input = input(str_of(function, "arguments"));
        let mut restored = Map::new();
        for (name, value) in call.as_object().into_iter().flatten() {
            let (name, value) = match name.as_str() {
                "function" => {
                    let custom = json!({"name": str_of(function, "name"), "input": input});
                    ("custom", custom)
                }
                "type" => ("type", "custom".into()),
                name => (name, value.clone()),
            };
            restored.insert(name.to_owned(), value);
        }
        Value::Object(restored)
    }
}
