//! `cot_decoding`: the likeliest first tokens each begin an answer; where reasoning helps, the
//! answer is given with more certainty.
//!
//! Paper: Wang and Zhou, *Chain-of-Thought Reasoning Without Prompting* (2024, arXiv 2402.10200).
//!
//! 1. One greedy answer, streamed with the `k` likeliest alternatives to its first token.
//! 2. As soon as that token is known, the model continues each of the others greedily, all at the
//!    same time, beside the first answer.
//! 3. A path's Δ is the mean lead of the likeliest token over the second, over the tokens that
//!    spell its final answer.
//! 4. `aggregate_paths`: the answer with the greatest sum of Δ wins, and its path with the greatest
//!    Δ is returned. Else the path with the greatest Δ.
//!
//! Departures: OptiLLM averages over the whole text, one token off, and adds up equal texts only;
//! here it is the paper's. A model that opens with a thinking tag branches behind it. Where no
//! answer can be found in a path, its Δ is over all its tokens. Beams have no counterpart in an
//! API. Branches that fail are missing; a first answer that calls tools is returned at once.
//! Without log probabilities or continuation of begun answers: refused, or with `decoding_fallback`
//! `k` samples at temperature 1 in place of the paths (degraded `prefill`, or `logprobs` and a
//! plain vote).
//!
//! Calls `k` (one or two more, short, where continuation has to be found out), depth 2. The winner
//! is replayed as a stream.

use crate::answer::Votes;
use crate::chat::ChatRequest;
use crate::demand::{Demand, Tokens};
use crate::error::{Missing, SpecError, StrategyError};
use crate::kit::choosing::selection::{record, worthy};
use crate::kit::choosing::voting;
use crate::kit::tokens::branching::{Path, explore};
use crate::kit::tokens::confidence::{self, ScoredToken, mean_margin_of, scored};
use crate::kit::tokens::decoding::{self, FALLBACK};
use crate::kit::tokens::prefill::Prefill;
use crate::model::Purpose;
use crate::non_empty::NonEmpty;
use crate::params::Params;
use crate::run::{Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const K: ParamSpec = ParamSpec {
    name: "k",
    kind: ParamKind::Integer {
        default: 10,
        min: 1,
        max: 20,
    },
    help: "first tokens that are followed",
};
const AGGREGATE: ParamSpec = ParamSpec {
    name: "aggregate_paths",
    kind: ParamKind::Boolean { default: true },
    help: "add up the certainty of paths with the same answer",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "cot_decoding",
    name: "chain-of-thought decoding",
    summary: "follows the likeliest first tokens; the answer that is given with the most certainty \
        wins",
    paper: "Chain-of-Thought Reasoning Without Prompting, arXiv 2402.10200",
    params: &[&[K, AGGREGATE, FALLBACK]],
    cost: "k calls, depth 2 (up to two short ones more where continuation has to be found out)",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(CotDecoding::new(params)?)),
};

struct CotDecoding {
    paths: u32,
    aggregate: bool,
    fallback: bool,
}

impl CotDecoding {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            paths: K.integer(params)?,
            aggregate: AGGREGATE.boolean(params)?,
            fallback: FALLBACK.boolean(params)?,
        })
    }

    async fn paths(
        &self,
        run: &Run,
        request: &ChatRequest,
    ) -> Result<NonEmpty<Path>, StrategyError> {
        let missing = if decoding::lacks_alternatives(run, request) {
            Missing::Alternatives
        } else if Prefill::is_lacking(run, request) {
            Missing::Continuation
        } else {
            let call = SubCall::answer(request, Purpose::Candidate).set("temperature", 0.0);
            let call = confidence::with_alternatives(call, self.paths.max(2));
            match explore(run, &call, self.paths, begins)
                .await
                .map_err(|error| decoding::as_missing(run, request, error))
            {
                Ok(explored) => return Ok(explored.paths),
                Err(StrategyError::Unsupported(missing)) => missing,
                Err(error) => return Err(error),
            }
        };
        if !self.fallback {
            return Err(StrategyError::Unsupported(missing));
        }
        run.degrade(if missing == Missing::Alternatives {
            "logprobs"
        } else {
            "prefill"
        });
        let call = SubCall::answer(request, Purpose::Candidate).diverse(1.0);
        let call = if missing == Missing::Alternatives {
            call
        } else {
            confidence::with_alternatives(call, 2)
        };
        let candidates = run.sample(&call, self.paths, None).await?;
        let path = |candidate: crate::run::Candidate| {
            let tokens = candidate
                .choice
                .logprobs
                .as_ref()
                .map(scored)
                .unwrap_or_default();
            Path { candidate, tokens }
        };
        Ok(candidates.map(path))
    }
}

/// Whether an answer begins here: with its first token, or with the first behind the tag that opens
/// its thinking.
fn begins(token: &ScoredToken, before: &str) -> bool {
    let opens = |text: &str| text.trim_start().starts_with('<');
    let before = before.trim();
    if before.is_empty() {
        !token.text.trim().is_empty() && !opens(&token.text)
    } else {
        opens(before) && before.ends_with('>') && !token.text.trim().is_empty()
    }
}

impl Strategy for CotDecoding {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let trunk = Demand::answer(request);
        if self.paths < 2 {
            return trunk;
        }
        let whole = trunk.then(Demand::step(self.paths - 1, Tokens::of(request)));
        // Finding out about continuation; or all paths once more as samples.
        Demand {
            max_calls: whole.max_calls.saturating_add(2 + self.paths),
            ..whole
        }
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let paths = self.paths(run, request).await?;
        let question = voting::question(request);
        let is_blind = paths.iter().all(|path| path.tokens.is_empty());
        let mut votes = Votes::new();
        let mut leads = Vec::new();
        for path in &paths {
            let answer =
                voting::answer(&path.candidate, &question).filter(|_| path.candidate.is_sound());
            let spelled = answer.as_ref().map(ToString::to_string).unwrap_or_default();
            let lead = if is_blind {
                1.0
            } else {
                mean_margin_of(&spelled, &path.tokens).unwrap_or(0.0)
            };
            leads.push(lead);
            votes.add(path.candidate.index as usize, answer, lead);
        }
        let candidates = paths.map_ref(|path| path.candidate.clone());
        let leader = votes.leader().filter(|_| self.aggregate || is_blind);
        let elected = |index: u32| {
            leader
                .as_ref()
                .is_none_or(|leader| leader.candidates.contains(&(index as usize)))
        };
        let lead_of = |index: u32| {
            paths
                .iter()
                .zip(&leads)
                .find(|(path, _)| path.candidate.index == index)
                .map_or(0.0, |(_, lead)| *lead)
        };
        let fit = worthy(&candidates);
        let best = fit
            .iter()
            .copied()
            .filter(|candidate| elected(candidate.index))
            .rev();
        let winner = best
            .max_by(|a, b| lead_of(a.index).total_cmp(&lead_of(b.index)))
            .unwrap_or(fit.first());
        run.record(candidates.iter().map(|candidate| {
            let answer = voting::answer(candidate, &question).map(|answer| answer.to_string());
            record(
                candidate,
                answer,
                Some(lead_of(candidate.index)),
                Some(winner),
            )
        }));
        let choice = winner.choice.clone();
        Ok(run.emit(choice, winner.usage).await?.into())
    }
}
