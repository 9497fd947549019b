//! The different answers of several candidates, and which of them are worth a judge's time.
//!
//! A judge is asked about answers and not about candidates, only where the candidates' own vote is
//! undecided, and only about the answers that lead it: what most candidates say is right more often
//! than what a model says of them.

use crate::answer::{Question, Tally};
use crate::chat::ChatRequest;
use crate::kit::choosing::selection::{distinct, worthy};
use crate::kit::choosing::voting::{Poll, agree};
use crate::non_empty::NonEmpty;
use crate::run::{Candidate, Candidates, Judging};

/// Candidates with the same answer.
#[derive(Debug, Clone)]
pub(crate) struct Cluster<'a> {
    pub(crate) first: &'a Candidate,
    /// The first one's wording, as a judge is shown it.
    pub(crate) text: String,
    /// How many they are.
    pub(crate) size: usize,
    /// What they weigh together in the vote.
    pub(crate) weight: f64,
}

/// The different answers, in the order of the vote. Where the question does not tell what an answer
/// looks like, or none can be read, those are one that have the same wording, or surely the same
/// answer.
pub(crate) fn clusters<'a>(
    question: &Question,
    poll: &Poll,
    candidates: &'a Candidates,
) -> NonEmpty<Cluster<'a>> {
    let tallies = if question.is_closed() {
        poll.tallies()
    } else {
        Vec::new()
    };
    let voted = tallies
        .iter()
        .filter_map(|tally| Cluster::of(tally, candidates));
    NonEmpty::new(voted.collect()).unwrap_or_else(|| wordings(question, candidates))
}

/// The answers between which a judge is to choose, in the order of the vote; one alone where the
/// vote needs no judge.
pub(crate) fn contested(
    clusters: NonEmpty<Cluster<'_>>,
    judging: Judging,
) -> NonEmpty<Cluster<'_>> {
    let leader = clusters.first().clone();
    let is_decided = clusters
        .iter()
        .skip(1)
        .all(|rival| rival.size < leader.size);
    if is_decided && !judging.always {
        return NonEmpty::one(leader);
    }
    let top = usize::try_from(judging.top).unwrap_or(usize::MAX);
    NonEmpty::new(clusters.into_iter().take(top).collect()).unwrap_or_else(|| NonEmpty::one(leader))
}

/// How many different answers of `k` candidates come before a judge at most.
pub(crate) fn most_contested(k: u32, judging: Judging) -> u32 {
    k.min(judging.top)
}

/// Whether the answers to `request` can be told apart by what they end in.
pub(crate) fn is_closed(request: &ChatRequest) -> bool {
    super::voting::question(request).is_closed()
}

fn wordings<'a>(question: &Question, candidates: &'a Candidates) -> NonEmpty<Cluster<'a>> {
    let mut clusters: Vec<Cluster<'a>> = Vec::new();
    for group in &distinct(&worthy(candidates)) {
        let is_same = |cluster: &&mut Cluster<'_>| agree([cluster.first, group.first], question);
        match clusters.iter_mut().find(is_same) {
            Some(cluster) => cluster.size += group.size,
            None => clusters.push(Cluster {
                first: group.first,
                text: group.text.clone(),
                size: group.size,
                weight: 0.0,
            }),
        }
    }
    for cluster in &mut clusters {
        cluster.weight = f64::from(u32::try_from(cluster.size).unwrap_or(u32::MAX));
    }
    // The sort is stable, so equals stay in the order of their first candidates.
    clusters.sort_by_key(|cluster| std::cmp::Reverse(cluster.size));
    NonEmpty::new(clusters).unwrap_or_else(|| NonEmpty::one(Cluster::alone(candidates.first())))
}

impl<'a> Cluster<'a> {
    fn alone(first: &'a Candidate) -> Self {
        Self {
            first,
            text: first.shown(),
            size: 1,
            weight: 1.0,
        }
    }

    fn of(tally: &Tally, candidates: &'a Candidates) -> Option<Self> {
        let is_first =
            |candidate: &&Candidate| tally.candidates.first() == Some(&(candidate.index as usize));
        Some(Self {
            size: tally.candidates.len(),
            weight: tally.weight,
            ..Self::alone(candidates.iter().find(is_first)?)
        })
    }
}
