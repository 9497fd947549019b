//! What strategies that choose among candidates have in common.

use crate::chat::view;
use crate::non_empty::NonEmpty;
use crate::run::trace::CandidateRecord;
use crate::run::{Candidate, Candidates};

/// The candidates worth choosing from: the sound ones, or, if none is, the longest.
pub(crate) fn worthy(candidates: &Candidates) -> NonEmpty<&Candidate> {
    let sound = candidates.iter().filter(|candidate| candidate.is_sound());
    let longest = || candidates.best(|a, b| a.text().len().cmp(&b.text().len()));
    NonEmpty::new(sound.collect()).unwrap_or_else(|| NonEmpty::one(longest()))
}

/// Candidates that say the same.
#[derive(Debug, Clone)]
pub(crate) struct Group<'a> {
    pub(crate) first: &'a Candidate,
    pub(crate) text: String,
    pub(crate) size: usize,
}

/// The candidates, those of the same wording together, in order of their first.
pub(crate) fn distinct<'a>(candidates: &NonEmpty<&'a Candidate>) -> NonEmpty<Group<'a>> {
    let alone = |first: &'a Candidate, text| Group {
        first,
        text,
        size: 1,
    };
    let first = *candidates.first();
    let mut groups = NonEmpty::one(alone(first, first.shown()));
    for candidate in candidates.iter().skip(1) {
        let text = candidate.shown();
        match groups.iter_mut().find(|group| group.text == text) {
            Some(group) => group.size += 1,
            None => groups.push(alone(candidate, text)),
        }
    }
    groups
}

/// The candidate as the trace shows it.
pub(crate) fn record(
    candidate: &Candidate,
    answer: Option<String>,
    score: Option<f64>,
    chosen: Option<&Candidate>,
) -> CandidateRecord {
    CandidateRecord {
        branch: String::new(),
        index: candidate.index,
        text: view::spoken(&candidate.choice.message),
        finish_reason: candidate.choice.finish_reason.clone(),
        answer,
        score,
        chosen: chosen.is_some_and(|chosen| chosen.index == candidate.index),
    }
}
