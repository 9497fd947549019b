//! A strategy's outcome as `chat.completion`.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use hone_strategies::chat::{Choice, content_beside};
use hone_strategies::{Outcome, Trace};
use serde::Serialize;
use serde_json::Value;

use crate::config::ShownUsage;
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

/// The answer's document, as JSON. Nothing of the answer is copied but into it.
pub(crate) fn completion(
    identity: &Identity,
    outcome: &Outcome,
    (detail, shown): (Detail, ShownUsage),
) -> String {
    let document = Completion {
        id: &identity.id,
        object: "chat.completion",
        created: identity.created,
        model: &identity.model,
        choices: &outcome.choices,
        beside: beside(outcome),
        usage: usage(outcome, shown),
        hone: hone(outcome, detail),
    };
    serde_json::to_string(&document).unwrap_or_default()
}

/// The use of tokens that is told.
pub(crate) fn usage(outcome: &Outcome, shown: ShownUsage) -> Value {
    match shown {
        ShownUsage::Sum => outcome.reported.with(&outcome.usage),
        ShownUsage::Last => outcome.final_usage.to_value(),
    }
}

/// What stands beside the answer's choices: what the first one's provider said there.
fn beside(outcome: &Outcome) -> BTreeMap<&str, &Value> {
    let rest = outcome.choices.first().map(|choice| &*choice.beside);
    let fields = rest.into_iter().flat_map(content_beside);
    fields
        .map(|(name, value)| (name.as_str(), value))
        .filter(|(name, _)| *name != "hone")
        .collect()
}

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice],
    #[serde(flatten)]
    beside: BTreeMap<&'a str, &'a Value>,
    usage: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    hone: Option<Hone<'a>>,
}

/// The `hone` object: the caller's own run, and nobody else's.
#[derive(Serialize)]
pub(crate) struct Hone<'a> {
    upstream_calls: u32,
    degraded: &'a [String],
    usage: Value,
    final_usage: Value,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    auto: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<&'a Trace>,
}

/// What is told of a run.
pub(crate) fn hone(outcome: &Outcome, detail: Detail) -> Option<Hone<'_>> {
    let trace = match detail {
        Detail::None => return None,
        Detail::Usage => None,
        Detail::Trace => Some(&outcome.trace),
    };
    let mut usage = outcome.reported.with(&outcome.usage);
    if let Some(fields) = usage.as_object_mut() {
        // Which part of the sum nobody reported.
        fields.insert(
            "estimated_tokens".to_owned(),
            outcome.usage.estimated.into(),
        );
    }
    Some(Hone {
        upstream_calls: outcome.calls,
        degraded: &outcome.degraded,
        usage,
        final_usage: outcome.final_usage.to_value(),
        auto: auto(outcome),
        trace,
    })
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
