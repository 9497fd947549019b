//! Tools, and which of them is called.

use serde_json::Value;

use super::check::refused;
use crate::ask::Ask;
use crate::endpoints::fields::{is_name, text, unknown};
use crate::refusal::Refusal;

/// The fields of a tool that the client runs and describes.
const FIELDS: [&str; 10] = [
    "allowed_callers",
    "cache_control",
    "defer_loading",
    "description",
    "eager_input_streaming",
    "input_examples",
    "input_schema",
    "name",
    "strict",
    "type",
];

pub(super) fn check(ask: &Ask) -> Result<(), Refusal> {
    let tools = match ask.field("tools") {
        None | Some(Value::Null) => &[][..],
        Some(Value::Array(tools)) => tools,
        Some(_) => return refused("tools: Input should be a valid list"),
    };
    let mut names = Vec::new();
    for (index, tool) in tools.iter().enumerate() {
        one(index, tool)?;
        let name = text(tool, "name").unwrap_or_default();
        if names.contains(&name) {
            return refused("tools: Tool names must be unique.");
        }
        names.push(name);
    }
    choice(ask, &names)
}

fn one(index: usize, tool: &Value) -> Result<(), Refusal> {
    if text(tool, "type").is_some_and(|kind| kind != "custom") {
        // It has a schema of its own, or runs at the provider.
        return Ok(());
    }
    let place = format!("tools.{index}.custom");
    let Some(name) = text(tool, "name") else {
        return refused(format!("{place}.name: Field required"));
    };
    if !is_name(name, 128) {
        return refused(format!(
            "{place}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'"
        ));
    }
    if let Some(name) = unknown(tool, &FIELDS) {
        return refused(format!("{place}.{name}: Extra inputs are not permitted"));
    }
    let Some(schema) = tool.get("input_schema").filter(|schema| schema.is_object()) else {
        return refused(format!("{place}.input_schema: Field required"));
    };
    match text(schema, "type") {
        Some("object") => Ok(()),
        Some(_) => refused(format!(
            "{place}.input_schema.type: Input should be 'object'"
        )),
        None => refused(format!("{place}.input_schema.type: Field required")),
    }
}

fn choice(ask: &Ask, names: &[&str]) -> Result<(), Refusal> {
    let Some(choice) = ask.field("tool_choice").filter(|choice| !choice.is_null()) else {
        return Ok(());
    };
    if names.is_empty() {
        return refused("tool_choice may only be specified while providing tools.");
    }
    let known: &[&str] = match text(choice, "type") {
        Some("auto" | "any") => &["type", "disable_parallel_tool_use"],
        Some("none") => &["type"],
        Some("tool") => {
            let Some(name) = text(choice, "name") else {
                return refused("tool_choice.tool.name: Field required");
            };
            if !names.contains(&name) {
                return refused(format!("Tool '{name}' not found in provided tools"));
            }
            &["type", "name", "disable_parallel_tool_use"]
        }
        _ => {
            return refused(
                "tool_choice: Input tag does not match any of the expected tags: 'auto', 'any', \
                 'tool', 'none'",
            );
        }
    };
    match unknown(choice, known) {
        Some(name) => refused(format!(
            "tool_choice.{name}: Extra inputs are not permitted"
        )),
        None => Ok(()),
    }
}
