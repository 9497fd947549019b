//! Reading log probabilities in every shape that is known.

use serde_json::{Map, Value};

use super::token::{Alternative, FLOOR, ScoredToken};
use crate::chat::Logprobs;

/// Alternatives of one token that are read.
const MOST: usize = 64;

/// The tokens of a choice's or a delta's `logprobs`. Empty if nothing in it can be read.
///
/// ```
/// use hone_strategies::confidence::tokens;
/// use serde_json::json;
/// let alternatives = json!([{"token": "42", "logprob": -0.1}]);
/// let token = json!({"token": "42", "logprob": -0.1, "top_logprobs": alternatives});
/// let logprobs = json!({"content": [token]});
/// assert_eq!(tokens(&logprobs)[0].text, "42");
/// ```
pub fn tokens(logprobs: &Value) -> Vec<ScoredToken> {
    match logprobs {
        Value::Array(entries) => entries.iter().filter_map(token).collect(),
        Value::Object(fields) => in_object(fields),
        _ => Vec::new(),
    }
}

/// The same of log probabilities that are text still; of lists an entry at a time.
pub(crate) fn scored(logprobs: &Logprobs) -> Vec<ScoredToken> {
    if let Some(tree) = logprobs.as_tree() {
        return tokens(tree);
    }
    let list = ["content", "refusal"]
        .into_iter()
        .find(|name| logprobs.count(name) > 0);
    list.map_or_else(
        || tokens(&logprobs.to_value()),
        |name| {
            let entries = logprobs.entries(name);
            entries.filter_map(|entry| token(&entry)).collect()
        },
    )
}

fn in_object(fields: &Map<String, Value>) -> Vec<ScoredToken> {
    let list = |name: &str| {
        fields
            .get(name)
            .and_then(Value::as_array)
            .filter(|list| !list.is_empty())
    };
    if let Some(entries) = list("content").or_else(|| list("refusal")) {
        return entries.iter().filter_map(token).collect();
    }
    if let Some(texts) = list("tokens") {
        return in_parallel(texts, list("token_logprobs"), list("top_logprobs"));
    }
    let Some(chosen) = list("chosenCandidates") else {
        return Vec::new();
    };
    let shown = list("topCandidates");
    let alternatives = |at: usize| {
        shown
            .and_then(|shown| shown.get(at)?.get("candidates"))
            .map(alternatives)
            .unwrap_or_default()
    };
    let found = chosen.iter().enumerate().filter_map(|(at, entry)| {
        Some(ScoredToken {
            top: alternatives(at),
            ..token(entry)?
        })
    });
    found.collect()
}

/// The lists of the legacy completions endpoint.
fn in_parallel(
    texts: &[Value],
    own: Option<&Vec<Value>>,
    top: Option<&Vec<Value>>,
) -> Vec<ScoredToken> {
    let found = texts.iter().enumerate().filter_map(|(at, text)| {
        Some(ScoredToken {
            text: text.as_str()?.to_owned(),
            logprob: own.and_then(|own| logprob(own.get(at)?)),
            top: top
                .and_then(|top| top.get(at))
                .map(alternatives)
                .unwrap_or_default(),
        })
    });
    found.collect()
}

fn token(entry: &Value) -> Option<ScoredToken> {
    let fields = entry.as_object()?;
    let top = ["top_logprobs", "top_probs", "probs"]
        .into_iter()
        .find_map(|name| fields.get(name));
    Some(ScoredToken {
        text: text(fields)?,
        logprob: own(fields),
        top: top.map(alternatives).unwrap_or_default(),
    })
}

/// What could have stood there: a list of entries, or a map from a token, or its number, to a log
/// probability or an entry. The likeliest come first.
fn alternatives(shown: &Value) -> Vec<Alternative> {
    let of_entry = |entry: &Value| {
        let fields = entry.as_object()?;
        Some(Alternative {
            text: text(fields)?,
            logprob: own(fields)?,
        })
    };
    let of_pair = |(name, value): (&String, &Value)| match value {
        Value::Object(fields) => Some(Alternative {
            text: text(fields).unwrap_or_else(|| name.clone()),
            logprob: own(fields)?,
        }),
        value => Some(Alternative {
            text: name.clone(),
            logprob: logprob(value)?,
        }),
    };
    let mut found: Vec<Alternative> = match shown {
        Value::Array(entries) => entries.iter().take(MOST).filter_map(of_entry).collect(),
        Value::Object(fields) => fields.iter().take(MOST).filter_map(of_pair).collect(),
        _ => Vec::new(),
    };
    found.sort_by(|left, right| right.logprob.total_cmp(&left.logprob));
    found
}

/// A token's text; where a server shows a part of a character as text, its bytes say more.
fn text(fields: &Map<String, Value>) -> Option<String> {
    let text = ["token", "content", "tok_str", "decoded_token"]
        .into_iter()
        .find_map(|name| fields.get(name)?.as_str());
    let spelled = || {
        let bytes = fields.get("bytes")?.as_array()?;
        let bytes = bytes
            .iter()
            .map(|byte| u8::try_from(byte.as_u64()?).ok())
            .collect::<Option<Vec<u8>>>()?;
        String::from_utf8(bytes).ok()
    };
    match text {
        Some(text) if !text.is_empty() && !text.contains(char::REPLACEMENT_CHARACTER) => {
            Some(text.to_owned())
        }
        text => spelled().or_else(|| text.map(str::to_owned)),
    }
}

fn own(fields: &Map<String, Value>) -> Option<f64> {
    let stated = ["logprob", "logProbability"]
        .into_iter()
        .find_map(|name| logprob(fields.get(name)?));
    stated.or_else(|| {
        let probability = fields.get("prob").and_then(Value::as_f64)?;
        (0.0..=1.0)
            .contains(&probability)
            .then(|| probability.ln().max(FLOOR))
    })
}

/// A log probability between [`FLOOR`] and 0. Minus infinity, which JSON does not have, is
/// sometimes written as a text.
fn logprob(value: &Value) -> Option<f64> {
    let number = match value {
        Value::String(text) => text.trim().parse().ok()?,
        value => value.as_f64()?,
    };
    if number.is_nan() {
        None
    } else {
        Some(number.clamp(FLOOR, 0.0))
    }
}
