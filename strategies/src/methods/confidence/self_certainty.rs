//! `self_certainty`: the best of several answers by how certain the model was of them, without a
//! judge.
//!
//! Paper: Kang et al., *Scalable Best-of-N Selection for Large Language Models via Self-Certainty*
//! (2025, arXiv 2502.18581).
//!
//! 1. `self_certainty_samples` candidates of one request, with log probabilities of the likeliest
//!    alternatives to each token.
//! 2. A candidate's certainty is the mean over its tokens of KL(U ‖ p): how far the model's choice
//!    was from a uniform one.
//! 3. Where the question tells what its answer looks like: candidates are ranked by certainty, of n
//!    the one of rank r has (n − r + 1)^`borda_power` votes for its answer, and the most certain
//!    candidate of the answer with the most votes is returned. At power 0 that is a majority vote.
//! 4. Free text: the most certain candidate.
//!
//! The measure, the ranking and the votes are the paper's; the power 0.5 is the one its authors'
//! program is shown with. Ours: theirs sums over the whole vocabulary, which no API shows; here U
//! is uniform over the at most 20 alternatives that are shown, so what the model left to the rest
//! counts nothing. Candidates cut off or empty compete only if there are no others; failed ones are
//! missing. Without log probabilities: refused, or with `decoding_fallback` the answer that most
//! give (degraded `logprobs`).
//!
//! Calls 1 (k where the upstream ignores `n`), depth 1. The winner is replayed as a stream.

use crate::answer::Votes;
use crate::chat::ChatRequest;
use crate::demand::Demand;
use crate::error::{Missing, SpecError, StrategyError};
use crate::kit::choosing::selection::{record, worthy};
use crate::kit::choosing::voting;
use crate::kit::tokens::confidence::{self, ScoredToken, mean, scored};
use crate::kit::tokens::decoding::{self, FALLBACK};
use crate::model::{Fact, Purpose};
use crate::non_empty::NonEmpty;
use crate::params::Params;
use crate::run::{Candidate, Candidates, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

/// Most alternatives that servers tell.
const ALTERNATIVES: u32 = 20;

const SAMPLES: ParamSpec = ParamSpec {
    name: "self_certainty_samples",
    kind: ParamKind::Integer {
        default: 8,
        min: 1,
        max: 64,
    },
    help: "candidates",
};
const POWER: ParamSpec = ParamSpec {
    name: "borda_power",
    kind: ParamKind::Number {
        default: 0.5,
        min: 0.0,
        max: 10.0,
    },
    help: "how much more the certain count: 0 is a majority vote, a great power the most certain \
        alone",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "self_certainty",
    name: "best of n by self-certainty",
    summary: "several candidates; the one of which the model was most certain wins, by votes \
        weighted by rank where answers can be compared",
    paper: "Scalable Best-of-N Selection via Self-Certainty, arXiv 2502.18581",
    params: &[&[SAMPLES, POWER, FALLBACK]],
    cost: "1 call (self_certainty_samples where n is ignored), depth 1",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(SelfCertainty::new(params)?)),
};

struct SelfCertainty {
    samples: u32,
    power: f64,
    fallback: bool,
}

/// A candidate and how certain the model was of it.
struct Rated<'a> {
    candidate: &'a Candidate,
    certainty: Option<f64>,
}

impl SelfCertainty {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            samples: SAMPLES.integer(params)?,
            power: POWER.number(params)?,
            fallback: FALLBACK.boolean(params)?,
        })
    }
}

/// The votes of candidates that stand in order of certainty.
fn poll(request: &ChatRequest, ranked: &[Rated<'_>], power: f64) -> Votes {
    let question = voting::question(request);
    let mut votes = Votes::new();
    for (above, rated) in ranked.iter().enumerate() {
        let points = f64::from(u32::try_from(ranked.len() - above).unwrap_or(u32::MAX)).powf(power);
        votes.add(
            rated.candidate.index as usize,
            voting::answer(rated.candidate, &question),
            points,
        );
    }
    votes
}

/// The candidates worth choosing from, the most certain first; among equals the first.
fn ranked(candidates: &Candidates) -> NonEmpty<Rated<'_>> {
    let rate = |candidate| Rated {
        candidate,
        certainty: certainty_of(candidate),
    };
    let mut rated = worthy(candidates).map(rate);
    let worth = |rated: &Rated<'_>| rated.certainty.unwrap_or(f64::NEG_INFINITY);
    rated.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
    rated
}

