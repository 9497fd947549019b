//! One trace: written, scored token by token, and cut where it falls below the bar.

use crate::answer::AnswerValue;
use crate::chat::Delta;
use crate::error::StrategyError;
use crate::kit::tokens::confidence::{Window, scored};
use crate::kit::tokens::decoding::speaks;
use crate::run::{Candidate, Observer, Run, SubCall, Watch};

/// Pieces of text without log probabilities after which none are expected.
const SILENT: u32 = 3;

/// When a trace is cut.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gate {
    /// The least mean confidence of a window.
    pub(super) bar: f64,
    /// Tokens in a window.
    pub(super) window: usize,
    /// Tokens before which nothing is cut.
    pub(super) least: usize,
}

/// How a trace is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct TraceTerms {
    pub(super) gate: Option<Gate>,
    /// Whether a trace without log probabilities is of use.
    pub(super) tolerant: bool,
}

/// A trace.
#[derive(Debug)]
pub(super) struct ReasoningTrace {
    pub(super) candidate: Candidate,
    pub(super) confidences: Vec<f64>,
    /// Whether it is a whole, sound answer.
    pub(super) is_whole: bool,
    /// What it answers, if it is whole.
    pub(super) answer: Option<AnswerValue>,
    pub(super) was_cut: bool,
    /// What its vote weighs, and what is held against the bar, once the window is known.
    pub(super) weight: Option<f64>,
    pub(super) score: Option<f64>,
    /// It has text, but no log probabilities of alternatives.
    pub(super) is_blind: bool,
}

impl ReasoningTrace {
    /// Has a trace written.
    pub(super) async fn write(
        run: &Run,
        call: &SubCall,
        index: u32,
        terms: TraceTerms,
    ) -> Result<Self, StrategyError> {
        let mut scorer = Scorer::new(terms);
        let watched = run.watch(call, index, &mut scorer).await?;
        let mut candidate = Candidate {
            index,
            choice: watched.choice,
            usage: Some(watched.usage),
        };
        if watched.was_stopped {
            candidate.choice.finish_reason = Some("length".to_owned());
        }
        let is_blind = scorer.pieces > 0 && scorer.confidences.is_empty();
        Ok(Self {
            is_whole: !watched.was_stopped && candidate.is_sound(),
            candidate,
            confidences: scorer.confidences,
            answer: None,
            was_cut: watched.was_stopped,
            weight: None,
            score: None,
            is_blind,
        })
    }

    /// How many tokens of it were scored.
    pub(super) fn length(&self) -> f64 {
        f64::from(u32::try_from(self.confidences.len()).unwrap_or(u32::MAX))
    }
}

struct Scorer {
    terms: TraceTerms,
    sliding: Option<Window>,
    confidences: Vec<f64>,
    /// Pieces of text so far.
    pieces: u32,
}

impl Scorer {
    fn new(terms: TraceTerms) -> Self {
        Self {
            terms,
            sliding: terms.gate.map(|gate| Window::new(gate.window)),
            confidences: Vec::new(),
            pieces: 0,
        }
    }

    /// Whether the window that ends here is below the bar.
    fn is_weak(&mut self, confidence: f64) -> bool {
        self.confidences.push(confidence);
        let (Some(gate), Some(sliding)) = (self.terms.gate, &mut self.sliding) else {
            return false;
        };
        let group = sliding.push(confidence);
        self.confidences.len() >= gate.least && group.is_some_and(|group| group < gate.bar)
    }
}

impl Observer for Scorer {
    fn see(&mut self, delta: &Delta) -> Watch {
        let scored = delta.logprobs.as_ref().map(scored).unwrap_or_default();
        let mut is_weak = false;
        for confidence in scored
            .iter()
            .filter_map(crate::kit::tokens::confidence::ScoredToken::confidence)
        {
            is_weak |= self.is_weak(confidence);
        }
        self.pieces += u32::from(speaks(delta));
        let is_blind = self.confidences.is_empty() && self.pieces >= SILENT && !self.terms.tolerant;
        if is_weak || is_blind {
            Watch::Stop
        } else {
            Watch::GoOn
        }
    }
}
