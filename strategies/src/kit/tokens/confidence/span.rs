//! The tokens that spell a part of an answer.

use super::token::{ScoredToken, mean};

/// The mean margin of the tokens that spell the last occurrence of `part`; of all tokens if it does
/// not occur. `None` where no token has a margin.
pub(crate) fn mean_margin_of(part: &str, tokens: &[ScoredToken]) -> Option<f64> {
    let text: String = tokens.iter().map(|token| token.text.as_str()).collect();
    let found = text
        .rfind(part)
        .filter(|_| !part.is_empty())
        .map(|start| start..start + part.len());
    let mut at = 0;
    let spelling = tokens.iter().filter(|token| {
        let start = at;
        at += token.text.len();
        found
            .as_ref()
            .is_some_and(|found| start < found.end && at > found.start)
    });
    let of_part = mean(spelling.filter_map(ScoredToken::margin));
    of_part.or_else(|| mean(tokens.iter().filter_map(ScoredToken::margin)))
}
