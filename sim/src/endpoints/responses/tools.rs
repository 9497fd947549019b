//! Tools, which lie flat, and which of them is called.

use serde_json::Value;

use super::check::{invalid_value, missing, unknown};
use crate::ask::Ask;
use crate::endpoints::fields::{self, is_name, list, text};
use crate::refusal::Refusal;

/// The types of tools.
const KINDS: [&str; 14] = [
    "apply_patch",
    "code_interpreter",
    "computer",
    "computer_use_preview",
    "custom",
    "file_search",
    "function",
    "image_generation",
    "local_shell",
    "mcp",
    "namespace",
    "shell",
    "tool_search",
    "web_search",
];

pub(super) fn check(ask: &Ask) -> Result<(), Refusal> {
    let tools = ask.get("tools").and_then(Value::as_array);
    let tools = tools.map_or(&[][..], Vec::as_slice);
    for (index, tool) in tools.iter().enumerate() {
        one(&format!("tools[{index}]"), tool)?;
    }
    choice(ask, tools)
}

fn one(place: &str, tool: &Value) -> Result<(), Refusal> {
    let Some(kind) = text(tool, "type") else {
        return Err(missing(&format!("{place}.type")));
    };
    let is_known = KINDS.contains(&kind)
        || ["web_search_", "computer_use_"]
            .iter()
            .any(|start| kind.starts_with(start));
    if !is_known {
        return Err(invalid_value(&format!("{place}.type"), kind, &KINDS));
    }
    let known: &[&str] = match kind {
        "function" => &[
            "type",
            "name",
            "description",
            "parameters",
            "strict",
            "defer_loading",
        ],
        "custom" => &["type", "name", "description", "format", "defer_loading"],
        "namespace" => &["type", "name", "description", "tools"],
        _ => return Ok(()),
    };
    let Some(name) = text(tool, "name") else {
        return Err(missing(&format!("{place}.name")));
    };
    if let Some(name) = fields::unknown(tool, known) {
        return Err(unknown(&format!("{place}.{name}")));
    }
    if !is_name(name, 128) {
        return Err(Refusal::invalid(format!(
            "Invalid '{place}.name': string does not match pattern. Expected a string that matches \
             the pattern '^[a-zA-Z0-9_-]+$'."
        ))
        .param(&format!("{place}.name"))
        .code("invalid_value"));
    }
    let mut inner = list(tool, "tools").iter().enumerate();
    inner.try_for_each(|(index, tool)| one(&format!("{place}.tools[{index}]"), tool))?;
    if tool.get("strict") == Some(&Value::Bool(true)) {
        let schema = tool.get("parameters").unwrap_or(&Value::Null);
        let place = format!("{place}.parameters");
        return is_closed(schema, &place, "invalid_function_parameters");
    }
    Ok(())
}

/// A strict schema's objects are closed, and all of their properties are required.
pub(super) fn is_closed(schema: &Value, param: &str, code: &str) -> Result<(), Refusal> {
    let refused = |what: &str| {
        Err(
            Refusal::invalid(format!("Invalid schema: In context=(), {what}"))
                .param(param)
                .code(code),
        )
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    if text(schema, "type") == Some("object") {
        if schema.get("additionalProperties") != Some(&Value::Bool(false)) {
            return refused("'additionalProperties' is required to be supplied and to be false.");
        }
        let required = list(schema, "required");
        let mut names = properties.into_iter().flat_map(|all| all.keys());
        if let Some(name) = names.find(|name| !required.iter().any(|one| one == name.as_str())) {
            return refused(&format!(
                "'required' is required to be supplied and to be an array including every key in \
                 properties. Missing '{name}'."
            ));
        }
    }
    let below = properties.into_iter().flat_map(|all| all.values());
    below
        .chain(schema.get("items"))
        .try_for_each(|schema| is_closed(schema, param, code))
}

fn choice(ask: &Ask, tools: &[Value]) -> Result<(), Refusal> {
    let words = ["none", "auto", "required"];
    let choice = match ask.get("tool_choice") {
        None => return Ok(()),
        Some(Value::String(word)) if words.contains(&word.as_str()) => return Ok(()),
        Some(Value::String(word)) => return Err(invalid_value("tool_choice", word, &words)),
        Some(choice) => choice,
    };
    match text(choice, "type") {
        Some(kind @ ("function" | "custom")) => {
            let Some(name) = text(choice, "name") else {
                return Err(missing("tool_choice.name"));
            };
            let is_there = super::tools(ask.get("tools").unwrap_or(&Value::Null))
                .iter()
                .any(|tool| tool.name == name);
            if is_there {
                return Ok(());
            }
            Err(absent(kind))
        }
        Some("allowed_tools") if !list(choice, "tools").is_empty() => Ok(()),
        Some("allowed_tools") => Err(missing("tool_choice.tools")),
        Some(kind) if tools.iter().any(|tool| text(tool, "type") == Some(kind)) => Ok(()),
        Some(kind) => Err(absent(kind)),
        None => Err(missing("tool_choice.type")),
    }
}

fn absent(kind: &str) -> Refusal {
    Refusal::invalid(format!(
        "Tool choice '{kind}' not found in 'tools' parameter."
    ))
    .param("tool_choice")
}
