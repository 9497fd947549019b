//! Every solution of a run, what verifiers said of it, and which one is the answer.

use crate::answer::Question;
use crate::kit::choosing::selection;
use crate::kit::choosing::voting::Poll;
use crate::run::{Ballot, Candidate, Run};

/// A solution's number among all of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Id(usize);

impl Id {
    pub(super) fn number(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }
}

/// What verifiers found in a solution.
#[derive(Debug, Clone, Default)]
pub(super) struct Findings {
    pub(super) is_verified: bool,
    pub(super) in_favour: u32,
    pub(super) against: u32,
    /// The report of a verifier who found a fault.
    pub(super) report: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) struct Solution {
    pub(super) id: Id,
    pub(super) candidate: Candidate,
    /// What its author asks with.
    pub(super) temperature: f64,
    /// Once it was examined.
    pub(super) findings: Option<Findings>,
    /// Whether it is up for verification and improvement, not superseded by another.
    pub(super) is_current: bool,
}

impl Solution {
    fn is_verified(&self) -> bool {
        self.findings
            .as_ref()
            .is_some_and(|findings| findings.is_verified)
    }

    /// How far to trust it, between 0 and 1: the share of verdicts in its favour, with one imagined
    /// verdict of either kind.
    fn weight(&self) -> f64 {
        let (in_favour, against) = self
            .findings
            .as_ref()
            .map_or((0, 0), |findings| (findings.in_favour, findings.against));
        (f64::from(in_favour) + 1.0) / (f64::from(in_favour + against) + 2.0)
    }

    /// What a fault-finder reported, where the solution is still to be improved.
    pub(super) fn complaint(&self) -> Option<&str> {
        let findings = self.findings.as_ref().filter(|_| self.is_current)?;
        findings.report.as_deref().filter(|_| !findings.is_verified)
    }
}

pub(super) struct Solutions {
    question: Question,
    all: Vec<Solution>,
}

impl Solutions {
    pub(super) fn new(question: Question) -> Self {
        Self {
            question,
            all: Vec::new(),
        }
    }

    /// Takes a solution in. One that is empty or cut off is not verified.
    pub(super) fn add(&mut self, candidate: Candidate, temperature: f64, is_current: bool) {
        let id = Id(self.all.len());
        let is_current = is_current && candidate.is_sound();
        let candidate = Candidate {
            index: id.number(),
            ..candidate
        };
        self.all.push(Solution {
            id,
            candidate,
            temperature,
            findings: None,
            is_current,
        });
    }

    /// Puts an improved solution in the place of `old`.
    pub(super) fn supersede(&mut self, old: Id, candidate: Candidate) {
        let Some(superseded) = self.all.get_mut(old.0) else {
            return;
        };
        superseded.is_current = false;
        let temperature = superseded.temperature;
        self.add(candidate, temperature, true);
    }

    /// Unexamined solutions, each wording once.
    pub(super) fn unexamined(&self) -> Vec<(Id, String)> {
        let mut found: Vec<(Id, String)> = Vec::new();
        for solution in self
            .all
            .iter()
            .filter(|solution| solution.is_current && solution.findings.is_none())
        {
            let text = solution.candidate.shown();
            if found.iter().all(|(_, known)| *known != text) {
                found.push((solution.id, text));
            }
        }
        found
    }

    /// What verifiers found in the solution `id` holds for all of the same wording.
    pub(super) fn examined(&mut self, id: Id, findings: &Findings) {
        let Some(text) = self
            .all
            .get(id.0)
            .map(|solution| solution.candidate.shown())
        else {
            return;
        };
        let same = self
            .all
            .iter_mut()
            .filter(|solution| solution.findings.is_none() && solution.candidate.shown() == text);
        same.for_each(|solution| solution.findings = Some(findings.clone()));
    }

    pub(super) fn with_complaints(&self) -> Vec<Solution> {
        self.all
            .iter()
            .filter(|solution| solution.complaint().is_some())
            .cloned()
            .collect()
    }

    pub(super) fn verified(&self) -> u32 {
        self.all
            .iter()
            .filter(|solution| solution.is_verified())
            .fold(0, |count, _| count + 1)
    }

    /// Whether a verified solution gives the same answer as `consensus` solutions, itself included.
    pub(super) fn has_consensus(&self, consensus: u32) -> bool {
        let poll = self.poll(|_| 1.0);
        self.all.iter().any(|solution| {
            solution.is_verified() && poll.votes_with(&solution.candidate) >= consensus as usize
        })
    }

    fn poll(&self, weight: impl Fn(&Solution) -> f64) -> Poll {
        let mut poll = Poll::new(self.question.clone());
        self.all
            .iter()
            .for_each(|solution| poll.weigh(&solution.candidate, weight(solution)));
        poll
    }

    /// The answer of the verified solutions; else the one that most trusted solutions agree on, if
    /// as many as `consensus` do.
    pub(super) fn elected(&self, consensus: u32) -> Option<&Candidate> {
        let verified: Vec<&Solution> = self
            .all
            .iter()
            .filter(|solution| solution.is_verified())
            .collect();
        if !verified.is_empty() {
            let mut poll = Poll::new(self.question.clone());
            for solution in &verified {
                poll.add(&solution.candidate);
            }
            let candidates: Vec<Candidate> = verified
                .iter()
                .map(|solution| solution.candidate.clone())
                .collect();
            let winner = poll.winners(&candidates).first().map(|winner| winner.index);
            return verified
                .iter()
                .map(|solution| &solution.candidate)
                .find(|candidate| winner.is_none_or(|winner| candidate.index == winner));
        }
        let candidates: Vec<Candidate> = self
            .all
            .iter()
            .map(|solution| solution.candidate.clone())
            .collect();
        let poll = self.poll(Solution::weight);
        let agreeing: Vec<u32> = poll
            .winners(&candidates)
            .iter()
            .map(|winner| winner.index)
            .collect();
        let ranked = self.ranked();
        let best = ranked
            .into_iter()
            .find(|solution| agreeing.contains(&solution.candidate.index));
        best.filter(|_| agreeing.len() >= consensus.max(2) as usize)
            .map(|solution| &solution.candidate)
    }

    /// The most trusted first; among equals whole ones, and then the latest, since it had the most
    /// to learn from.
    pub(super) fn ranked(&self) -> Vec<&Solution> {
        let mut ranked: Vec<&Solution> = self.all.iter().rev().collect();
        let is_sound = |solution: &Solution| solution.candidate.is_sound();
        ranked.sort_by(|left, right| {
            is_sound(right)
                .cmp(&is_sound(left))
                .then(right.weight().total_cmp(&left.weight()))
        });
        ranked
    }

    /// Shows the solutions in the trace.
    pub(super) fn record(&self, run: &Run, chosen: Option<&Candidate>) {
        run.note("verified", self.verified());
        run.record(self.all.iter().map(|solution| {
            selection::record(&solution.candidate, None, Some(solution.weight()), chosen)
        }));
    }
}
