//! A vote in which programs and texts weigh differently.

use crate::answer::{AnswerValue, Question, Tally as Standing, Votes, program};
use crate::kit::choosing::selection::record;
use crate::kit::choosing::voting;
use crate::run::{Ballot, Candidate, Run};

/// What a program's vote weighs where a text's weighs 1.
const PROGRAM: f64 = 1.5;

/// A vote of candidates of which the first `programs` are programs, whichever of them have come.
pub(super) struct Tally {
    question: Question,
    programs: u32,
    /// The number of the candidate that a sample counts as 0.
    from: u32,
    votes: Votes,
    has_heard_program: bool,
}

impl Tally {
    pub(super) fn new(question: Question, programs: u32) -> Self {
        Self {
            question,
            programs,
            from: 0,
            votes: Votes::new(),
            has_heard_program: false,
        }
    }

    /// The same vote, for samples that are numbered on from here.
    pub(super) fn counting_from(self, from: u32) -> Self {
        Self { from, ..self }
    }

    pub(super) fn is_program(&self, candidate: &Candidate) -> bool {
        candidate.index < self.programs
    }

    /// The number that a candidate gives. Programs that cannot be run and texts without a number
    /// abstain.
    fn answer(&self, candidate: &Candidate) -> Option<AnswerValue> {
        if !candidate.is_sound() {
            None
        } else if self.is_program(candidate) {
            program::answer(&candidate.text())
        } else {
            voting::answer(candidate, &self.question).filter(AnswerValue::is_number)
        }
    }

    fn weight(&self, candidate: &Candidate) -> f64 {
        if self.is_program(candidate) {
            PROGRAM
        } else {
            1.0
        }
    }

    /// Whether at least so many candidates were heard, all of which voted for one answer.
    pub(super) fn is_unanimous(&self, heard: usize) -> bool {
        let agreeing = self.votes.leader().map(|leader| leader.candidates.len());
        heard > 1 && agreeing == Some(heard)
    }

    pub(super) fn leader(&self) -> Option<Standing> {
        self.votes.leader()
    }

    /// Shows the candidates, their answers and what votes for these weigh.
    pub(super) fn record(&self, run: &Run, candidates: &[Candidate], chosen: Option<&Candidate>) {
        let standings = self.votes.histogram();
        run.record(candidates.iter().map(|candidate| {
            let at = candidate.index as usize;
            let standing = standings
                .iter()
                .find(|standing| standing.candidates.contains(&at));
            let answer = self.answer(candidate).map(|answer| answer.to_string());
            record(
                candidate,
                answer,
                standing.map(|standing| standing.weight),
                chosen,
            )
        }));
    }

    /// How many of the heaviest votes so far those to come may weigh together. A vote counts them
    /// in units of the heaviest, which before the first program is a text's.
    fn at_most(&self, outstanding: usize) -> usize {
        if self.has_heard_program {
            outstanding
        } else {
            outstanding.saturating_mul(3).div_ceil(2)
        }
    }
}

impl Ballot for Tally {
    fn add(&mut self, candidate: &Candidate) {
        let candidate = Candidate {
            index: candidate.index.saturating_add(self.from),
            ..candidate.clone()
        };
        let answer = self.answer(&candidate);
        self.has_heard_program |= answer.is_some() && self.is_program(&candidate);
        let weight = self.weight(&candidate);
        self.votes.add(candidate.index as usize, answer, weight);
    }

    fn is_decided(&self, outstanding: usize) -> bool {
        self.votes.decided(self.at_most(outstanding))
    }

    fn confidence(&self, outstanding: usize) -> f64 {
        self.votes.confidence(self.at_most(outstanding))
    }

    fn is_certified(&self, alpha: f64) -> bool {
        self.votes.is_certified(alpha)
    }

    fn row(&self) -> usize {
        self.votes.row()
    }
}
