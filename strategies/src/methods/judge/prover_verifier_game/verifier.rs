//! The verifier: what it says of a solution, and whether it can be believed.

use futures_util::future::join_all;
use rand::seq::SliceRandom;

use crate::contract::SCORE;
use crate::kit::case::Case;
use crate::kit::choosing::rating;
use crate::kit::choosing::selection::{distinct, worthy};
use crate::model::Purpose;
use crate::run::{Candidate, Candidates, Run};

const ROLE: &str = include_str!("role.txt");
const WANTED: &str = include_str!("wanted.txt");
const GUIDED: &str = include_str!("guided.txt");

/// What a verifier is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Guidance {
    /// Check the solution.
    Plain,
    /// Solve the task first, then compare.
    Guided,
}

/// A solution and what the verifier says of it.
#[derive(Debug, Clone)]
pub(super) struct Solution {
    pub(super) candidate: Candidate,
    /// Candidates of its wording.
    pub(super) size: usize,
    /// The mean of its ratings, from 0 to 10.
    pub(super) score: Option<f64>,
    /// What the severest verdict says.
    pub(super) objections: String,
}

impl Solution {
    /// The sound ones of `candidates`, those of the same wording together.
    pub(super) fn of(candidates: &Candidates) -> Vec<Self> {
        let new = |candidate: &Candidate, size| Self {
            candidate: candidate.clone(),
            size,
            score: None,
            objections: String::new(),
        };
        distinct(&worthy(candidates))
            .iter()
            .map(|group| new(group.first, group.size))
            .collect()
    }
}

pub(super) struct Verifier<'a> {
    pub(super) run: &'a Run,
    pub(super) case: Case<'a>,
    pub(super) guidance: Guidance,
    /// Verdicts per solution.
    pub(super) votes: u32,
    /// The number of the next verdict.
    pub(super) next: u32,
}

impl Verifier<'_> {
    /// Verifies all of them at the same time, each by itself and in an order that tells nothing.
    pub(super) async fn verify(&mut self, solutions: Vec<&mut Solution>) {
        let mut solutions = solutions;
        solutions.shuffle(&mut self.run.rng(&format!("order {}", self.next)));
        let first = self.next;
        self.next += u32::try_from(solutions.len())
            .unwrap_or(u32::MAX)
            .saturating_mul(self.votes);
        let this = &*self;
        let verdicts = (0..).zip(solutions).map(|(at, solution)| async move {
            let verdicts = this
                .verdicts(&solution.candidate.shown(), first + at * this.votes)
                .await;
            solution.score = mean(&verdicts);
            let severest = verdicts.into_iter().min_by(|a, b| a.0.total_cmp(&b.0));
            solution.objections = severest.map(|(_, reply)| reply).unwrap_or_default();
        });
        join_all(verdicts).await;
    }

    async fn verdicts(&self, text: &str, first: u32) -> Vec<(f64, String)> {
        let wanted = if self.guidance == Guidance::Guided {
            GUIDED
        } else {
            WANTED
        };
        let call = self
            .case
            .call(Purpose::Judge, ROLE, &[text.to_owned()], wanted);
        // Asking the same verifier again is worth something only if it may answer differently.
        let call = call.set("temperature", if self.votes == 1 { 0.0 } else { 1.0 });
        let read = |reply: &str| rating::read(reply).map(|score| (score, without_verdict(reply)));
        let calls = (0..self.votes).map(|vote| self.run.judge(&call, first + vote, SCORE, read));
        join_all(calls).await.into_iter().flatten().collect()
    }
}

/// The reply without its last line, which holds the score.
fn without_verdict(reply: &str) -> String {
    reply
        .trim()
        .rsplit_once('\n')
        .map_or("", |(objections, _)| objections.trim())
        .to_owned()
}

fn mean(verdicts: &[(f64, String)]) -> Option<f64> {
    let count = verdicts.iter().fold(0.0, |count, _| count + 1.0);
    (count > 0.0).then(|| verdicts.iter().map(|(score, _)| score).sum::<f64>() / count)
}

/// How much better the solutions are rated than the decoys, on average; `None` where either has no
/// rating.
pub(super) fn gap(solutions: &[Solution], decoys: &[Solution]) -> Option<f64> {
    let average = |rated: &[Solution]| {
        let (count, sum) = rated
            .iter()
            .filter_map(|one| one.score)
            .fold((0.0, 0.0), |(count, sum), score| (count + 1.0, sum + score));
        (count > 0.0).then(|| sum / count)
    };
    Some(average(solutions)? - average(decoys)?)
}
