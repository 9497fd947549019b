//! The fields of a client's request beside its input and its tools.

use hone_strategies::chat::{ChatRequest, End, Origin};
use serde_json::{Map, Value, json};

use crate::shape::Refusal;
use crate::wire::json::{list, object, str_of, take, wanted};

/// Fields that have the same name in chat, and what they must be.
const SAME: [(&str, Form); 10] = [
    ("metadata", Form::Object),
    ("parallel_tool_calls", Form::Switch),
    ("safety_identifier", Form::Text),
    ("service_tier", Form::Text),
    ("stream", Form::Switch),
    ("temperature", Form::Number),
    ("top_logprobs", Form::Number),
    ("top_p", Form::Number),
    ("user", Form::Text),
    ("verbosity", Form::Text),
];

enum Form {
    Number,
    Object,
    Switch,
    Text,
}

/// Fields that stand for what the provider keeps.
pub(super) const KEPT: [(&str, &str); 4] = [
    (
        "background",
        "The answer is not stored: ask without `background`.",
    ),
    (
        "conversation",
        "Conversations are kept by the client's own provider only: send the whole conversation as \
            `input`.",
    ),
    (
        "previous_response_id",
        "Answers are kept by the client's own provider only: send the whole conversation as \
            `input`.",
    ),
    (
        "prompt",
        "Prompts are kept by the client's own provider only: send the prompt itself.",
    ),
];

/// The limit on the answer.
pub(super) fn limit(
    fields: &mut Map<String, Value>,
    request: &mut ChatRequest,
) -> Result<(), Refusal> {
    if let Some(limit) = take(fields, "max_output_tokens") {
        let limit = limit.as_u64().filter(|limit| *limit > 0);
        let what = "a whole number of at least 1";
        let limit = limit.ok_or_else(|| wanted("max_output_tokens", what))?;
        request.set("max_tokens", limit);
    }
    Ok(())
}

/// What chat calls the same.
pub(super) fn same(
    fields: &mut Map<String, Value>,
    request: &mut ChatRequest,
) -> Result<(), Refusal> {
    for (name, form) in &SAME {
        let Some(value) = take(fields, name) else {
            continue;
        };
        let (is_right, what) = match form {
            Form::Number => (value.is_number(), "a number"),
            Form::Object => (value.is_object(), "an object"),
            Form::Switch => (value.is_boolean(), "true or false"),
            Form::Text => (value.is_string(), "a text"),
        };
        if !is_right {
            return Err(wanted(name, what));
        }
        request.set(name, value);
    }
    Ok(())
}

/// `text`: the form of the answer, and how long-winded it is.
pub(super) fn text(
    fields: &mut Map<String, Value>,
    request: &mut ChatRequest,
    origin: &mut Origin,
) -> Result<(), Refusal> {
    let Some(text) = take(fields, "text") else {
        return Ok(());
    };
    let mut text = object(text, "text")?;
    if let Some(format) = take(&mut text, "format") {
        let format = object(format, "text.format")?;
        if let Some(format) = format_of(format)? {
            request.set("response_format", format);
        }
    }
    if let Some(verbosity) = take(&mut text, "verbosity") {
        request.set("verbosity", verbosity);
    }
    for name in text.keys() {
        origin.fate(format!("text.{name}"), End::Quiet);
    }
    if !text.is_empty() {
        origin.fields.insert("text".to_owned(), Value::Object(text));
    }
    Ok(())
}

/// Chat's `response_format`: what is flat here is nested there.
fn format_of(mut format: Map<String, Value>) -> Result<Option<Value>, Refusal> {
    match format.get("type").and_then(Value::as_str) {
        Some("text") => Ok(None),
        Some("json_object") => Ok(Some(json!({"type": "json_object"}))),
        Some("json_schema") => {
            format.shift_remove("type");
            if !format.get("schema").is_some_and(Value::is_object) {
                return Err(wanted("text.format.schema", "an object"));
            }
            format.retain(|_, value| !value.is_null());
            Ok(Some(json!({"type": "json_schema", "json_schema": format})))
        }
        _ => Err(wanted(
            "text.format.type",
            "`text`, `json_object` or `json_schema`",
        )),
    }
}

