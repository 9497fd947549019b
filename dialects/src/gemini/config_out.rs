//! `generationConfig`, written for an upstream.

use hone_strategies::chat::{ChatRequest, Origin};
use serde_json::{Map, Value, json};

use super::config_in;
use super::fields::{find, has_only};
use super::signature::generation;
use crate::shape::{Losses, Target, ThinkingForm};
use crate::tables::effort;
use crate::wire::json::str_of;

/// Chat's fields that the configuration has under these names.
const SAME: [(&str, &str); 5] = [
    ("frequency_penalty", "frequencyPenalty"),
    ("logprobs", "responseLogprobs"),
    ("presence_penalty", "presencePenalty"),
    ("seed", "seed"),
    ("top_logprobs", "logprobs"),
];
/// Those that some models refuse.
const SAMPLING: [(&str, &str); 3] = [
    ("temperature", "temperature"),
    ("top_k", "topK"),
    ("top_p", "topP"),
];
/// What says in a native configuration which form the answer has.
const FORM: [&str; 4] = [
    "_responseJsonSchema",
    "responseJsonSchema",
    "responseMimeType",
    "responseSchema",
];

/// Writes it into `out`, unless it says nothing.
pub(super) fn write(
    (request, own): (&ChatRequest, Option<&Origin>),
    target: &Target,
    stops: Vec<String>,
    out: &mut Map<String, Value>,
    losses: &mut Losses,
) {
    let native = own.and_then(|origin| origin.fields.get("generationConfig")?.as_object());
    let mut config = native.cloned().unwrap_or_default();
    for (name, camel) in SAME {
        let value = request.get(name).filter(|value| **value != json!(false));
        if let Some(value) = value {
            config.insert(camel.to_owned(), value.clone());
        }
    }
    for (name, camel) in SAMPLING {
        match request.get(name) {
            Some(_) if !target.settings.takes_sampling => losses.degrade(name),
            Some(value) => drop(config.insert(camel.to_owned(), value.clone())),
            None => {}
        }
    }
    if let Some((_, limit)) = request.token_limit() {
        config.insert("maxOutputTokens".to_owned(), limit.into());
    }
    if request.n() > 1 {
        config.insert("candidateCount".to_owned(), request.n().into());
    }
    if !stops.is_empty() {
        config.insert("stopSequences".to_owned(), stops.into());
    }
    form(request, &mut config);
    thinking(request, target, &mut config, losses);
    if !config.is_empty() {
        out.insert("generationConfig".to_owned(), config.into());
    }
}

/// The form of the answer: as the client has written it, if it is still that which is wanted.
fn form(request: &ChatRequest, config: &mut Map<String, Value>) {
    let wanted = request.get("response_format");
    let is_text = wanted.is_none_or(|format| str_of(format, "type") == "text");
    if config_in::format(config).as_ref() == wanted {
        return;
    }
    remove(config, &FORM);
    if is_text {
        return;
    }
    config.insert("responseMimeType".to_owned(), "application/json".into());
    let schema = wanted.and_then(|format| format.pointer("/json_schema/schema"));
    if let Some(schema) = schema.filter(|schema| !schema.is_null()) {
        config.insert("responseJsonSchema".to_owned(), schema.clone());
    }
}

fn remove(config: &mut Map<String, Value>, camels: &[&str]) {
    config.retain(|name, _| {
        let named = Map::from_iter([(name.clone(), true.into())]);
        !has_only(&named.into(), camels)
    });
}

/// How much the model is to think, and whether it is to be shown.
fn thinking(
    request: &ChatRequest,
    target: &Target,
    config: &mut Map<String, Value>,
    losses: &mut Losses,
) {
    let word = request.get("reasoning_effort").and_then(Value::as_str);
    let native = find(config, "thinkingConfig").map(|(_, native)| native);
    if native.is_some_and(|native| config_in::effort_of(native) == word) {
        return;
    }
    remove(config, &["thinkingConfig"]);
    let wishes = request.origin().map(|origin| origin.wishes);
    let mut thinking = Map::new();
    if let Some(word) = word {
        match effort(word, target) {
            Some((name, value, is_it)) => {
                thinking.insert(name.to_owned(), value);
                if !is_it {
                    losses.degrade("reasoning_effort");
                }
            }
            None => losses.degrade("reasoning_effort"),
        }
    }
    if wishes.is_some_and(|wishes| wishes.reasoning) && can_think(target) {
        thinking.insert("includeThoughts".to_owned(), true.into());
    }
    if !thinking.is_empty() {
        config.insert("thinkingConfig".to_owned(), thinking.into());
    }
}

fn can_think(target: &Target) -> bool {
    let old = ["gemini-1", "gemini-2.0"];
    let is_old = old.iter().any(|name| target.model.contains(name));
    target.settings.thinking != ThinkingForm::Off && !is_old
}

/// The effort as the model takes it, and whether it is the one that was asked for.
fn effort(word: &str, target: &Target) -> Option<(&'static str, Value, bool)> {
    if !can_think(target) {
        return None;
    }
    let allowed = effort::allowed(word, &target.settings.refused_efforts)?;
    let by_budget = target.settings.thinking == ThinkingForm::Budget
        || generation(&target.model).is_some_and(|generation| generation < 3);
    let (name, value) = if by_budget {
        ("thinkingBudget", effort::to_gemini_budget(allowed)?.into())
    } else {
        ("thinkingLevel", effort::to_gemini_level(allowed)?.into())
    };
    Some((name, value, allowed == word))
}
