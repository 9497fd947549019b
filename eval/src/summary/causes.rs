//! Why requests failed, and how many for each reason.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::journal::SAMPLE;
use crate::results::Results;

/// A reason, and what failed for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Cause {
    /// As the endpoint or the judge told it, without what differs between requests.
    pub(crate) message: String,
    /// Requests.
    pub(crate) count: u32,
    /// The approaches that they were made with, each once.
    pub(crate) approaches: Vec<String>,
}

/// The reasons of all failures of a journal, the most frequent first.
pub(crate) fn of(results: Results<'_>) -> Vec<Cause> {
    let mut causes: BTreeMap<String, Cause> = BTreeMap::new();
    let failed = results
        .journal
        .answers()
        .filter_map(|(task, answered)| Some((task, answered.error.as_ref()?)));
    for (task, error) in failed {
        let message = common(error);
        let cause = causes.entry(message.clone()).or_insert_with(|| Cause {
            message,
            count: 0,
            approaches: Vec::new(),
        });
        cause.count += 1;
        let approach = match task.approach.as_str() {
            SAMPLE => "plain samples",
            approach => approach,
        };
        if !cause.approaches.iter().any(|known| known == approach) {
            cause.approaches.push(approach.to_owned());
        }
    }
    let mut causes: Vec<Cause> = causes.into_values().collect();
    for cause in &mut causes {
        cause.approaches.sort();
    }
    causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
    causes
}

/// A message without the names of requests: long words with digits in them.
pub(crate) fn common(message: &str) -> String {
    let is_name = |word: &str| {
        let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
        bare.len() >= 12
            && bare.contains(|c: char| c.is_ascii_digit())
            && bare
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
    };
    let words = message
        .split_whitespace()
        .map(|word| if is_name(word) { "…" } else { word });
    let text = words.collect::<Vec<_>>().join(" ");
    // A provider's words reach a terminal here.
    text.replace(char::is_control, "\u{fffd}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_failed_alike_have_one_cause() {
        let one = "429: Rate limit reached (request req_0123456789abcdef).";
        let other = "429: Rate limit reached (request req_fedcba9876543210).";
        assert_eq!(common(one), common(other));
        assert_ne!(
            common("404: no model gpt-4o"),
            common("404: no model gpt-5")
        );
    }
}
