//! Tools and the choice among them, written for an upstream.

use hone_strategies::chat::{ChatRequest, Origin};
use serde_json::{Map, Value, json};

use super::tools_in::{changes, in_force, is_function};
use crate::functions;
use crate::marks::Names;
use crate::wire::json::str_of;

fn tools(request: &ChatRequest) -> impl Iterator<Item = &Value> {
    let tools = request.get("tools").and_then(Value::as_array);
    let tools = tools.into_iter().flatten();
    tools.filter_map(|tool| tool.get("function"))
}

/// Writes both into `out`.
pub(super) fn write(
    request: &ChatRequest,
    own: Option<&Origin>,
    names: &Names,
    out: &mut Map<String, Value>,
) {
    let native = own.filter(|origin| is_same(request, &origin.tools));
    let written: Vec<Value> = match native {
        Some(origin) => origin.tools.clone(),
        None => tools(request)
            .map(|function| tool(function, names))
            .collect(),
    };
    if written.is_empty() {
        return;
    }
    out.insert("tools".to_owned(), written.into());
    let alone = request.get("parallel_tool_calls") == Some(&Value::Bool(false));
    let mut choice = match request.get("tool_choice") {
        None if alone => json!({"type": "auto"}),
        None => return,
        Some(choice) => choice_of(choice, names),
    };
    let alone = alone && str_of(&choice, "type") != "none";
    if let (true, Some(fields)) = (alone, choice.as_object_mut()) {
        fields.insert("disable_parallel_tool_use".to_owned(), true.into());
    }
    out.insert("tool_choice".to_owned(), choice);
}

/// Whether the functions among the client's own tools, as its conversation changes them, are those
/// of the request.
fn is_same(request: &ChatRequest, own: &[Value]) -> bool {
    let in_force = in_force(own, &changes(request.messages()));
    let functions = in_force.into_iter().filter(|tool| is_function(tool));
    let mut own_names = functions.map(|tool| str_of(tool, "name"));
    !own.is_empty() && functions::names(request).eq(own_names.by_ref())
}

fn tool(function: &Value, names: &Names) -> Value {
    let mut tool = Map::new();
    let name = names.there(str_of(function, "name")).into_owned();
    tool.insert("name".to_owned(), name.into());
    for (here, there) in [("description", "description"), ("strict", "strict")] {
        if let Some(value) = function.get(here).filter(|value| !value.is_null()) {
            tool.insert(there.to_owned(), value.clone());
        }
    }
    let schema = function.get("parameters").filter(|value| value.is_object());
    let nothing = || json!({"type": "object", "properties": {}});
    tool.insert(
        "input_schema".to_owned(),
        schema.cloned().unwrap_or_else(nothing),
    );
    Value::Object(tool)
}

fn choice_of(choice: &Value, names: &Names) -> Value {
    match choice.as_str() {
        Some("none") => json!({"type": "none"}),
        Some("required") => json!({"type": "any"}),
        Some(_) => json!({"type": "auto"}),
        None => {
            let function = choice.get("function").unwrap_or(&Value::Null);
            json!({"type": "tool", "name": names.there(str_of(function, "name"))})
        }
    }
}
