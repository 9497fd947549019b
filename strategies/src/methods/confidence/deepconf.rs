//! `deepconf`: many traces, cut short where the model loses confidence, and a vote that trusts the
//! confident.
//!
//! Paper: Fu et al., *Deep Think with Confidence* (2025, arXiv 2508.15260).
//!
//! A token's confidence is the negative mean log probability of its `confidence_top_k` likeliest
//! alternatives; a group's is the mean over a sliding window.
//! 1. Online (`deepconf_mode`): `warmup_samples` whole traces. The bar is the 90th (`variant` low)
//!    or 10th (high) percentile of their lowest groups.
//! 2. Further traces, as many at a time, up to `max_traces`. One whose window falls below the bar
//!    is cut while it streams.
//! 3. Traces at or above the bar vote, weighted by `confidence_metric`. At a weighted share of
//!    `consensus_threshold`, or when nothing can change the outcome any more, the rest is
//!    cancelled.
//! 4. Offline: all traces in full; the tenth (low) or nine tenths (high) with the greatest
//!    confidence vote.
//! 5. The most confident trace of the winning answer is returned, whole.
//!
//! Fewer than sixteen traces that are all part of the warm-up have no tenth that could be told from
//! the others: all of them vote, weighed as other votes are (`vote_weight`).
//!
//! Departures: the window shrinks to an eighth of the warm-up's median length, at least 64 tokens,
//! so that short answers have groups at all; a consensus takes three votes. OptiLLM's bar compares
//! means with groups and lets cut traces vote; here they never do. Traces that fail are missing.
//! What is cut counts with what had come of it. Reasoning that a server hides has no log
//! probabilities: the confidence is then that of the visible text. Without log probabilities:
//! refused, or with `decoding_fallback` a plain vote (degraded `logprobs`).
//!
//! Calls up to `max_traces`, depth 1 + ⌈(`max_traces` − `warmup_samples`) / `warmup_samples`⌉. The
//! winner is replayed as a stream.

mod election;
mod session;
mod settings;
mod trace;

use serde_json::json;

use self::session::Session;
use self::settings::{PARAMS, Settings};
use crate::chat::ChatRequest;
use crate::demand::{Demand, Tokens};
use crate::error::{Missing, StrategyError};
use crate::kit::choosing::selection::record;
use crate::kit::choosing::voting::{self, Poll};
use crate::kit::tokens::confidence::{self};
use crate::kit::tokens::decoding::{self};
use crate::model::Purpose;
use crate::run::{Manner, Run, SubCall};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

pub(crate) const ENTRY: Entry = Entry {
    slug: "deepconf",
    name: "deep think with confidence",
    summary: "many traces, cut while they stream where the model loses confidence; the confident \
        ones vote",
    paper: "Deep Think with Confidence, arXiv 2508.15260",
    params: &[&PARAMS],
    cost: "up to max_traces calls, warmup_samples at a time; depth up to ⌈max_traces / \
        warmup_samples⌉",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| {
        Ok(DynStrategy::new(DeepConf {
            settings: Settings::new(params)?,
            manner: Manner::read(params)?,
        }))
    },
};

/// Traces of which no tenth can be told: below so many, all vote.
const FEW: u32 = 16;

struct DeepConf {
    settings: Settings,
    manner: Manner,
}

impl DeepConf {
    /// Whether the traces are too few for a bar, and none is cut.
    fn is_few(&self) -> bool {
        self.settings.traces < FEW && self.settings.warmup >= self.settings.traces
    }

    /// A few traces, all of them whole: a vote that is weighed as others are.
    async fn by_vote(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let traces = self.settings.traces;
        let mut poll = Poll::weighed(run, request, traces);
        let call = poll.asking(self.trace_call(request));
        let candidates = run
            .sample(&call, traces, Some(&mut poll))
            .await
            .map_err(|error| decoding::as_missing(run, request, error))?;
        poll.closed(run, request);
        let winner = poll.elected(&candidates);
        poll.record(run, &candidates, winner);
        Ok(run.elect(winner).await?.into())
    }

    /// The call of one trace.
    fn trace_call(&self, request: &ChatRequest) -> SubCall {
        let call = SubCall::answer(request, Purpose::Candidate)
            .diverse(0.6)
            .at_most(self.settings.most.into());
        confidence::with_alternatives(call, self.settings.top_k)
    }
}

impl Strategy for DeepConf {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let Tokens { input, output } = Tokens::of(request);
        if self.is_few() {
            return voting::demand(self.settings.traces, self.manner, request);
        }
        let whole = Demand::step(
            self.settings.traces,
            Tokens {
                input,
                output: output.min(self.settings.most.into()),
            },
        );
        Demand {
            depth: self.settings.traces.div_ceil(self.settings.warmup),
            first_wave: self.settings.warmup,
            first_wave_choices: self.settings.warmup,
            parallel: self.settings.warmup,
            ..whole
        }
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        if decoding::lacks_alternatives(run, request) && !self.settings.fallback {
            return Err(StrategyError::Unsupported(Missing::Alternatives));
        }
        if self.is_few() {
            return self.by_vote(run, request).await;
        }
        let call = self.trace_call(request);
        let mut session = Session::new(&self.settings, run, &call, voting::question(request));
        session
            .run()
            .await
            .map_err(|error| decoding::as_missing(run, request, error))?;
        if session.is_blind() {
            run.learn(
                request.model(),
                crate::model::Fact::TellsAlternatives,
                false,
            );
            run.degrade("logprobs");
        }
        let stats = session.stats();
        run.note("deepconf", stats.clone());
        let election = session.election();
        let winner = election
            .winner
            .ok_or(StrategyError::Unreachable("no trace was begun"))?;
        let records = session.traces.iter().map(|trace| {
            let answer = trace.answer.as_ref().map(ToString::to_string);
            record(
                &trace.candidate,
                answer,
                election.weight_of(trace),
                Some(&winner.candidate),
            )
        });
        run.record(records);
        let mut choice = winner.candidate.choice.clone();
        if self.settings.has_stats {
            choice.rest.insert("deepconf".to_owned(), json!(stats));
        }
        Ok(run.emit(choice, winner.candidate.usage).await?.into())
    }
}
