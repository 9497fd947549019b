//! What OpenAI refuses of a request, in its words.

use http::StatusCode;
use serde_json::Value;

use super::{history, items, tools};
use crate::ask::Ask;
use crate::endpoints::fields::text;
use crate::refusal::Refusal;

/// The fields of a request for an answer.
pub(super) const FIELDS: [&str; 31] = [
    "background",
    "client_metadata",
    "context_management",
    "conversation",
    "include",
    "input",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "model",
    "moderation",
    "parallel_tool_calls",
    "previous_response_id",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "stream",
    "stream_options",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
];

/// The fields of a request for a count.
pub(super) const COUNTED: [&str; 11] = [
    "conversation",
    "input",
    "instructions",
    "model",
    "parallel_tool_calls",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
];

/// What can be included.
const INCLUDED: [&str; 8] = [
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
];

/// The field `param` has a value that is not among `known`.
pub(super) fn invalid_value(param: &str, value: &str, known: &[&str]) -> Refusal {
    let known: Vec<String> = known.iter().map(|one| format!("'{one}'")).collect();
    Refusal::invalid(format!(
        "Invalid value: '{value}'. Supported values are: {}.",
        known.join(", ")
    ))
    .param(param)
    .code("invalid_value")
}

/// The field `param` is not there.
pub(super) fn missing(param: &str) -> Refusal {
    Refusal::invalid(format!("Missing required parameter: '{param}'."))
        .param(param)
        .code("missing_required_parameter")
}

/// The field `param` has the wrong type.
pub(super) fn invalid_type(param: &str, expected: &str) -> Refusal {
    Refusal::invalid(format!(
        "Invalid type for '{param}': expected {expected}, but got another type instead."
    ))
    .param(param)
    .code("invalid_type")
}

/// The field `param` is not known.
pub(super) fn unknown(param: &str) -> Refusal {
    Refusal::invalid(format!("Unknown parameter: '{param}'."))
        .param(param)
        .code("unknown_parameter")
}

/// Refuses a request that OpenAI refuses.
pub(super) fn check(ask: &Ask, known: &[&str]) -> Result<(), Refusal> {
    let is_known = |name: &str| known.contains(&name) || name == "user";
    if let Some(name) = ask.names().find(|name| !is_known(name)) {
        return Err(moved(name));
    }
    state(ask)?;
    limits(ask)?;
    include(ask)?;
    reasoning(ask)?;
    format(ask)?;
    tools::check(ask)?;
    match ask.field("input") {
        Some(Value::Array(all)) => {
            items::check(all)?;
            history::check(ask, all)
        }
        None | Some(Value::String(_)) => Ok(()),
        Some(_) => Err(invalid_type("input", "one of a string or array of objects")),
    }
}

/// A field of chat completions, or nobody's.
fn moved(name: &str) -> Refusal {
    let place = match name {
        "max_tokens" | "max_completion_tokens" => "max_output_tokens",
        "response_format" => "text.format",
        "reasoning_effort" => "reasoning.effort",
        "messages" => "input",
        _ => return unknown(name),
    };
    Refusal::invalid(format!(
        "Unsupported parameter: '{name}'. In the Responses API, this parameter has moved to \
         '{place}'. Try again with the new parameter."
    ))
    .param(name)
    .code("unsupported_parameter")
}

/// Nothing is kept here.
fn state(ask: &Ask) -> Result<(), Refusal> {
    if let Some(id) = ask.get("previous_response_id") {
        let id = id.as_str().unwrap_or_default();
        let message = format!("Previous response with id '{id}' not found.");
        return Err(Refusal::invalid(message)
            .param("previous_response_id")
            .code("previous_response_not_found"));
    }
    for name in ["conversation", "prompt"] {
        if ask.get(name).is_some() {
            let message = format!("The {name} of this request was not found.");
            return Err(Refusal::new(StatusCode::NOT_FOUND, message).param(name));
        }
    }
    Ok(())
}

fn limits(ask: &Ask) -> Result<(), Refusal> {
    if let Some(limit) = ask.get("max_output_tokens") {
        let Some(limit) = limit.as_u64() else {
            return Err(invalid_type("max_output_tokens", "an integer"));
        };
        if limit < 16 {
            return Err(Refusal::invalid(format!(
                "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= \
                 16, but got {limit} instead."
            ))
            .param("max_output_tokens")
            .code("integer_below_min_value"));
        }
    }
    let temperature = ask.get("temperature").and_then(Value::as_f64);
    match temperature.filter(|value| *value > 2.0) {
        Some(value) => Err(Refusal::invalid(format!(
            "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got \
             {value} instead."
        ))
        .param("temperature")
        .code("decimal_above_max_value")),
        None => Ok(()),
    }
}

fn include(ask: &Ask) -> Result<(), Refusal> {
    let include = ask.get("include").and_then(Value::as_array);
    for (index, name) in include.into_iter().flatten().enumerate() {
        let name = name.as_str().unwrap_or_default();
        if !INCLUDED.contains(&name) {
            return Err(invalid_value(&format!("include[{index}]"), name, &INCLUDED));
        }
    }
    Ok(())
}

fn reasoning(ask: &Ask) -> Result<(), Refusal> {
    const EFFORTS: [&str; 6] = ["none", "minimal", "low", "medium", "high", "xhigh"];
    let Some(reasoning) = ask.get("reasoning") else {
        return Ok(());
    };
    if let Some(effort) = text(reasoning, "effort").filter(|effort| !EFFORTS.contains(effort)) {
        let known: Vec<String> = EFFORTS.iter().map(|one| format!("'{one}'")).collect();
        return Err(Refusal::invalid(format!(
            "Unsupported value: '{effort}' is not supported with the '{}' model. Supported values \
             are: {}.",
            ask.model().unwrap_or_default(),
            known.join(", ")
        ))
        .param("reasoning.effort")
        .code("unsupported_value"));
    }
    let known = ["auto", "concise", "detailed"];
    match text(reasoning, "summary").filter(|summary| !known.contains(summary)) {
        Some(summary) => Err(invalid_value("reasoning.summary", summary, &known)),
        None => Ok(()),
    }
}

/// The format of the text lies flat.
fn format(ask: &Ask) -> Result<(), Refusal> {
    let format = ask.get("text").and_then(|text| text.get("format"));
    let Some(format) = format.filter(|format| !format.is_null()) else {
        return Ok(());
    };
    match text(format, "type") {
        Some("text" | "json_object") => Ok(()),
        Some("json_schema") => {
            for name in ["name", "schema"] {
                if format.get(name).is_none() {
                    return Err(missing(&format!("text.format.{name}")));
                }
            }
            let schema = format.get("schema").unwrap_or(&Value::Null);
            if format.get("strict") == Some(&Value::Bool(true)) {
                tools::is_closed(schema, "text.format.schema", "invalid_json_schema")?;
            }
            Ok(())
        }
        other => Err(invalid_value(
            "text.format.type",
            other.unwrap_or_default(),
            &["json_object", "json_schema", "text"],
        )),
    }
}
