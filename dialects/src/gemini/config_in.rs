//! `generationConfig`, read from a client.

use hone_strategies::chat::{ChatRequest, End, Origin, count};
use serde_json::{Map, Value, json};

use super::fields::{find, get, join, number, take, text};
use super::schema::{from_subset, lowered};
use crate::shape::Refusal;
use crate::tables::effort;
use crate::wire::json::{list, object, wanted};

/// Numbers that chat has under another name, or the same.
const NUMBERS: [(&str, &str); 6] = [
    ("frequencyPenalty", "frequency_penalty"),
    ("presencePenalty", "presence_penalty"),
    ("seed", "seed"),
    ("temperature", "temperature"),
    ("topK", "top_k"),
    ("topP", "top_p"),
];
/// What else chat can say, or nobody misses when it is read here.
const READ: [&str; 7] = [
    "audioTimestamp",
    "responseJsonSchema",
    "responseMimeType",
    "responseModalities",
    "responseSchema",
    "thinkingConfig",
    "_responseJsonSchema",
];
/// What makes the answer worse where it is missing.
const DEGRADED: [&str; 5] = [
    "audioTranscriptionConfig",
    "enableEnhancedCivicAnswers",
    "imageConfig",
    "mediaResolution",
    "speechConfig",
];

/// Reads it into chat's fields. What chat cannot say stays in the origin.
pub(super) fn read(
    config: Value,
    path: &str,
    request: &mut ChatRequest,
    origin: &mut Origin,
) -> Result<(), Refusal> {
    let mut config = object(config, path)?;
    for (camel, name) in NUMBERS {
        number(&config, camel, path)?;
        if let Some((value, _)) = take(&mut config, camel, path) {
            request.set(name, value);
        }
    }
    counts(&mut config, path, request)?;
    if let Some((stop, path)) = take(&mut config, "stopSequences", path) {
        let stop = list(stop, &path)?;
        if !stop.iter().all(Value::is_string) {
            return Err(wanted(&path, "an array of strings"));
        }
        if !stop.is_empty() {
            request.set("stop", stop);
        }
    }
    if let Some((value, path)) = take(&mut config, "responseLogprobs", path) {
        let Value::Bool(value) = value else {
            return Err(wanted(&path, "true or false"));
        };
        request.set("logprobs", value);
    }
    modalities(&config, path, origin)?;
    if let Some(format) = format(&config) {
        request.set("response_format", format);
    }
    thinking(&config, path, request, origin)?;
    fates(&config, path, origin);
    if !config.is_empty() {
        origin
            .fields
            .insert("generationConfig".to_owned(), config.into());
    }
    Ok(())
}

/// Whole numbers.
fn counts(
    config: &mut Map<String, Value>,
    path: &str,
    request: &mut ChatRequest,
) -> Result<(), Refusal> {
    for (camel, name, least) in [
        ("candidateCount", "n", 1),
        ("logprobs", "top_logprobs", 0),
        ("maxOutputTokens", "max_tokens", 1),
    ] {
        let Some((value, path)) = take(config, camel, path) else {
            continue;
        };
        let count = count(&value.to_string()).filter(|count| *count >= least);
        let wanted = || wanted(&path, &format!("a whole number of at least {least}"));
        request.set(name, count.ok_or_else(wanted)?);
    }
    Ok(())
}

/// Only Google's own models answer with images and sounds.
fn modalities(config: &Map<String, Value>, path: &str, origin: &mut Origin) -> Result<(), Refusal> {
    let Some((name, kinds)) = find(config, "responseModalities") else {
        return Ok(());
    };
    let path = join(path, name);
    let kinds = kinds.as_array().ok_or_else(|| wanted(&path, "an array"))?;
    let is_text = |kind: &Value| {
        let kind = kind.as_str().unwrap_or_default();
        kind.eq_ignore_ascii_case("text") || kind == "MODALITY_UNSPECIFIED"
    };
    if !kinds.iter().all(is_text) {
        let why = "Other upstreams answer with text only.";
        origin.fate(path, End::Refuse(why.to_owned()));
    }
    Ok(())
}

