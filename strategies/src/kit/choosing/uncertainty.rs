//! How sure a model is of its answer, as far as a call or a few can tell.
//!
//! Where the upstream tells log probabilities, one call does: its sureness is the geometric mean of
//! its tokens' probabilities. Elsewhere more answers are asked for, and it is the share of them
//! that give the same final answer; prose whose final answer cannot be read never agrees.

use std::fmt;

use crate::chat::ChatRequest;
use crate::demand::Demand;
use crate::error::StrategyError;
use crate::kit::choosing::voting::{self, Poll};
use crate::model::Fact;
use crate::non_empty::NonEmpty;
use crate::run::{Candidate, Candidates, Run, SubCall};

/// The temperature of answers that are asked for to be compared, unless the client set one.
const DIVERSE: f64 = 0.7;

/// One or several answers of a model, and how sure it seems.
pub(crate) struct Probe {
    pub(crate) candidates: Candidates,
    pub(crate) measure: Measure,
}

/// What tells how sure a model is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Measure {
    /// How many of how many answers say the same.
    Agreement { votes: usize, of: usize },
    /// The geometric mean of the probabilities of an answer's tokens.
    Probability(f64),
}

/// From where on a model counts as sure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sureness {
    pub(crate) probability: f64,
    /// A share of answers.
    pub(crate) agreement: f64,
}

impl Measure {
    /// Whether it reaches `sureness`. One answer alone agrees with nobody.
    pub(crate) fn reaches(self, sureness: Sureness) -> bool {
        match self {
            Self::Probability(probability) => probability >= sureness.probability,
            Self::Agreement { of: 0 | 1, .. } => false,
            Self::Agreement { votes, of } => count(votes) >= sureness.agreement * count(of),
        }
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Agreement { of: 1, .. } => write!(f, "one answer, of unknown probability"),
            Self::Agreement { votes: 0 | 1, of } => write!(f, "none of {of} answers agree"),
            Self::Agreement { votes, of } => write!(f, "{votes} of {of} answers agree"),
            Self::Probability(probability) => write!(f, "mean token probability {probability:.2}"),
        }
    }
}

fn count(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX))
}

/// What a probe of at most `samples` answers needs: one call where the upstream tells log
/// probabilities.
pub(crate) fn demand(samples: u32, request: &ChatRequest) -> Demand {
    let others = Demand::candidates(samples.saturating_sub(1), request);
    let one = Demand::answer(request);
    Demand {
        max_calls: one.max_calls.saturating_add(others.max_calls),
        ..one
    }
}

/// Asks `call` once and, if that does not tell how sure the model is, until there are `samples`
/// answers.
///
/// # Errors
///
/// Only if there is no answer at all.
pub(crate) async fn probe(run: &Run, call: &SubCall, samples: u32) -> Result<Probe, StrategyError> {
    let request = &call.request;
    let mut earlier = None;
    if run.may_accept(request.model(), "logprobs") {
        let first = run
            .candidate(&call.clone().set("logprobs", true), 0)
            .await?;
        let known = first.choice.mean_logprob().filter(|_| first.is_sound());
        let candidate = first;
        if let Some(logprob) = known {
            return Ok(Probe {
                candidates: NonEmpty::one(candidate),
                measure: Measure::Probability(logprob.exp()),
            });
        }
        // A refusal has been learned with the call; silence is one, too. Tool calls have no tokens
        // of their own.
        if candidate.choice.message.tool_calls().is_none() && !candidate.text().is_empty() {
            run.learn(request.model(), Fact::Accepts("logprobs"), false);
        }
        earlier = Some(candidate);
    }
    let candidates = match earlier {
        Some(first) => more(run, call, NonEmpty::one(first), samples).await,
        None => {
            run.sample(&call.clone().diverse(DIVERSE), samples, None)
                .await?
        }
    };
    let votes = leaders(request, &candidates).len();
    let of = candidates.len().get();
    Ok(Probe {
        candidates,
        measure: Measure::Agreement { votes, of },
    })
}

/// `earlier` with as many further answers as make `wanted`, numbered on from them. Where those fail
/// there are fewer, and the run says why.
pub(crate) async fn more(
    run: &Run,
    call: &SubCall,
    earlier: Candidates,
    wanted: u32,
) -> Candidates {
    let mut all = earlier;
    let from = all.iter().map(|candidate| candidate.index + 1).max();
    let from = from.unwrap_or(0);
    let missing = wanted.saturating_sub(u32::try_from(all.len().get()).unwrap_or(u32::MAX));
    if missing == 0 {
        return all;
    }
    let call = call.numbered(from.into()).diverse(DIVERSE);
    match run.sample(&call, missing, None).await {
        Ok(others) => all.extend(others.into_iter().map(|other| Candidate {
            index: other.index.saturating_add(from),
            ..other
        })),
        Err(error) => run.degrade(error.reason()),
    }
    all
}

/// The candidates with the answer that most give; none if no answer can be read.
pub(crate) fn leaders<'a>(
    request: &ChatRequest,
    candidates: &'a [Candidate],
) -> Vec<&'a Candidate> {
    poll(request, candidates).winners(candidates)
}

/// A finished vote of the candidates.
pub(crate) fn poll(request: &ChatRequest, candidates: &[Candidate]) -> Poll {
    Poll::of(voting::question(request), candidates)
}
