//! Reads the verdict of a judge.
//!
//! The last verdict of a reply counts, reasoning between tags never does, and what is not clearly a
//! verdict is none: a guess would be worse than asking again. Callers pass the judge's own reply
//! and nothing else, so text inside a candidate cannot rate itself. Every function takes time
//! linear in the reply.

use std::ops::RangeInclusive;

use crate::reasoning;

mod scan;
#[cfg(test)]
mod tests;

use scan::Reading;

/// Words that announce a rating, as in [`crate::contract::SCORE`].
const SCORE_LABELS: [&[&str]; 3] = [&["score"], &["rating"], &["grade"]];

/// Words that announce a choice, as in [`crate::contract::BEST_CANDIDATE`].
const BEST_LABELS: [&[&str]; 4] = [
    &["best", "candidate"],
    &["best", "response"],
    &["best", "answer"],
    &["best", "solution"],
];

/// The rating that a judge's reply ends with, clamped to `scale`; none when it is missing,
/// negative, a range or unclear.
///
/// The last line decides if it holds a verdict in any accepted form: `Score: 8`, `**Rating:**
/// 8/10`, `[[8]]`, `**8**`, `8`. Otherwise the last labelled number does, then the last `[[8]]`,
/// then the last `8/10` out of the scale's end, then the last line that is just a number. A rating
/// that states its own maximum (`4/5`, `80%`) is converted to `scale`.
///
/// ```
/// use hone_strategies::verdict::parse_score;
/// assert_eq!(parse_score("Clear, one slip.\n**Score:** 7.5/10", 0.0..=10.0), Some(7.5));
/// assert_eq!(parse_score("I cannot rate this.", 0.0..=10.0), None);
/// ```
pub fn parse_score(reply: &str, scale: RangeInclusive<f64>) -> Option<f64> {
    let reply = reasoning::strip(reply);
    let end = *scale.end();
    let in_last_line = last_line(&reply).map_or(Reading::Absent, |line| score_of_line(line, end));
    let reading = in_last_line
        .or_else(|| scan::last_labelled(&reply, &SCORE_LABELS, end))
        .or_else(|| scan::last_in_double_brackets(&reply, end))
        .or_else(|| scan::last_out_of(&reply, end))
        .or_else(|| last_bare_line(&reply, end));
    match reading {
        Reading::Value(value) => Some(value.clamp(*scale.start(), end)),
        Reading::Absent | Reading::Invalid => None,
    }
}

/// The candidate that a judge's reply names as best, counted from 0; none when it names no single
/// candidate of `count`.
///
/// Replies count candidates from 1, as [`crate::contract::BEST_CANDIDATE`] asks them to.
///
/// ```
/// use hone_strategies::verdict::parse_best;
/// assert_eq!(parse_best("2 is close, but: Best candidate: 3", 4), Some(2));
/// assert_eq!(parse_best("Best candidate: 5", 4), None);
/// ```
pub fn parse_best(reply: &str, count: usize) -> Option<usize> {
    let reply = reasoning::strip(reply);
    let in_last_line = last_line(&reply).map_or(Reading::Absent, choice_of_line);
    let reading = in_last_line.or_else(|| scan::last_choice(&reply, &BEST_LABELS));
    let Reading::Value(value) = reading else {
        return None;
    };
    let numbers = (1_u32..).map(f64::from);
    (0..count)
        .zip(numbers)
        .find(|(_, number)| (number - value).abs() < f64::EPSILON)
        .map(|(index, _)| index)
}

/// How hard a question is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Difficulty {
    /// A quick answer will do.
    Easy,
    /// It takes thought.
    Hard,
}

/// The difficulty that the last line of a reply names, and nothing else.
///
/// ```
/// use hone_strategies::verdict::{Difficulty, parse_difficulty};
/// assert_eq!(parse_difficulty("A proof.\n**Difficulty:** hard"), Some(Difficulty::Hard));
/// assert_eq!(parse_difficulty("Difficulty: easy or hard"), None);
/// ```
pub fn parse_difficulty(reply: &str) -> Option<Difficulty> {
    let reply = reasoning::strip(reply);
    let line = last_line(&reply)?.to_lowercase();
    let said = line
        .rsplit_once(':')
        .map_or(line.as_str(), |(_, said)| said);
    let mut words = said
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty());
    match (words.next(), words.next()) {
        (Some("easy"), None) => Some(Difficulty::Easy),
        (Some("hard"), None) => Some(Difficulty::Hard),
        _ => None,
    }
}

fn last_line(reply: &str) -> Option<&str> {
    reply.lines().rev().find(|line| !line.trim().is_empty())
}

/// A line with a label and a colon but no number is a verdict withheld, which an earlier number
/// must not replace.
fn score_of_line(line: &str, end: f64) -> Reading {
    let labelled = match scan::last_labelled(line, &SCORE_LABELS, end) {
        Reading::Absent if scan::has_label_with_colon(line, &SCORE_LABELS) => Reading::Invalid,
        reading => reading,
    };
    labelled
        .or_else(|| scan::last_in_double_brackets(line, end))
        .or_else(|| scan::bare(line, end))
        .or_else(|| scan::last_out_of(line, end))
        .or_else(|| scan::last_in_bold(line, end))
}

fn choice_of_line(line: &str) -> Reading {
    let labelled = match scan::last_choice(line, &BEST_LABELS) {
        Reading::Absent if scan::has_label_with_colon(line, &BEST_LABELS) => Reading::Invalid,
        reading => reading,
    };
    labelled.or_else(|| scan::bare_choice(line))
}

fn last_bare_line(reply: &str, end: f64) -> Reading {
    let mut readings = reply.lines().rev().map(|line| scan::bare(line, end));
    readings
        .find(|reading| *reading != Reading::Absent)
        .unwrap_or(Reading::Absent)
}