fn certainty_of(candidate: &Candidate) -> Option<f64> {
    self_certainty(&scored(candidate.choice.logprobs.as_ref()?))
}

/// The mean over tokens of KL(U ‖ p) = −(1/k) Σ ln(k pⱼ), over the k alternatives that are shown.
/// `None` where no token has two of them.
fn self_certainty(tokens: &[ScoredToken]) -> Option<f64> {
    let each = tokens.iter().filter_map(|token| {
        let shown = u32::try_from(token.top.len()).ok()?;
        Some(token.confidence()? - f64::from(shown).ln())
    });
    mean(each)
}

/// Whether a candidate has text, but no log probabilities of alternatives.
fn is_blind(candidate: &Candidate) -> bool {
    certainty_of(candidate).is_none() && !candidate.choice.message.text().trim().is_empty()
}

impl Strategy for SelfCertainty {
    fn demand(&self, request: &ChatRequest) -> Demand {
        Demand::candidates(self.samples, request)
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        if decoding::lacks_alternatives(run, request) && !self.fallback {
            return Err(StrategyError::Unsupported(Missing::Alternatives));
        }
        let call = confidence::with_alternatives(
            SubCall::answer(request, Purpose::Candidate).diverse(1.0),
            ALTERNATIVES,
        );
        let sampled = run.sample(&call, self.samples, None).await;
        let candidates = sampled.map_err(|error| decoding::as_missing(run, request, error))?;
        let is_blind = candidates.iter().any(is_blind);
        if is_blind && !self.fallback {
            return Err(decoding::no_alternatives(run, request));
        }
        if is_blind {
            run.learn(request.model(), Fact::TellsAlternatives, false);
            run.degrade("logprobs");
        }
        let ranked = ranked(&candidates);
        let votes = poll(request, &ranked, if is_blind { 0.0 } else { self.power });
        let leader = votes
            .leader()
            .filter(|_| is_blind || voting::question(request).is_closed());
        let leads = |rated: &&Rated<'_>| {
            leader.as_ref().is_none_or(|leader| {
                leader
                    .candidates
                    .contains(&(rated.candidate.index as usize))
            })
        };
        let winner = ranked
            .iter()
            .find(leads)
            .unwrap_or(ranked.first())
            .candidate;
        let question = voting::question(request);
        run.record(candidates.iter().map(|candidate| {
            let answer = voting::answer(candidate, &question).map(|answer| answer.to_string());
            record(candidate, answer, certainty_of(candidate), Some(winner))
        }));
        let choice = winner.choice.clone();
        Ok(run.emit(choice, winner.usage).await?.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::tokens::confidence::Alternative;

    #[test]
    fn certainty_is_the_divergence_from_a_uniform_choice() {
        let token = |shares: &[f64]| {
            let top = shares
                .iter()
                .map(|share| Alternative {
                    text: "x".to_owned(),
                    logprob: share.ln(),
                })
                .collect();
            ScoredToken {
                text: "x".to_owned(),
                logprob: None,
                top,
            }
        };
        assert!(
            self_certainty(&[token(&[0.25; 4])]).unwrap().abs() < 1e-9,
            "nothing is less certain than a uniform choice"
        );
        // −(ln(2 × 0.9) + ln(2 × 0.1)) / 2
        let peaked = self_certainty(&[token(&[0.9, 0.1]), token(&[0.5, 0.5])]).unwrap();
        assert!((peaked - 0.510_825_6 / 2.0).abs() < 1e-6, "{peaked}");
        assert_eq!(self_certainty(&[token(&[1.0])]), None);
    }
}
