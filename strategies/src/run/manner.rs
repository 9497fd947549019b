//! How a run asks for several answers, and when it has heard enough of them.

use super::candidate::Candidate;
use crate::error::SpecError;
use crate::params::Params;
use crate::spec::{
    SAMPLE_N_ABOVE, SAMPLING, SHOWN_BYTES, STOP_CONFIDENCE, STOP_WINDOW, VOTE_TEMPERATURE,
    VOTE_WEIGHT,
};

/// Calls at a time in [`Sampling::Waves`], and answers between two looks at whether a vote is
/// likely enough to be won.
pub(crate) const WAVE: u32 = 4;

/// Watches candidates come in and says when no further one can, or is likely to, change the
/// outcome.
pub(crate) trait Ballot: Send {
    /// Counts one more.
    fn add(&mut self, candidate: &Candidate);
    /// Whether `outstanding` more could not change the outcome.
    fn is_decided(&self, outstanding: usize) -> bool;
    /// How likely it is that `outstanding` more will not change the outcome, at least.
    fn confidence(&self, outstanding: usize) -> f64 {
        if self.is_decided(outstanding) {
            1.0
        } else {
            0.0
        }
    }
    /// How many of the last ones agree.
    fn row(&self) -> usize {
        0
    }
}

/// How candidates are asked for when a decided outcome may stop the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sampling {
    /// All at once; stopping early saves generated tokens.
    Parallel,
    /// A few at a time; stopping early saves whole samples.
    Waves,
}

/// When a vote is over before all have voted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Stopping {
    /// How likely the leader must be to win; 1 is certainty, 0 asks for every vote.
    pub(crate) confidence: f64,
    /// How many equal answers in a row end it; none do at 0.
    pub(crate) window: usize,
}

impl Stopping {
    /// Whether a vote may end before all have voted.
    pub(crate) fn is_possible(self) -> bool {
        self.confidence > 0.0 || self.window > 0
    }

    /// Whether the `outstanding` ones are not worth waiting for. How likely the leader is to win
    /// counts only at a look: every look is one more chance to take a fluke for a lead.
    pub(crate) fn ends(self, ballot: &dyn Ballot, outstanding: usize, is_look: bool) -> bool {
        let Self { confidence, window } = self;
        let is_likely =
            || confidence < 1.0 && is_look && ballot.confidence(outstanding) >= confidence;
        (window > 0 && ballot.row() >= window)
            || (confidence > 0.0 && (ballot.is_decided(outstanding) || is_likely()))
    }
}

/// What votes are weighed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rule {
    /// What is safe on a model of which nothing is known.
    Auto,
    /// How sure the model was of every choice among alternatives.
    Certainty,
    /// The log probabilities of what the model chose.
    Logprob,
    /// Nothing.
    None,
    /// Those log probabilities, between answers with as many votes.
    Tie,
}

/// What votes are weighed by, and how much.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct VoteWeight {
    pub(crate) rule: Rule,
    pub(crate) temperature: f64,
}

/// What holds for every strategy of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manner {
    pub(crate) sampling: Sampling,
    /// Prompts of more tokens than this are sent once, with `n`, even if separate calls could be
    /// stopped early.
    pub(crate) sample_n_above: u64,
    pub(crate) stopping: Stopping,
    pub(crate) weight: VoteWeight,
    /// Room for what models wrote in one prompt, in bytes.
    pub(crate) shown_bytes: usize,
}

impl Manner {
    pub(crate) fn read(params: &Params) -> Result<Self, SpecError> {
        let sampling = if SAMPLING.word(params)? == "waves" {
            Sampling::Waves
        } else {
            Sampling::Parallel
        };
        let window = usize::try_from(STOP_WINDOW.integer(params)?).unwrap_or(usize::MAX);
        let stopping = Stopping {
            confidence: STOP_CONFIDENCE.number(params)?,
            window,
        };
        let rule = match VOTE_WEIGHT.word(params)?.as_str() {
            "none" => Rule::None,
            "tie" => Rule::Tie,
            "logprob" => Rule::Logprob,
            "certainty" => Rule::Certainty,
            _ => Rule::Auto,
        };
        let weight = VoteWeight {
            rule,
            temperature: VOTE_TEMPERATURE.number(params)?,
        };
        let shown_bytes = usize::try_from(SHOWN_BYTES.integer(params)?).unwrap_or(usize::MAX);
        Ok(Self {
            sampling,
            sample_n_above: SAMPLE_N_ABOVE.integer(params)?.into(),
            stopping,
            weight,
            shown_bytes,
        })
    }
}
