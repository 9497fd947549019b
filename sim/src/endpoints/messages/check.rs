//! What Anthropic refuses of a request, in its words.

use http::HeaderMap;
use serde_json::Value;

use super::{thinking, tools, turns};
use crate::ask::Ask;
use crate::endpoints::fields::{claude, list, text};
use crate::refusal::Refusal;

/// The fields of a request for an answer.
pub(super) const FIELDS: [&str; 23] = [
    "cache_control",
    "container",
    "context_management",
    "diagnostics",
    "inference_geo",
    "max_tokens",
    "mcp_servers",
    "messages",
    "metadata",
    "model",
    "output_config",
    "service_tier",
    "speed",
    "stop_sequences",
    "stream",
    "system",
    "temperature",
    "thinking",
    "tool_choice",
    "tools",
    "top_k",
    "top_p",
    "user_profile_id",
];

/// The fields of a request for a count.
pub(super) const COUNTED: [&str; 10] = [
    "cache_control",
    "context_management",
    "mcp_servers",
    "messages",
    "model",
    "output_config",
    "system",
    "thinking",
    "tool_choice",
    "tools",
];

/// The versions of the API. The last one refuses what chooses among tokens.
const VERSIONS: [&str; 3] = ["2023-01-01", "2023-06-01", "2026-10-21"];

pub(super) fn refused(message: impl Into<String>) -> Result<(), Refusal> {
    Err(Refusal::invalid(message))
}

/// Refuses a request that Anthropic refuses.
pub(super) fn check(ask: &Ask, headers: &HeaderMap, known: &[&str]) -> Result<(), Refusal> {
    let is_newest = version(headers)? == VERSIONS[2];
    if let Some(name) = ask.names().find(|name| !known.contains(name)) {
        return refused(format!("{name}: Extra inputs are not permitted"));
    }
    for name in ["model", "messages", "max_tokens"] {
        if known.contains(&name) && ask.field(name).is_none_or(Value::is_null) {
            return refused(format!("{name}: Field required"));
        }
    }
    sampling(ask, is_newest)?;
    limits(ask)?;
    system(ask)?;
    thinking::check(ask)?;
    tools::check(ask)?;
    format(ask)?;
    turns::check(ask, is_newest)?;
    breakpoints(ask)
}

/// The version that the client asks for.
fn version(headers: &HeaderMap) -> Result<&str, Refusal> {
    let version = headers.get("anthropic-version");
    let Some(version) = version.and_then(|version| version.to_str().ok()) else {
        return Err(Refusal::invalid("anthropic-version: header is required"));
    };
    if VERSIONS.contains(&version) {
        return Ok(version);
    }
    Err(Refusal::invalid(format!(
        "anthropic-version: \"{version}\" is not a valid version; valid versions are {VERSIONS:?}"
    )))
}

/// What chooses among tokens.
fn sampling(ask: &Ask, is_newest: bool) -> Result<(), Refusal> {
    for name in ["temperature", "top_p", "top_k"] {
        let Some(value) = ask.field(name) else {
            continue;
        };
        if is_newest {
            return refused(format!(
                "{name}: this field is not supported with anthropic-version {}",
                VERSIONS[2]
            ));
        }
        let most = if name == "top_k" { f64::MAX } else { 1.0 };
        if !value
            .as_f64()
            .is_some_and(|value| (0.0..=most).contains(&value))
        {
            return refused(format!("{name}: range: 0..1"));
        }
    }
    Ok(())
}

/// What ends the answer, and who asks.
fn limits(ask: &Ask) -> Result<(), Refusal> {
    if let Some(limit) = ask.field("max_tokens")
        && limit.as_u64().is_none()
    {
        return refused("max_tokens: Input should be a valid integer");
    }
    if let Some(stops) = ask.field("stop_sequences") {
        let Some(stops) = stops.as_array() else {
            return refused("stop_sequences: Input should be a valid list");
        };
        for (index, stop) in stops.iter().enumerate() {
            if stop.as_str().is_none_or(|stop| stop.trim().is_empty()) {
                return refused(format!(
                    "stop_sequences.{index}: each stop sequence must contain non-whitespace"
                ));
            }
        }
    }
    let metadata = ask.field("metadata").and_then(Value::as_object);
    match metadata.and_then(|metadata| metadata.keys().find(|name| *name != "user_id")) {
        Some(name) => refused(format!("metadata.{name}: Extra inputs are not permitted")),
        None => Ok(()),
    }
}

