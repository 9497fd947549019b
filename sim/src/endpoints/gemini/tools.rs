//! Functions that can be called, and whether one must be.

use serde_json::Value;

use super::check::{only, refused};
use super::config::subset;
use super::{declared, field, member, members};
use crate::ask::Ask;
use crate::endpoints::fields::text;
use crate::refusal::Refusal;

const TOOLS: [&str; 8] = [
    "codeExecution",
    "computerUse",
    "fileSearch",
    "functionDeclarations",
    "googleMaps",
    "googleSearch",
    "googleSearchRetrieval",
    "urlContext",
];

pub(super) fn check(ask: &Ask) -> Result<(), Refusal> {
    let tools = match ask.get("tools") {
        None => &[][..],
        Some(Value::Array(tools)) => tools,
        Some(_) => {
            return refused("Invalid value at 'tools': Proto field is repeated, expected a list.");
        }
    };
    let mut names: Vec<&str> = Vec::new();
    for (at, tool) in tools.iter().enumerate() {
        only(tool, &TOOLS, &format!("tools[{at}]"))?;
        for (index, function) in members(tool, "functionDeclarations").iter().enumerate() {
            let place = format!("tools[{at}].function_declarations[{index}]");
            one(&place, function)?;
            let name = text(function, "name").unwrap_or_default();
            if names.contains(&name) {
                return refused(format!("Duplicate function declaration found: {name}"));
            }
            names.push(name);
        }
    }
    choice(ask)
}

fn one(place: &str, function: &Value) -> Result<(), Refusal> {
    let known = [
        "behavior",
        "description",
        "name",
        "parameters",
        "parametersJsonSchema",
        "response",
        "responseJsonSchema",
    ];
    only(function, &known, place)?;
    let name = text(function, "name").unwrap_or_default();
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
    if !begins || name.len() > 64 || !name.bytes().all(fits) {
        return refused(format!(
            "* GenerateContentRequest.{place}.name: Invalid function name. Must start with a \
             letter or an underscore. Must be alphanumeric (a-z, A-Z, 0-9), underscores (_), dots \
             (.), colons (:), or dashes (-), with a maximum length of 64.\n"
        ));
    }
    let own = member(function, "parameters");
    let json = member(function, "parametersJsonSchema");
    match (own, json) {
        (Some(_), Some(_)) => refused(format!(
            "{place}: only one of parameters and parameters_json_schema may be set."
        )),
        (Some(schema), None) => subset(schema, &format!("{place}.parameters")),
        _ => Ok(()),
    }
}

fn choice(ask: &Ask) -> Result<(), Refusal> {
    let Some(config) = field(ask, "toolConfig") else {
        return Ok(());
    };
    let known = [
        "functionCallingConfig",
        "retrievalConfig",
        "includeServerSideToolInvocations",
    ];
    only(config, &known, "tool_config")?;
    let Some(calling) = member(config, "functionCallingConfig") else {
        return Ok(());
    };
    let place = "tool_config.function_calling_config";
    let known = [
        "allowedFunctionNames",
        "mode",
        "streamFunctionCallArguments",
    ];
    only(calling, &known, place)?;
    let mode = text(calling, "mode").unwrap_or("AUTO");
    if !["AUTO", "ANY", "NONE", "VALIDATED", "MODE_UNSPECIFIED"].contains(&mode) {
        return refused(format!(
            "Invalid value at '{place}.mode' (type.googleapis.com/Mode), \"{mode}\""
        ));
    }
    let allowed = members(calling, "allowedFunctionNames");
    if !allowed.is_empty() && !matches!(mode, "ANY" | "VALIDATED") {
        return refused(
            "Please set allowed_function_names only when function calling mode is ANY.",
        );
    }
    let is_declared = |name: &&Value| declared(ask).any(|one| one.get("name") == Some(*name));
    match allowed.iter().find(|name| !is_declared(name)) {
        Some(name) => refused(format!(
            "* GenerateContentRequest.{place}.allowed_function_names: {name} is not declared\n"
        )),
        None if mode == "ANY" && declared(ask).next().is_none() => {
            refused("Function calling config is set without function_declarations.")
        }
        None => Ok(()),
    }
}
