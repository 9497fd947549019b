//! A rating by the probabilities of the digits that could have stood in its place.

use crate::chat::Choice;
use crate::kit::choosing::weighing::visible;
use crate::kit::tokens::confidence::{ScoredToken, scored};

/// Alternatives that are less likely are noise.
const LEAST: f64 = 0.01;
/// Of a place where digits are less likely than this together, nothing is read.
const LEAST_MASS: f64 = 0.2;
/// The greatest rating.
const MOST: f64 = 10.0;
/// What a rating stands behind, in lower case.
const LABEL: &str = "score";
/// Tokens behind a label in which its number must stand.
const REACH: usize = 8;

/// The mean of what could have stood where a reply `said` its rating; `None` where its log
/// probabilities do not tell.
pub(super) fn score(reply: &Choice, said: f64) -> Option<f64> {
    let tokens = scored(reply.logprobs.as_ref()?);
    let place = place(visible(&tokens, &reply.message.text()), said)?;
    let own = place.text.trim();
    // The token that was chosen may be the beginning of the number only: `7` of `7.5`.
    let value = |text: &str| {
        let text = text.trim();
        if text == own {
            return Some(said);
        }
        let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let value: f64 = text.parse().ok().filter(|_| is_digits)?;
        (value <= MOST).then_some(value)
    };
    let likely = place.top.iter().filter_map(|other| {
        let probability = other.logprob.exp();
        Some((probability, value(&other.text)?)).filter(|(probability, _)| *probability >= LEAST)
    });
    let (mass, sum) = likely.fold((0.0, 0.0), |(mass, sum), (probability, value)| {
        (mass + probability, sum + probability * value)
    });
    (mass >= LEAST_MASS).then(|| sum / mass)
}

/// The token that begins the number that was `said`, behind a label; the first number where there
/// is no label.
fn place(tokens: &[ScoredToken], said: f64) -> Option<&ScoredToken> {
    let whole = said.to_string();
    let is_number = |token: &&ScoredToken| {
        let text = token.text.trim();
        text.starts_with(|c: char| c.is_ascii_digit())
    };
    let mut labelled = behind_labels(tokens).peekable();
    if labelled.peek().is_none() {
        return tokens.iter().find(is_number);
    }
    labelled.find_map(|behind| {
        let first = behind.iter().take(REACH).find(is_number)?;
        whole.starts_with(first.text.trim()).then_some(first)
    })
}

/// What follows each label.
fn behind_labels(tokens: &[ScoredToken]) -> impl Iterator<Item = &[ScoredToken]> {
    let mut said = String::new();
    tokens.iter().enumerate().filter_map(move |(at, token)| {
        said.push_str(&token.text.to_lowercase());
        if said.contains(LABEL) {
            said.clear();
            return tokens.get(at + 1..);
        }
        // No more is kept than may begin a label.
        let kept = said.len().saturating_sub(LABEL.len());
        said.drain(..said.floor_char_boundary(kept));
        None
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::chat::Message;

    /// A reply whose tokens are these, and could have been others with these probabilities.
    fn reply(tokens: &[(&str, &[(&str, f64)])]) -> Choice {
        let entries = tokens.iter().map(|(token, top)| {
            let others = top.iter().map(
                |(token, probability)| json!({"token": token, "logprob": f64::ln(*probability)}),
            );
            let others: Vec<_> = others.collect();
            json!({"token": token, "logprob": -0.1, "top_logprobs": others})
        });
        let entries: Vec<_> = entries.collect();
        let text: String = tokens.iter().map(|(token, _)| *token).collect();
        Choice {
            logprobs: Some(json!({"content": entries}).into()),
            ..Choice::new(Message::assistant(text), "stop")
        }
    }

    #[test]
    fn a_rating_is_the_mean_of_what_could_have_been_written() {
        let digits: &[(&str, f64)] = &[
            (" 8", 0.6),
            (" 4", 0.2),
            ("9", 0.1),
            (" high", 0.095),
            ("0", 0.005),
        ];
        let reply = reply(&[("Score", &[]), (":", &[]), (" 8", digits), ("\n", &[])]);
        let expected = (0.6 * 8.0 + 0.2 * 4.0 + 0.1 * 9.0) / 0.9;
        assert!((score(&reply, 8.0).unwrap() - expected).abs() < 1e-9);
    }

    #[test]
    fn a_number_of_several_tokens_is_read_as_it_was_said() {
        let digits: &[(&str, f64)] = &[("7", 0.5), ("2", 0.5)];
        let half = reply(&[("Score:", &[]), ("7", digits), (".", &[]), ("5", &[])]);
        assert!((score(&half, 7.5).unwrap() - 4.75).abs() < 1e-9);
        let ten: &[(&str, f64)] = &[("1", 0.5), ("9", 0.5), ("100", 0.5)];
        let ten = reply(&[("Score:", &[]), ("1", ten), ("0", &[])]);
        assert!((score(&ten, 10.0).unwrap() - 9.5).abs() < 1e-9);
    }

    #[test]
    fn numbers_beside_the_rating_are_not_the_rating() {
        let other: &[(&str, f64)] = &[("8", 0.5), ("0", 0.5)];
        let own: &[(&str, f64)] = &[("8", 0.5), ("6", 0.5)];
        let reply = reply(&[
            ("Of", &[]),
            (" 8", other),
            (":", &[]),
            ("A", &[]),
            (" Sc", &[]),
            ("ore", &[]),
            (" 3", other),
            (" lacks", &[]),
            ("\nScore:", &[]),
            ("8", own),
        ]);
        assert!((score(&reply, 8.0).unwrap() - 7.0).abs() < 1e-9);
    }

    #[test]
    fn where_no_digit_is_likely_or_none_is_told_words_count() {
        let prose: &[(&str, f64)] = &[("good", 0.9), ("8", 0.1)];
        assert_eq!(score(&reply(&[(":", &[]), ("8", prose)]), 8.0), None);
        assert_eq!(score(&reply(&[(":", &[]), ("8", &[])]), 8.0), None);
        let plain = Choice::new(Message::assistant("Score: 8"), "stop");
        assert_eq!(score(&plain, 8.0), None);
    }
}
