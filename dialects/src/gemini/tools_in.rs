//! Tools and the choice among them, read from a client.

use hone_strategies::chat::{ChatRequest, End, Origin};
use serde_json::{Map, Value, json};

use super::fields::{find, get, has_only, join, text};
use super::schema::{from_subset, lowered};
use crate::shape::Refusal;
use crate::wire::json::{list, str_of, wanted};

/// Reads the tools.
pub(super) fn tools(
    tools: &Value,
    path: &str,
    choice: Option<&Value>,
    request: &mut ChatRequest,
    origin: &mut Origin,
) -> Result<(), Refusal> {
    // The API takes one tool for a list of one.
    let tools = match tools {
        one @ Value::Object(_) => vec![one.clone()],
        several => list(several.clone(), path)?,
    };
    let (mut functions, mut provided) = (Vec::new(), Vec::new());
    let mut is_plain = tools.len() <= 1;
    for (at, tool) in tools.iter().enumerate() {
        let path = format!("{path}.{at}");
        let fields = tool.as_object().ok_or_else(|| wanted(&path, "an object"))?;
        let declared = find(fields, "functionDeclarations");
        for (name, value) in fields {
            match declared {
                Some((declared, functions_here)) if declared == name => {
                    let path = join(&path, name);
                    is_plain &= declarations(functions_here, &path, &mut functions)?;
                }
                _ if value.is_null() => {}
                _ => provided.push(join(&path, name)),
            }
        }
    }
    for path in provided {
        is_plain = false;
        // A promise that a tool will be called cannot be kept without one.
        let why = "Only its own provider runs this tool.".to_owned();
        let end = if functions.is_empty() {
            End::Refuse(why)
        } else {
            End::Degrade
        };
        origin.fate(path, end);
    }
    let among = choice.and_then(chosen).and_then(|chosen| chosen.among);
    if !is_plain || among.is_some() {
        origin.tools = tools;
    }
    if !functions.is_empty() {
        request.set("tools", functions);
    }
    Ok(())
}

/// Reads a list of functions. Whether chat can say all of it.
fn declarations(declared: &Value, path: &str, functions: &mut Vec<Value>) -> Result<bool, Refusal> {
    let declared = declared
        .as_array()
        .ok_or_else(|| wanted(path, "an array"))?;
    let mut is_plain = true;
    for (at, declaration) in declared.iter().enumerate() {
        let name = text(declaration, "name");
        if name.is_empty() {
            return Err(wanted(&format!("{path}.{at}.name"), "a string"));
        }
        functions.push(function(declaration, name));
        let known = ["name", "description", "parametersJsonSchema"];
        is_plain &= has_only(declaration, &known);
        let schema = get(declaration, "parametersJsonSchema");
        is_plain &= schema.is_none_or(|schema| lowered(schema) == *schema);
    }
    Ok(is_plain)
}

fn function(declaration: &Value, name: &str) -> Value {
    let mut function = Map::new();
    function.insert("name".to_owned(), name.into());
    if let Some(description) = get(declaration, "description") {
        function.insert("description".to_owned(), description.clone());
    }
    let schema = get(declaration, "parametersJsonSchema").map(lowered);
    let subset = || get(declaration, "parameters").map(from_subset);
    if let Some(schema) = schema.or_else(subset) {
        function.insert("parameters".to_owned(), schema);
    }
    json!({"type": "function", "function": function})
}

fn calling(choice: &Value) -> Option<&Value> {
    get(choice, "functionCallingConfig")
}

fn mode(choice: &Value) -> &str {
    calling(choice).map_or("", |config| text(config, "mode"))
}

/// A choice as chat makes it.
pub(super) struct Chosen {
    /// Chat's `tool_choice`.
    pub(super) choice: Value,
    /// The only tools that may be called, where the choice does not say it.
    pub(super) among: Option<Vec<String>>,
}

/// The choice; nothing where that is what happens anyway.
pub(super) fn chosen(choice: &Value) -> Option<Chosen> {
    let names = calling(choice).and_then(|config| get(config, "allowedFunctionNames"));
    let names = names.and_then(Value::as_array).into_iter().flatten();
    let names: Vec<String> = names.filter_map(Value::as_str).map(str::to_owned).collect();
    let (choice, is_among) = match (mode(choice), names.as_slice()) {
        ("NONE", _) => (json!("none"), false),
        ("ANY", [name]) => {
            let function = json!({ "name": name });
            (json!({"type": "function", "function": function}), false)
        }
        ("ANY", _) => (json!("required"), true),
        ("VALIDATED", _) => (json!("auto"), true),
        ("AUTO", _) => (json!("auto"), false),
        _ => return None,
    };
    let among = (is_among && !names.is_empty()).then_some(names);
    Some(Chosen { choice, among })
}

/// Reads the choice among the tools.
pub(super) fn choice(
    choice: Value,
    path: &str,
    request: &mut ChatRequest,
    origin: &mut Origin,
) -> Result<(), Refusal> {
    let Some(fields) = choice.as_object() else {
        return Err(wanted(path, "an object"));
    };
    for (name, value) in fields {
        let is_read = has_only(
            &Map::from_iter([(name.clone(), true.into())]).into(),
            &["functionCallingConfig"],
        );
        if !is_read && !value.is_null() {
            origin.fate(join(path, name), End::Degrade);
        }
    }
    let mode = mode(&choice).to_owned();
    if !matches!(
        mode.as_str(),
        "" | "ANY" | "AUTO" | "MODE_UNSPECIFIED" | "NONE" | "VALIDATED"
    ) {
        let path = join(path, "functionCallingConfig.mode");
        return Err(wanted(&path, "`AUTO`, `ANY`, `NONE` or `VALIDATED`"));
    }
    if mode == "VALIDATED" {
        origin.fate(join(path, "functionCallingConfig.mode"), End::Degrade);
    }
    // Without tools there is nothing to choose among, and other upstreams refuse to.
    if let Some(Chosen { choice, among }) = chosen(&choice)
        && let Some(Value::Array(tools)) = request.get("tools").cloned()
    {
        request.set("tool_choice", choice);
        if let Some(among) = among {
            let is_allowed = |tool: &Value| {
                let function = tool.get("function").unwrap_or(&Value::Null);
                among.iter().any(|name| *name == str_of(function, "name"))
            };
            let allowed = tools.into_iter().filter(is_allowed);
            request.set("tools", allowed.collect::<Vec<_>>());
        }
    }
    origin.fields.insert("toolConfig".to_owned(), choice);
    Ok(())
}