/// The form of the answer as chat asks for it.
pub(super) fn format(config: &Map<String, Value>) -> Option<Value> {
    let schema = find(config, "responseJsonSchema").or_else(|| find(config, "_responseJsonSchema"));
    let schema = schema.map(|(_, schema)| lowered(schema));
    let subset = || find(config, "responseSchema").map(|(_, schema)| from_subset(schema));
    let kind = find(config, "responseMimeType").and_then(|(_, kind)| kind.as_str());
    match (schema.or_else(subset), kind) {
        (Some(schema), None | Some("application/json")) => Some(json!({
            "type": "json_schema",
            "json_schema": {"name": "response", "schema": schema},
        })),
        (None, Some("application/json")) => Some(json!({"type": "json_object"})),
        _ => None,
    }
}

/// How much the model is to think, and whether the client wants to see it.
fn thinking(
    config: &Map<String, Value>,
    path: &str,
    request: &mut ChatRequest,
    origin: &mut Origin,
) -> Result<(), Refusal> {
    let Some((name, thinking)) = find(config, "thinkingConfig") else {
        return Ok(());
    };
    let path = join(path, name);
    let fields = thinking
        .as_object()
        .ok_or_else(|| wanted(&path, "an object"))?;
    origin.wishes.reasoning = get(thinking, "includeThoughts") == Some(&Value::Bool(true));
    let level = find(fields, "thinkingLevel").filter(|(_, level)| {
        let level = level.as_str();
        level.is_none_or(|level| !level.eq_ignore_ascii_case("THINKING_LEVEL_UNSPECIFIED"))
    });
    let budget = find(fields, "thinkingBudget");
    if let (Some(_), Some(_)) = (level, budget) {
        let why = format!("`{path}` has both a level and a budget; only one of them may be set.");
        return Err(Refusal::invalid(path, why));
    }
    if let Some((name, level)) = level {
        let word = level.as_str().and_then(effort::from_gemini_level);
        let levels = "`MINIMAL`, `LOW`, `MEDIUM`, `HIGH` or `XHIGH`";
        let word = word.ok_or_else(|| wanted(&join(&path, name), levels))?;
        request.set("reasoning_effort", word);
    }
    if let Some((name, budget)) = budget {
        let tokens = tokens(budget)
            .ok_or_else(|| wanted(&join(&path, name), "a whole number of at least -1"))?;
        if let Some(word) = effort::of_budget(tokens) {
            request.set("reasoning_effort", word);
        }
    }
    Ok(())
}

/// A budget: -1 leaves it to the model.
fn tokens(budget: &Value) -> Option<i64> {
    if budget.as_i64() == Some(-1) {
        return Some(-1);
    }
    i64::try_from(count(&budget.to_string())?).ok()
}

/// The effort that a native configuration comes to.
pub(super) fn effort_of(thinking: &Value) -> Option<&'static str> {
    match get(thinking, "thinkingBudget").and_then(tokens) {
        Some(budget) => effort::of_budget(budget),
        None => effort::from_gemini_level(text(thinking, "thinkingLevel")),
    }
}

/// What becomes of the rest in another dialect.
fn fates(config: &Map<String, Value>, above: &str, origin: &mut Origin) {
    for (name, value) in config {
        let named = Map::from_iter([(name.clone(), value.clone())]);
        let is = |camel: &&str| find(&named, camel).is_some();
        let path = join(above, name);
        if is(&"responseMimeType") && value == "text/x.enum" {
            let why = "Other upstreams do not answer with one of a list of words.";
            origin.fate(path, End::Refuse(why.to_owned()));
        } else if is(&"continuationToken") {
            let why = "An answer can be continued by its own provider only.";
            origin.fate(path, End::Refuse(why.to_owned()));
        } else if DEGRADED.iter().any(is) {
            origin.fate(path, End::Degrade);
        } else if !value.is_null() && !READ.iter().any(is) {
            origin.fate(path, End::Quiet);
        }
    }
}
