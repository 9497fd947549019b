//! Probabilities of tokens, both ways.

use hone_strategies::chat::Logprobs;
use serde_json::{Map, Value, json};

use super::fields::{get, text};

/// Reads a candidate's `logprobsResult`.
pub(super) fn read(candidate: &Value) -> Option<Logprobs> {
    let told = get(candidate, "logprobsResult")?;
    let list = |name: &str| get(told, name).and_then(Value::as_array);
    let tops = list("topCandidates").map_or(&[][..], Vec::as_slice);
    let entries = list("chosenCandidates")?
        .iter()
        .enumerate()
        .map(|(at, chosen)| {
            let top = tops
                .get(at)
                .and_then(|top| get(top, "candidates")?.as_array());
            let top: Vec<Value> = top
                .into_iter()
                .flatten()
                .map(|top| entry(top).into())
                .collect();
            let mut entry = entry(chosen);
            entry.insert("top_logprobs".to_owned(), top.into());
            Value::Object(entry)
        });
    let entries: Vec<Value> = entries.collect();
    (!entries.is_empty()).then(|| json!({ "content": entries }).into())
}

fn entry(told: &Value) -> Map<String, Value> {
    let token = text(told, "token");
    let logprob = get(told, "logProbability").cloned();
    Map::from_iter([
        ("token".to_owned(), token.into()),
        ("logprob".to_owned(), logprob.unwrap_or_else(|| 0.into())),
        ("bytes".to_owned(), token.as_bytes().to_vec().into()),
    ])
}

/// A candidate's `logprobsResult`.
pub(super) fn write(logprobs: &Logprobs) -> Option<Value> {
    let (mut chosen, mut tops) = (Vec::new(), Vec::new());
    for token in logprobs.entries("content") {
        let top = token.get("top_logprobs").and_then(Value::as_array);
        let top: Vec<Value> = top.into_iter().flatten().map(told).collect();
        tops.push(json!({ "candidates": top }));
        chosen.push(told(&token));
    }
    (!chosen.is_empty()).then(|| json!({"chosenCandidates": chosen, "topCandidates": tops}))
}

fn told(token: &Value) -> Value {
    let logprob = token.get("logprob").cloned().unwrap_or_default();
    json!({"token": token.get("token"), "logProbability": logprob})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_come_back() {
        let top = json!([{"token": "é", "logProbability": -0.5},
            {"token": "b", "logProbability": -2.0}]);
        let told = json!({"chosenCandidates": [{"token": "é", "logProbability": -0.5}],
            "topCandidates": [{"candidates": top}]});
        let read = read(&json!({ "logprobsResult": told })).unwrap();
        let entry = read.entries("content").next().unwrap();
        assert_eq!(entry["bytes"], json!("é".as_bytes()));
        assert_eq!(entry["top_logprobs"][1]["logprob"], -2.0);
        assert_eq!(write(&read), Some(told));
        assert!(super::read(&json!({})).is_none());
    }
}
