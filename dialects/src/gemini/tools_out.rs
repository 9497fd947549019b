//! Tools and the choice among them, written for an upstream.

use std::collections::BTreeSet;

use hone_strategies::chat::{ChatRequest, Origin};
use serde_json::{Map, Value, json};

use super::fields::{get, text};
use super::tools_in::{Chosen, chosen};
use crate::functions;
use crate::marks::Names;
use crate::shape::Losses;
use crate::wire::json::str_of;

fn tools(request: &ChatRequest) -> impl Iterator<Item = &Value> {
    let tools = request.get("tools").and_then(Value::as_array);
    tools.into_iter().flatten()
}

/// Writes both into `out`.
pub(super) fn write(
    request: &ChatRequest,
    own: Option<&Origin>,
    names: &Names,
    out: &mut Map<String, Value>,
    losses: &mut Losses,
) {
    let native = own.and_then(|origin| origin.fields.get("toolConfig"));
    let told = native.and_then(chosen);
    if let Some(origin) = own.filter(|origin| is_same(request, &origin.tools, told.as_ref())) {
        out.insert("tools".to_owned(), origin.tools.clone().into());
    } else {
        let allowed = allowed(request);
        let declared = declarations(request, allowed.as_deref(), names, losses);
        if !declared.is_empty() {
            out.insert(
                "tools".to_owned(),
                json!([{ "functionDeclarations": declared }]),
            );
        }
    }
    let wanted = request.get("tool_choice");
    let is_told = told.as_ref().map(|chosen| &chosen.choice) == wanted;
    let is_kept = is_told || wanted.is_none() && request.get("tools").is_none();
    if let Some(native) = native.filter(|_| is_kept) {
        out.insert("toolConfig".to_owned(), native.clone());
    } else if let (Some(choice), true) = (wanted, out.contains_key("tools")) {
        let config = json!({ "functionCallingConfig": choice_of(choice, names) });
        out.insert("toolConfig".to_owned(), config);
    }
}

/// Whether the functions among the client's own `tools` are those of the request.
fn is_same(request: &ChatRequest, own: &[Value], told: Option<&Chosen>) -> bool {
    let among = told.and_then(|chosen| chosen.among.as_ref());
    let declared = own
        .iter()
        .filter_map(|tool| get(tool, "functionDeclarations")?.as_array());
    let own_names = declared
        .flatten()
        .map(|function| text(function, "name"))
        .filter(|name| among.is_none_or(|among| among.iter().any(|one| one == name)));
    !own.is_empty() && functions::names(request).eq(own_names)
}

/// The names that the choice allows, if it is one among several.
fn allowed(request: &ChatRequest) -> Option<Vec<&str>> {
    let tools = request
        .get("tool_choice")?
        .pointer("/allowed_tools/tools")?;
    let names = tools.as_array()?.iter();
    Some(
        names
            .filter_map(|tool| tool.pointer("/function/name")?.as_str())
            .collect(),
    )
}

fn declarations(
    request: &ChatRequest,
    allowed: Option<&[&str]>,
    names: &Names,
    losses: &mut Losses,
) -> Vec<Value> {
    let allowed: Option<BTreeSet<&str>> = allowed.map(|names| names.iter().copied().collect());
    let mut declared = Vec::new();
    for (at, tool) in tools(request).enumerate() {
        let Some(function) = tool.get("function") else {
            continue;
        };
        let name = str_of(function, "name");
        if allowed
            .as_ref()
            .is_some_and(|allowed| !allowed.contains(name))
        {
            continue;
        }
        if function.get("strict") == Some(&Value::Bool(true)) {
            losses.degrade(&format!("tools[{at}].function.strict"));
        }
        declared.push(declaration(function, &names.there(name)));
    }
    declared
}

fn declaration(function: &Value, name: &str) -> Value {
    let mut declaration = Map::new();
    declaration.insert("name".to_owned(), name.into());
    if let Some(description) = function.get("description").filter(|text| text.is_string()) {
        declaration.insert("description".to_owned(), description.clone());
    }
    let schema = function
        .get("parameters")
        .filter(|schema| takes_arguments(schema));
    if let Some(schema) = schema {
        declaration.insert("parametersJsonSchema".to_owned(), schema.clone());
    }
    Value::Object(declaration)
}

/// Whether a schema says something of arguments.
fn takes_arguments(schema: &Value) -> bool {
    let Some(fields) = schema.as_object() else {
        return false;
    };
    let is_none = |name: &str, value: &Value| match name {
        "type" => value == "object",
        "properties" => value.as_object().is_some_and(Map::is_empty),
        "required" => value.as_array().is_some_and(Vec::is_empty),
        "$schema" | "additionalProperties" | "description" | "title" => true,
        _ => false,
    };
    !fields.iter().all(|(name, value)| is_none(name, value))
}

fn choice_of(choice: &Value, names: &Names) -> Value {
    let mode = match choice.as_str() {
        Some("none") => "NONE",
        Some("required") => "ANY",
        Some(_) => "AUTO",
        None => match choice.pointer("/allowed_tools/mode") {
            // The tools that are not allowed are left out.
            Some(mode) if mode == "required" => "ANY",
            Some(_) => "AUTO",
            None => {
                let function = choice.get("function").unwrap_or(&Value::Null);
                let name = names.there(str_of(function, "name"));
                return json!({"mode": "ANY", "allowedFunctionNames": [name]});
            }
        },
    };
    json!({ "mode": mode })
}
