//! Tools and the choice among them, read from a client.

use std::collections::{BTreeMap, BTreeSet};

use hone_strategies::chat::{ChatRequest, Dialect, End, Message, Origin};
use serde_json::{Map, Value, json};

use super::content_in::has_only;
use crate::shape::Refusal;
use crate::wire::json::{list, str_of, wanted};

/// Members of a tool that chat can say.
const PLAIN: [&str; 5] = ["type", "name", "description", "input_schema", "strict"];
/// How the types begin of tools that the client runs and only the model knows.
const CLIENTS_OWN: [&str; 4] = ["bash_", "computer_", "memory_", "text_editor_"];

/// The blocks of a conversation that change its tools: within instructions, a tool is taken out by
/// its name, or put back by it, or put in as a whole.
pub(super) fn changes(messages: &[Message]) -> Vec<&Value> {
    let system = messages.iter().filter(|message| message.role() == "system");
    let natives = system.filter_map(|message| message.native());
    let own = natives.filter(|native| native.dialect == Dialect::Anthropic);
    let blocks = own.flat_map(|native| native.value.iter());
    let is_change = |block: &&Value| str_of(block, "type").starts_with("tool_");
    blocks.filter(is_change).collect()
}

/// The tools in force behind all `changes`: what was put in stands behind the others.
pub(super) fn in_force<'a>(tools: &'a [Value], changes: &[&'a Value]) -> Vec<&'a Value> {
    let mut removed = BTreeSet::new();
    let mut added: BTreeMap<&str, &Value> = BTreeMap::new();
    for change in changes {
        let tool = change.get("tool").unwrap_or(&Value::Null);
        let definition = tool.get("definition").filter(|tool| tool.is_object());
        let name = str_of(definition.unwrap_or(tool), "name");
        if str_of(change, "type") == "tool_removal" {
            removed.insert(name);
            continue;
        }
        removed.remove(name);
        added.extend(definition.map(|definition| (name, definition)));
    }
    let is_in = |tool: &&Value| {
        let name = str_of(tool, "name");
        !removed.contains(name) && !added.contains_key(name)
    };
    let kept: Vec<_> = tools.iter().filter(is_in).collect();
    let added = added.iter().filter(|(name, _)| !removed.contains(*name));
    kept.into_iter()
        .chain(added.map(|(_, tool)| *tool))
        .collect()
}

/// Reads the tools, and what the conversation changes of them.
pub(super) fn tools(
    tools: Option<Value>,
    choice: Option<&Value>,
    request: &mut ChatRequest,
    origin: &mut Origin,
) -> Result<(), Refusal> {
    let tools = list(tools.unwrap_or_else(|| json!([])), "tools")?;
    let changes = changes(request.messages());
    let forced = choice.filter(|choice| str_of(choice, "type") == "tool");
    let forced = forced.map(|choice| str_of(choice, "name"));
    let mut is_plain = changes.is_empty();
    let in_force = in_force(&tools, &changes);
    let functions: Vec<Value> = in_force
        .into_iter()
        .filter(|tool| is_function(tool))
        .map(function)
        .collect();
    let mut provided: Vec<(usize, &str)> = Vec::new();
    for (index, tool) in tools.iter().enumerate() {
        let (kind, name) = (str_of(tool, "type"), str_of(tool, "name"));
        let path = format!("tools.{index}");
        if is_function(tool) {
            if name.is_empty() {
                return Err(wanted(&format!("{path}.name"), "a string"));
            }
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

/// Whether the client runs it by a schema of its own.
pub(super) fn is_function(tool: &Value) -> bool {
    matches!(str_of(tool, "type"), "" | "custom")
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
