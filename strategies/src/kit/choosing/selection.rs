//! What strategies that choose among candidates have in common.

use crate::chat::view;
use crate::run::Candidate;
use crate::run::trace::CandidateRecord;

/// The candidates worth choosing from: the sound ones, or, if none is, the longest.
pub(crate) fn worthy(candidates: &[Candidate]) -> Vec<&Candidate> {
    let sound: Vec<&Candidate> = candidates
        .iter()
        .filter(|candidate| candidate.is_sound())
        .collect();
    if !sound.is_empty() {
        return sound;
    }
    // The first of the longest: `max_by_key` alone would take the last.
    candidates
        .iter()
        .rev()
        .max_by_key(|candidate| candidate.text().len())
        .into_iter()
        .collect()
}

/// Candidates that say the same.
#[derive(Debug, Clone)]
pub(crate) struct Group<'a> {
    pub(crate) first: &'a Candidate,
    pub(crate) text: String,
    pub(crate) size: usize,
}

/// The candidates, those of the same wording together, in order of their first.
pub(crate) fn distinct<'a>(candidates: &[&'a Candidate]) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for candidate in candidates {
        let text = candidate.shown();
        match groups.iter_mut().find(|group| group.text == text) {
            Some(group) => group.size += 1,
            None => groups.push(Group {
                first: candidate,
                text,
                size: 1,
            }),
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