/// `reasoning`: how much, and what of it is shown.
pub(super) fn reasoning(
    fields: &mut Map<String, Value>,
    request: &mut ChatRequest,
    origin: &mut Origin,
) -> Result<(), Refusal> {
    let Some(reasoning) = take(fields, "reasoning") else {
        return Ok(());
    };
    let mut reasoning = object(reasoning, "reasoning")?;
    reasoning.retain(|_, value| !value.is_null());
    if let Some(effort) = take(&mut reasoning, "effort") {
        let effort = crate::wire::json::text(effort, "reasoning.effort")?;
        request.set("reasoning_effort", effort);
    }
    for name in reasoning.keys() {
        match &**name {
            "summary" | "generate_summary" => origin.wishes.reasoning = true,
            "mode" => origin.fate("reasoning.mode", End::Degrade),
            _ => origin.fate(format!("reasoning.{name}"), End::Quiet),
        }
    }
    if !reasoning.is_empty() {
        origin
            .fields
            .insert("reasoning".to_owned(), Value::Object(reasoning));
    }
    Ok(())
}

/// `include`: what an answer holds beside itself.
pub(super) fn include(
    fields: &mut Map<String, Value>,
    request: &mut ChatRequest,
    origin: &mut Origin,
) -> Result<(), Refusal> {
    let wanted_tokens = request.get("top_logprobs").and_then(Value::as_u64);
    if wanted_tokens.is_some_and(|tokens| tokens > 0) {
        request.set("logprobs", true);
    } else {
        request.remove("top_logprobs");
    }
    let Some(include) = take(fields, "include") else {
        return Ok(());
    };
    let mut others = Vec::new();
    for (index, wish) in list(include, "include")?.into_iter().enumerate() {
        match wish.as_str() {
            Some("reasoning.encrypted_content") => origin.wishes.encrypted = true,
            Some("message.output_text.logprobs") => request.set("logprobs", true),
            Some(_) => {
                origin.fate(format!("include.{index}"), End::Quiet);
                others.push(wish);
            }
            None => return Err(wanted(&format!("include.{index}"), "a text")),
        }
    }
    if !others.is_empty() {
        origin.fields.insert("include".to_owned(), others.into());
    }
    Ok(())
}

/// What chat has no name for.
pub(super) fn rest(fields: Map<String, Value>, origin: &mut Origin) -> Result<(), Refusal> {
    for (name, value) in fields {
        if value.is_null() {
            continue;
        }
        if name == "store" && !value.is_boolean() {
            return Err(wanted("store", "true or false"));
        }
        if let Some(end) = end(&name, &value) {
            origin.fate(&*name, end);
        }
        if name == "prompt_cache_options" && value.get("prewarm") == Some(&Value::Bool(true)) {
            let why = "Only OpenAI's API warms a cache without an answer.";
            origin.fate("prompt_cache_options.prewarm", End::Refuse(why.to_owned()));
        }
        origin.fields.insert(name, value);
    }
    Ok(())
}

/// What becomes of a field in another dialect.
fn end(name: &str, value: &Value) -> Option<End> {
    if let Some((_, why)) = KEPT.iter().find(|(kept, _)| *kept == name) {
        let is_off = *value == json!(false);
        return (!is_off).then(|| End::Refuse((*why).to_owned()));
    }
    match name {
        "context_management" => Some(End::Degrade),
        "moderation" if blocks(value) => Some(End::Degrade),
        // The answer is not stored, nor is anything left out of the input.
        "store" => (*value == json!(true)).then_some(End::Degrade),
        "truncation" => (value != "disabled").then_some(End::Degrade),
        "stream_options" => None,
        _ => Some(End::Quiet),
    }
}

/// Whether a moderation is to hold something back.
fn blocks(moderation: &Value) -> bool {
    let policies = moderation.get("policy").and_then(Value::as_object);
    let mut policies = policies.into_iter().flat_map(Map::values);
    policies.any(|policy| str_of(policy, "mode") == "block")
        || str_of(moderation, "mode") == "block"
}