/// The system prompt: a text, or blocks of text.
fn system(ask: &Ask) -> Result<(), Refusal> {
    match ask.field("system") {
        None | Some(Value::String(_)) => Ok(()),
        Some(Value::Array(blocks)) => {
            for (index, block) in blocks.iter().enumerate() {
                if text(block, "type") != Some("text") {
                    return refused(format!("system.{index}.type: Input should be 'text'"));
                }
                if text(block, "text").is_none_or(str::is_empty) {
                    return refused("system: text content blocks must be non-empty");
                }
            }
            Ok(())
        }
        Some(_) => refused("system: Input should be a valid string or a list of text blocks"),
    }
}

/// The schema that the answer must fit.
fn format(ask: &Ask) -> Result<(), Refusal> {
    let Some(config) = ask.field("output_config") else {
        return Ok(());
    };
    let efforts = ["low", "medium", "high", "xhigh", "max"];
    if let Some(effort) = config.get("effort")
        && !effort
            .as_str()
            .is_some_and(|effort| efforts.contains(&effort))
    {
        return refused(format!(
            "output_config.effort: Input should be one of {efforts:?}"
        ));
    }
    let Some(format) = config.get("format").filter(|format| !format.is_null()) else {
        return Ok(());
    };
    if text(format, "type") != Some("json_schema") {
        return refused("output_config.format.type: Input should be 'json_schema'");
    }
    if let Some(name) = ["name", "strict", "json_schema"]
        .into_iter()
        .find(|name| format.get(name).is_some())
    {
        return refused(format!(
            "output_config.format.{name}: Extra inputs are not permitted"
        ));
    }
    format.get("schema").map_or_else(
        || refused("output_config.format.schema: Field required"),
        schema,
    )
}

/// Objects must be closed, and bounds are not supported.
fn schema(schema: &Value) -> Result<(), Refusal> {
    const BOUNDS: [&str; 6] = [
        "minimum",
        "maximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "maxItems",
    ];
    let kind = text(schema, "type").unwrap_or_default();
    if kind == "object" && schema.get("additionalProperties") != Some(&Value::Bool(false)) {
        return refused(
            "output_config.format.schema: For 'object' type, 'additionalProperties' must be \
             explicitly set to false",
        );
    }
    if let Some(bound) = BOUNDS.into_iter().find(|bound| schema.get(bound).is_some()) {
        return refused(format!(
            "output_config.format.schema: For '{kind}' type, property '{bound}' is not supported"
        ));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    let below = properties.into_iter().flat_map(|all| all.values());
    below
        .chain(schema.get("items"))
        .chain(list(schema, "anyOf"))
        .try_for_each(self::schema)
}

/// There are at most four marks for the cache.
fn breakpoints(ask: &Ask) -> Result<(), Refusal> {
    let places = ["system", "tools", "messages"];
    let nested: usize = places
        .iter()
        .filter_map(|name| ask.field(name))
        .map(marks)
        .sum();
    let found = nested + usize::from(ask.field("cache_control").is_some());
    if found > 4 {
        return refused(format!(
            "A maximum of 4 blocks with cache_control may be provided. Found {found}."
        ));
    }
    Ok(())
}

fn marks(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(marks).sum(),
        Value::Object(members) => {
            let own = members
                .get("cache_control")
                .is_some_and(|mark| !mark.is_null());
            usize::from(own) + members.get("content").map_or(0, marks)
        }
        _ => 0,
    }
}

/// Whether a model of this name refuses that the conversation ends with its own words.
pub(super) fn refuses_prefill(model: &str) -> bool {
    claude(model).is_some_and(|version| version >= (4, 6))
}
