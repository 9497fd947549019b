//! `entropy_decoding`: where the model is of several minds, several ways are followed.
//!
//! After *entropix* (2024), a sampler that changes with the entropy H and the varentropy V of each
//! token's distribution. How far an API allows it:
//!
//! - *H and V over the whole vocabulary*: here over the alternatives that are shown, at most 20,
//!   brought to a sum of 1, so H is at most 4.3 bits.
//! - *Low H, low V, take the likeliest token*: the server's own sampler does that.
//! - *High H, high V, branch and resample*: at the first such token the other likeliest tokens are
//!   followed too, each to its end.
//! - *High H, low V, insert a token that asks for clarification*: no, for no token is right for
//!   every model.
//! - *Low H, high V, another temperature and top-k for this token*: no, for a call has one sampler
//!   for all its tokens.
//! - *Entropy, agreement and interaction of the attention heads*: no, for no API tells them.
//!
//! 1. One answer, streamed with alternatives. The first token with H ≥ `entropy_threshold` bits and
//!    V ≥ `varentropy_threshold` bits² is the fork.
//! 2. The `entropy_branches` − 1 likeliest other tokens there are put behind what came before, and
//!    continued, beside the first answer.
//! 3. Paths are weighed by exp(mean log probability) of what follows the fork. Where answers can be
//!    compared they vote with it; else the greatest wins.
//!
//! One fork per answer; thresholds, branching by put tokens and the vote are ours. Paths that fail
//! are missing. Without log probabilities or continuation of begun answers: refused, or with
//! `decoding_fallback` one plain answer (degraded `logprobs` or `prefill`).
//!
//! Calls up to `entropy_branches` (one or two more, short, where continuation has to be found out),
//! depth 2; 1 and 1 without a fork. The winner is replayed as a stream.

use serde_json::json;

use crate::answer::Votes;
use crate::chat::ChatRequest;
use crate::demand::{Demand, Tokens};
use crate::error::{Missing, SpecError, StrategyError};
use crate::kit::choosing::selection::{record, worthy};
use crate::kit::choosing::voting;
use crate::kit::tokens::branching::{Path, explore};
use crate::kit::tokens::confidence::{self, mean};
use crate::kit::tokens::decoding::{self, FALLBACK};
use crate::kit::tokens::prefill::Prefill;
use crate::model::Purpose;
use crate::non_empty::NonEmpty;
use crate::params::Params;
use crate::run::{Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

/// Alternatives that are asked for: the most that servers tell.
const ALTERNATIVES: u32 = 20;

const BRANCHES: ParamSpec = ParamSpec {
    name: "entropy_branches",
    kind: ParamKind::Integer {
        default: 4,
        min: 2,
        max: 16,
    },
    help: "ways that are followed from a fork, the first answer included",
};
const ENTROPY: ParamSpec = ParamSpec {
    name: "entropy_threshold",
    kind: ParamKind::Number {
        default: 2.0,
        min: 0.0,
        max: 5.0,
    },
    help: "least entropy of a fork's alternatives, in bits",
};
const VARENTROPY: ParamSpec = ParamSpec {
    name: "varentropy_threshold",
    kind: ParamKind::Number {
        default: 1.0,
        min: 0.0,
        max: 100.0,
    },
    help: "least variance of their surprise, in bits squared",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "entropy_decoding",
    name: "entropy decoding",
    summary: "follows several ways from the first token at which the model is of several minds",
    paper: "entropix, https://github.com/xjdr-alt/entropix",
    params: &[&[BRANCHES, ENTROPY, VARENTROPY, FALLBACK]],
    cost: "up to entropy_branches calls, depth 2 (up to two short ones more where continuation has \
        to be found out); 1 without a fork",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(EntropyDecoding::new(params)?)),
};

struct EntropyDecoding {
    branches: u32,
    entropy: f64,
    varentropy: f64,
    fallback: bool,
}

impl EntropyDecoding {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            branches: BRANCHES.integer(params)?,
            entropy: ENTROPY.number(params)?,
            varentropy: VARENTROPY.number(params)?,
            fallback: FALLBACK.boolean(params)?,
        })
    }

    /// The trunk and its branches, or what is missing for them.
    async fn paths(
        &self,
        run: &Run,
        request: &ChatRequest,
    ) -> Result<NonEmpty<Path>, StrategyError> {
        if decoding::lacks_alternatives(run, request) {
            return Err(StrategyError::Unsupported(Missing::Alternatives));
        }
        if Prefill::is_lacking(run, request) {
            return Err(StrategyError::Unsupported(Missing::Continuation));
        }
        let call = SubCall::answer(request, Purpose::Candidate).default_temperature(0.666);
        let call = confidence::with_alternatives(call, ALTERNATIVES);
        let is_fork = |token: &confidence::ScoredToken, _: &str| {
            token.spread().is_some_and(|spread| {
                spread.entropy >= self.entropy && spread.varentropy >= self.varentropy
            })
        };
        let explored = explore(run, &call, self.branches, is_fork)
            .await
            .map_err(|error| decoding::as_missing(run, request, error))?;
        run.note(
            "entropy_decoding",
            json!({"fork_at_token": explored.fork, "paths": explored.paths.len()}),
        );
        Ok(explored.paths)
    }
}

/// How likely the model held what it wrote from the fork on, token for token. The trunk is weighed
/// from its beginning.
fn weight(path: &Path) -> f64 {
    mean(path.tokens.iter().filter_map(|token| token.logprob)).map_or(0.0, f64::exp)
}

impl Strategy for EntropyDecoding {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let whole =
            Demand::answer(request).then(Demand::step(self.branches - 1, Tokens::of(request)));
        // Finding out about continuation; or one plain answer.
        Demand {
            max_calls: whole.max_calls.saturating_add(3),
            ..whole
        }
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let paths = match self.paths(run, request).await {
            Ok(paths) => paths,
            Err(StrategyError::Unsupported(missing)) if self.fallback => {
                run.degrade(if missing == Missing::Alternatives {
                    "logprobs"
                } else {
                    "prefill"
                });
                return Ok(run
                    .respond(SubCall::answer(request, Purpose::Final))
                    .await?
                    .into());
            }
            Err(error) => return Err(error),
        };
        let question = voting::question(request);
        let mut votes = Votes::new();
        for path in &paths {
            let answer =
                voting::answer(&path.candidate, &question).filter(|_| path.candidate.is_sound());
            votes.add(path.candidate.index as usize, answer, weight(path));
        }
        let candidates = paths.map_ref(|path| path.candidate.clone());
        let leader = votes.leader().filter(|_| question.is_closed());
        let elected = |index: u32| {
            leader
                .as_ref()
                .is_none_or(|leader| leader.candidates.contains(&(index as usize)))
        };
        let weight_of = |index: u32| {
            paths
                .iter()
                .find(|path| path.candidate.index == index)
                .map_or(0.0, weight)
        };
        let fit = worthy(&candidates);
        let best = fit
            .iter()
            .copied()
            .filter(|candidate| elected(candidate.index))
            .rev();
        let winner = best
            .max_by(|a, b| weight_of(a.index).total_cmp(&weight_of(b.index)))
            .unwrap_or(fit.first());
        run.record(candidates.iter().map(|candidate| {
            let answer = voting::answer(candidate, &question).map(|answer| answer.to_string());
            record(
                candidate,
                answer,
                Some(weight_of(candidate.index)),
                Some(winner),
            )
        }));
        let choice = winner.choice.clone();
        Ok(run.emit(choice, winner.usage).await?.into())
    }
}
