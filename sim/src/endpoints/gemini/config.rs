//! The configuration of the answer.

use serde_json::Value;

use super::check::{only, refused};
use super::{Asked, member, members};
use crate::endpoints::fields::text;
use crate::refusal::Refusal;

const FIELDS: [&str; 21] = [
    "audioTimestamp",
    "candidateCount",
    "enableEnhancedCivicAnswers",
    "frequencyPenalty",
    "imageConfig",
    "logprobs",
    "maxOutputTokens",
    "mediaResolution",
    "presencePenalty",
    "responseJsonSchema",
    "responseLogprobs",
    "responseMimeType",
    "responseModalities",
    "responseSchema",
    "seed",
    "speechConfig",
    "stopSequences",
    "temperature",
    "thinkingConfig",
    "topK",
    "topP",
];

pub(super) fn check(config: &Value, asked: &Asked<'_>, has_tools: bool) -> Result<(), Refusal> {
    only(config, &FIELDS, "generation_config")?;
    let number = |name: &str| member(config, name).and_then(Value::as_f64);
    for (name, range) in [
        ("candidateCount", 1.0..=8.0),
        ("maxOutputTokens", 1.0..=65_536.0),
        ("temperature", 0.0..=2.0),
        ("topP", 0.0..=1.0),
    ] {
        if let Some(value) = number(name).filter(|value| !range.contains(value)) {
            return refused(format!(
                "Unable to submit request because it has a {name} value of {value} but the \
                 supported range is from {} (inclusive) to {} (inclusive). Update the value and \
                 try again.",
                range.start(),
                range.end()
            ));
        }
    }
    let stops = members(config, "stopSequences");
    if stops.len() > 5 {
        return refused(format!(
            "Unable to submit request because it has {} stopSequences but at most 5 are supported.",
            stops.len()
        ));
    }
    schema(config, asked, has_tools)?;
    member(config, "thinkingConfig").map_or(Ok(()), thinking)
}

fn schema(config: &Value, asked: &Asked<'_>, has_tools: bool) -> Result<(), Refusal> {
    let kind = text(config, "responseMimeType").or_else(|| text(config, "response_mime_type"));
    let is_json = kind == Some("application/json");
    let own = member(config, "responseSchema");
    let json = member(config, "responseJsonSchema");
    if own.is_some() && json.is_some() {
        return refused("Only one of response_schema and response_json_schema may be set.");
    }
    if (own.is_some() || json.is_some()) && !is_json {
        return refused(
            "* GenerateContentRequest.generation_config.response_schema: only allowed when \
             response_mime_type is application/json\n",
        );
    }
    if is_json && has_tools && !asked.is_third() {
        return refused(
            "Function calling with a response mime type: 'application/json' is unsupported",
        );
    }
    let place = "generation_config.response_schema";
    own.map_or(Ok(()), |schema| subset(schema, place))
}

/// What a schema of Gemini's own may have in it: no more of JSON Schema.
pub(super) fn subset(schema: &Value, place: &str) -> Result<(), Refusal> {
    const KEYWORDS: [&str; 21] = [
        "anyOf",
        "default",
        "description",
        "enum",
        "example",
        "format",
        "items",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "nullable",
        "pattern",
        "properties",
        "propertyOrdering",
        "required",
        "title",
    ];
    let known: Vec<&str> = KEYWORDS.iter().chain(&["type"]).copied().collect();
    only(schema, &known, place)?;
    if schema.get("type").is_some_and(Value::is_array) {
        return refused(format!(
            "Invalid value at '{place}.type': Proto field is not repeating, cannot start list."
        ));
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, inner) in properties.into_iter().flatten() {
        subset(inner, &format!("{place}.properties[{name}]"))?;
    }
    for inner in members(schema, "anyOf") {
        subset(inner, &format!("{place}.any_of"))?;
    }
    let items = schema.get("items");
    items.map_or(Ok(()), |items| subset(items, &format!("{place}.items")))
}

fn thinking(thinking: &Value) -> Result<(), Refusal> {
    const LEVELS: [&str; 4] = ["MINIMAL", "LOW", "MEDIUM", "HIGH"];
    let place = "generation_config.thinking_config";
    let known = ["includeThoughts", "thinkingBudget", "thinkingLevel"];
    only(thinking, &known, place)?;
    let level = member(thinking, "thinkingLevel");
    if level.is_some() && member(thinking, "thinkingBudget").is_some() {
        return refused(
            "You can only set only one of thinking budget and thinking level. Please check your \
             thinking config.",
        );
    }
    match level.map(|level| level.as_str().unwrap_or_default().to_ascii_uppercase()) {
        Some(level) if !LEVELS.contains(&level.as_str()) => refused(format!(
            "Invalid value at '{place}.thinking_level' (type.googleapis.com/ThinkingLevel), \
             \"{level}\""
        )),
        _ => Ok(()),
    }
}
