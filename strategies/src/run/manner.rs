//! How a run asks for several answers, and when it has heard enough of them.

use super::candidate::Candidate;
use crate::error::SpecError;
use crate::params::Params;
use crate::spec::{
    JUDGE_ALWAYS, JUDGE_STYLE, JUDGE_TOKENS, JUDGE_TOP, SAMPLE_N_ABOVE, SAMPLING, SHOWN_BYTES,
    STOP_CONFIDENCE, STOP_GUARANTEE, STOP_WINDOW, VOTE_TEMPERATURE, VOTE_WEIGHT,
};

/// Calls at a time in [`Sampling::Waves`], and answers between two looks at whether a vote is
/// likely enough to be won.
pub(crate) const WAVE: u32 = 4;

/// The same of a vote whose answers' spread was measured: its posterior may be looked at more
/// often.
const MEASURED: Pace = Pace { first: 3, then: 2 };
/// How much less likely the leader of such a vote need be to win than to lose, compared with one of
/// which nothing is known: its posterior is that of the model, and needs no margin for being wrong.
const LOOSER: f64 = 3.0;

/// How many candidates are asked for at a time, and so when a vote is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace {
    pub(crate) first: u32,
    pub(crate) then: u32,
}

impl Pace {
    /// Whether a vote is looked at after so many.
    pub(crate) fn is_look(self, cast: usize) -> bool {
        let (first, then) = (self.first as usize, self.then as usize);
        cast >= first && (cast - first).is_multiple_of(then)
    }
}

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
    /// Whether it was measured how the answers to one question spread.
    fn is_measured(&self) -> bool {
        false
    }
    /// How many are asked for at a time.
    fn pace(&self) -> Pace {
        if self.is_measured() {
            MEASURED
        } else {
            Pace {
                first: WAVE,
                then: WAVE,
            }
        }
    }
    /// Whether more of them are known not to help, by what was measured of the model.
    fn is_idle(&self) -> bool {
        false
    }
    /// Whether the outcome is proved at the level `alpha`.
    fn is_certified(&self, _alpha: f64) -> bool {
        false
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
    /// Of how many votes that end early another leader may be elected in the long run. Above 0
    /// nothing but that, or certainty, ends a vote.
    pub(crate) guarantee: f64,
}

impl Stopping {
    /// Whether a vote may end before all have voted.
    pub(crate) fn is_possible(self) -> bool {
        self.confidence > 0.0 || self.window > 0 || self.guarantee > 0.0
    }

    /// Whether the `outstanding` ones are not worth waiting for. How likely the leader is to win
    /// counts only at a look: every look is one more chance to take a fluke for a lead.
    pub(crate) fn ends(self, ballot: &dyn Ballot, outstanding: usize, is_look: bool) -> bool {
        let Self {
            confidence,
            window,
            guarantee,
        } = self;
        if guarantee > 0.0 {
            return ballot.is_decided(outstanding) || ballot.is_certified(guarantee);
        }
        let wanted = if ballot.is_measured() {
            1.0 - LOOSER * (1.0 - confidence)
        } else {
            confidence
        };
        let is_likely = || confidence < 1.0 && is_look && ballot.confidence(outstanding) >= wanted;
        (window > 0 && ballot.row() >= window)
            || (confidence > 0.0
                && (ballot.is_decided(outstanding)
                    || is_likely()
                    || confidence < 1.0 && ballot.is_idle()))
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
    /// The posterior of an answer, by what was measured of the model.
    Map,
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

/// Whom judges are asked about, and how much they may say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Judging {
    /// Whether the verdict comes first, and ends the call.
    pub(crate) is_brief: bool,
    /// Most tokens of such a verdict.
    pub(crate) tokens: u64,
    /// Most different answers.
    pub(crate) top: u32,
    /// Whether judges are asked where a vote has decided, too.
    pub(crate) always: bool,
}

impl Judging {
    pub(crate) fn read(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            is_brief: JUDGE_STYLE.word(params)? == "verdict",
            tokens: JUDGE_TOKENS.integer(params)?.into(),
            top: JUDGE_TOP.integer(params)?,
            always: JUDGE_ALWAYS.boolean(params)?,
        })
    }
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
    pub(crate) judging: Judging,
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
            guarantee: STOP_GUARANTEE.number(params)?,
        };
        let rule = match VOTE_WEIGHT.word(params)?.as_str() {
            "none" => Rule::None,
            "tie" => Rule::Tie,
            "logprob" => Rule::Logprob,
            "certainty" => Rule::Certainty,
            "map" => Rule::Map,
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
            judging: Judging::read(params)?,
        })
    }
}
