//! Tools and the choice among them, read from a client.

use hone_strategies::chat::{ChatRequest, End, Origin};
use serde_json::{Map, Value, json};

use super::content_in::has_only;
use crate::shape::Refusal;
use crate::wire::json::{list, str_of, wanted};

/// Members of a tool that chat can say.
const PLAIN: [&str; 5] = ["type", "name", "description", "input_schema", "strict"];
/// How the types begin of tools that the client runs and only the model knows.
const CLIENTS_OWN: [&str; 4] = ["bash_", "computer_", "memory_", "text_editor_"];

/// Reads the tools.
pub(super) fn tools(
    tools: Value,
    choice: Option<&Value>,
    request: &mut ChatRequest,
    origin: &mut Origin,
) -> Result<(), Refusal> {
    let tools = list(tools, "tools")?;
    let forced = choice.filter(|choice| str_of(choice, "type") == "tool");
    let forced = forced.map(|choice| str_of(choice, "name"));
    let (mut functions, mut is_plain) = (Vec::with_capacity(tools.len()), true);
    let mut provided: Vec<(usize, &str)> = Vec::new();
    for (index, tool) in tools.iter().enumerate() {
        let (kind, name) = (str_of(tool, "type"), str_of(tool, "name"));
        let path = format!("tools.{index}");
        if matches!(kind, "" | "custom") {
            if name.is_empty() {
                return Err(wanted(&format!("{path}.name"), "a string"));
            }
            functions.push(function(tool));
            is_plain &= has_only(tool, &PLAIN);
            continue;
        }
        is_plain = false;
        if CLIENTS_OWN.iter().any(|own| kind.starts_with(own)) {
            let why = format!("Only Claude knows how to call a tool of type `{kind}`.");
            origin.fate(path, End::Refuse(why));
        } else {
            provided.push((index, name));
        }
    }
    for (index, name) in provided {
        let end = foreign(forced == Some(name) || functions.is_empty());
        origin.fate(format!("tools.{index}"), end);
    }
    if !is_plain {
        origin.tools = tools;
    }
    if !functions.is_empty() {
        request.set("tools", functions);
    }
    Ok(())
}

/// What becomes elsewhere of a tool that its provider runs. A promise that it will be called cannot
/// be kept without it.
fn foreign(is_needed: bool) -> End {
    if is_needed {
        End::Refuse("Only its own provider runs this tool.".to_owned())
    } else {
        End::Degrade
    }
}

fn function(tool: &Value) -> Value {
    let mut function = Map::new();
    function.insert("name".to_owned(), str_of(tool, "name").into());
    for (there, here) in [
        ("description", "description"),
        ("input_schema", "parameters"),
        ("strict", "strict"),
    ] {
        if let Some(value) = tool.get(there).filter(|value| !value.is_null()) {
            function.insert(here.to_owned(), value.clone());
        }
    }
    json!({"type": "function", "function": function})
}

/// Reads the choice among them.
pub(super) fn choice(choice: &Value, request: &mut ChatRequest) -> Result<(), Refusal> {
    let chosen = match str_of(choice, "type") {
        "auto" => json!("auto"),
        "any" => json!("required"),
        "none" => json!("none"),
        "tool" => json!({"type": "function", "function": {"name": str_of(choice, "name")}}),
        _ => {
            return Err(wanted(
                "tool_choice.type",
                "`auto`, `any`, `tool` or `none`",
            ));
        }
    };
    request.set("tool_choice", chosen);
    if choice.get("disable_parallel_tool_use") == Some(&Value::Bool(true)) {
        request.set("parallel_tool_calls", false);
    }
    Ok(())
}
