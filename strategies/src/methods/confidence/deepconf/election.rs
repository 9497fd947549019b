//! The vote of the confident: whom the traces so far elect.

use super::trace::ReasoningTrace;
use crate::answer::Votes;

/// Votes that a consensus takes.
const LEAST_VOTES: usize = 3;

/// What the traces so far elect.
pub(super) struct Election<'a> {
    votes: Votes,
    weights: Vec<(u32, f64)>,
    /// The most confident trace of the leading answer; without votes, of all whole ones; else the
    /// longest.
    pub(super) winner: Option<&'a ReasoningTrace>,
}

impl<'a> Election<'a> {
    pub(super) fn of(traces: &'a [ReasoningTrace], bar: Option<f64>) -> Self {
        let reaches = |trace: &&ReasoningTrace| {
            bar.is_none_or(|bar| trace.score.is_some_and(|score| score >= bar))
        };
        let whole: Vec<&ReasoningTrace> = traces.iter().filter(|trace| trace.is_whole).collect();
        let mut votes = Votes::new();
        let mut weights = Vec::new();
        for trace in whole.iter().copied().filter(reaches) {
            let weight = if bar.is_some() {
                trace.weight.unwrap_or(0.0)
            } else {
                1.0
            };
            votes.add(trace.candidate.index as usize, trace.answer.clone(), weight);
            if trace.answer.is_some() {
                weights.push((trace.candidate.index, weight));
            }
        }
        let leader = votes.leader();
        let elected = |trace: &&&ReasoningTrace| {
            leader.as_ref().is_none_or(|leader| {
                leader
                    .candidates
                    .contains(&(trace.candidate.index as usize))
            })
        };
        let surest = |traces: Vec<&'a ReasoningTrace>| {
            let confidence = |trace: &ReasoningTrace| trace.weight.unwrap_or(f64::NEG_INFINITY);
            // The first of the surest: `max_by` alone would take the last.
            traces.into_iter().min_by(|a, b| {
                confidence(b)
                    .total_cmp(&confidence(a))
                    .then(a.candidate.index.cmp(&b.candidate.index))
            })
        };
        let winner = surest(whole.iter().filter(elected).copied().collect());
        let longest = || {
            traces
                .iter()
                .max_by_key(|trace| trace.candidate.text().len())
        };
        Self {
            votes,
            weights,
            winner: winner.or_else(longest),
        }
    }

    /// Whether the leader has its consensus, or `outstanding` more votes could not change it.
    pub(super) fn is_decided(&self, consensus: f64, outstanding: u32) -> bool {
        let total: f64 = self.weights.iter().map(|(_, weight)| weight).sum();
        let leads = self
            .votes
            .leader()
            .is_some_and(|leader| leader.weight >= consensus * total);
        (leads && self.votes() >= LEAST_VOTES) || self.votes.decided(outstanding as usize)
    }

    pub(super) fn votes(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn weight_of(&self, trace: &ReasoningTrace) -> Option<f64> {
        self.weights
            .iter()
            .find(|(index, _)| *index == trace.candidate.index)
            .map(|(_, weight)| *weight)
    }
}
