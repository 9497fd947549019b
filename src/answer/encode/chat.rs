//! A strategy's outcome as `chat.completion`.

use std::time::{SystemTime, UNIX_EPOCH};

use hone_strategies::Outcome;
use serde_json::{Value, json};

use crate::request::headers::Detail;

/// What all chunks of one answer share.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    /// `chatcmpl-…`.
    pub(crate) id: String,
    /// Unix time in seconds.
    pub(crate) created: u64,
    /// The model name that the client asked for.
    pub(crate) model: String,
}

impl Identity {
    /// A new answer's identity.
    pub(crate) fn new(request: &str, model: &str) -> Self {
        let created = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        Self {
            id: format!("chatcmpl-{request}"),
            created,
            model: model.to_owned(),
        }
    }
}

/// The answer's document.
pub(crate) fn completion(identity: &Identity, outcome: &Outcome, detail: Detail) -> Value {
    let choices: Vec<Value> = outcome
        .choices
        .iter()
        .map(hone_strategies::chat::Choice::to_value)
        .collect();
    let mut document = json!({
        "id": identity.id,
        "object": "chat.completion",
        "created": identity.created,
        "model": identity.model,
        "choices": choices,
        "usage": outcome.usage.to_value(),
    });
    if let (Some(hone), Some(fields)) = (hone(outcome, detail), document.as_object_mut()) {
        fields.insert("hone".to_owned(), hone);
    }
    document
}

/// The `hone` object: the caller's own run, and nobody else's.
pub(crate) fn hone(outcome: &Outcome, detail: Detail) -> Option<Value> {
    let mut usage = outcome.usage.to_value();
    if let Some(fields) = usage.as_object_mut() {
        // Which part of the sum nobody reported.
        fields.insert(
            "estimated_tokens".to_owned(),
            outcome.usage.estimated.into(),
        );
    }
    let mut object = json!({
        "upstream_calls": outcome.calls,
        "degraded": outcome.degraded,
        "usage": usage,
        "final_usage": outcome.final_usage.to_value(),
    });
    let choices = auto(outcome);
    if let (false, Some(fields)) = (choices.is_empty(), object.as_object_mut()) {
        fields.insert("auto".to_owned(), choices.into());
    }
    match detail {
        Detail::None => return None,
        Detail::Usage => {}
        Detail::Trace => {
            if let (Ok(trace), Some(fields)) =
                (serde_json::to_value(&outcome.trace), object.as_object_mut())
            {
                fields.insert("trace".to_owned(), trace);
            }
        }
    }
    Some(object)
}

/// What `auto` picked for each choice, and why.
pub(crate) fn auto(outcome: &Outcome) -> Vec<&str> {
    outcome
        .trace
        .notes
        .iter()
        .filter(|note| note.name == "auto")
        .filter_map(|note| note.value.as_str())
        .collect()
}
