//! Tools and the choice among them, written for an upstream.

use hone_strategies::chat::{ChatRequest, Message, Origin};
use serde_json::{Map, Value, json};

use super::tools::Tools;
use super::tools_in::{self, is_additional};
use crate::functions::{held, names};
use crate::marks::Names;
use crate::wire::json::str_of;

/// The tools as an upstream is told of them.
#[derive(Debug, Default)]
pub(super) struct Written {
    pub(super) tools: Vec<Value>,
    pub(super) choice: Option<Value>,
    /// Those that the upstream knows by more than their names in chat.
    pub(super) special: Tools,
    /// Whether those that stand in the conversation are in force.
    pub(super) in_place: bool,
}

fn list(request: &ChatRequest) -> impl Iterator<Item = &Value> {
    let tools = request.get("tools").and_then(Value::as_array);
    tools.into_iter().flatten()
}

/// The client's own list and choice, if the request has still the same ones.
pub(super) fn own(request: &ChatRequest, origin: &Origin) -> Option<Written> {
    let mut read = tools_in::read(&origin.tools).ok()?;
    let own_choice = origin.fields.get("tool_choice");
    let told = request.get("tool_choice");
    let choice = own_choice.or(told).cloned();
    let chosen = read.choose(own_choice.or(told)).ok()?;
    let functions = read.functions.iter().map(|tool| str_of(held(tool), "name"));
    let is_same =
        !origin.tools.is_empty() && names(request).eq(functions) && chosen.as_ref() == told;
    let (additional, tools) = split(&origin.tools);
    let is_whole = in_place(request) == additional;
    (is_same && is_whole).then(|| Written {
        tools,
        choice,
        special: read.tools,
        in_place: additional > 0,
    })
}

/// How many items of the conversation have tools, and the tools beside it.
pub(super) fn split(tools: &[Value]) -> (usize, Vec<Value>) {
    let beside = tools.iter().filter(|tool| !is_additional(tool));
    let beside: Vec<Value> = beside.cloned().collect();
    (tools.len() - beside.len(), beside)
}

/// How many such items the conversation has still.
fn in_place(request: &ChatRequest) -> usize {
    let natives = request.messages().iter().filter_map(Message::native);
    let own = natives.filter(|native| native.dialect == super::said::OWN);
    let items = own.flat_map(|native| &native.value);
    items.filter(|item| is_additional(item)).count()
}

/// The tools of the request as functions.
pub(super) fn of_chat(request: &ChatRequest, names: &Names) -> Written {
    let tools: Vec<Value> = list(request).map(|one| tool(one, names)).collect();
    let choice = request.get("tool_choice").filter(|_| !tools.is_empty());
    Written {
        choice: choice.map(|choice| choice_of(choice, names)),
        tools,
        special: Tools::default(),
        in_place: false,
    }
}

fn tool(tool: &Value, names: &Names) -> Value {
    let held = held(tool);
    let is_custom = tool.get("custom").is_some();
    let mut written = Map::new();
    let kind = if is_custom { "custom" } else { "function" };
    written.insert("type".to_owned(), kind.into());
    let name = names.there(str_of(held, "name")).into_owned();
    written.insert("name".to_owned(), name.into());
    let optional: &[&str] = if is_custom {
        &["description"]
    } else {
        &["description", "parameters", "strict"]
    };
    for name in optional {
        if let Some(value) = held.get(*name).filter(|value| !value.is_null()) {
            written.insert((*name).to_owned(), value.clone());
        }
    }
    if is_custom {
        if let Some(format) = held.get("format") {
            written.insert("format".to_owned(), format_of(format));
        }
    } else {
        // Both must be there.
        let nothing = || json!({"type": "object", "properties": {}});
        written.entry("parameters").or_insert_with(nothing);
        written.entry("strict").or_insert_with(|| false.into());
    }
    Value::Object(written)
}

/// What a text must match. A grammar is nested in chat.
fn format_of(format: &Value) -> Value {
    let Some(grammar) = format.get("grammar").and_then(Value::as_object) else {
        return format.clone();
    };
    let mut format = Map::from_iter([("type".to_owned(), Value::from("grammar"))]);
    format.extend(grammar.clone());
    Value::Object(format)
}

fn choice_of(choice: &Value, names: &Names) -> Value {
    let named = |kind: &str, tool: &Value| {
        let name = names.there(str_of(held(tool), "name"));
        json!({"type": kind, "name": name})
    };
    match str_of(choice, "type") {
        "" => choice.clone(),
        "allowed_tools" => {
            let allowed = choice.get("allowed_tools").unwrap_or(&Value::Null);
            let tools = allowed.get("tools").and_then(Value::as_array);
            let tools = tools.into_iter().flatten();
            let tools: Vec<Value> = tools
                .map(|tool| named(str_of(tool, "type"), tool))
                .collect();
            json!({"type": "allowed_tools", "mode": str_of(allowed, "mode"), "tools": tools})
        }
        kind => named(kind, choice),
    }
}
