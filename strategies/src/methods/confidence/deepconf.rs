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
//! Departures: the window shrinks to an eighth of the warm-up's median length, at least 64 tokens,
//! so that short answers have groups at all; a consensus takes three votes. OptiLLM's bar compares
//! means with groups and lets cut traces vote; here they never do. Traces that fail are missing.
//! What is cut counts with what had come of it. Reasoning that a server hides has no log
//! probabilities: the confidence is then that of the visible text. Without log probabilities:
//! refused, or with `decoding_fallback` a plain vote (degraded `logprobs`).
//!
//! Calls up to `max_traces`, depth 1 + ⌈(`max_traces` − `warmup_samples`) / `warmup_samples`⌉. The
//! winner is replayed as a stream.

mod session;
mod trace;
mod verdict;

use serde_json::json;

use crate::chat::ChatRequest;
use crate::demand::{Demand, Tokens};
use crate::error::{Missing, SpecError, StrategyError};
use crate::kit::choosing::selection::record;
use crate::kit::choosing::voting;
use crate::kit::tokens::confidence::{self, Metric, lowest_group};
use crate::kit::tokens::decoding::{self, FALLBACK};
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};
use session::Session;
use trace::Trace;

const MODE: ParamSpec = ParamSpec {
    name: "deepconf_mode",
    kind: ParamKind::Choice {
        default: "online",
        options: &["online", "offline"],
    },
    help: "cut weak traces while they stream, or weigh whole ones",
};
const VARIANT: ParamSpec = ParamSpec {
    name: "variant",
    kind: ParamKind::Choice {
        default: "low",
        options: &["low", "high"],
    },
    help: "let the most confident tenth vote, or all but the least confident tenth",
};
const WARMUP: ParamSpec = ParamSpec {
    name: "warmup_samples",
    kind: ParamKind::Integer {
        default: 16,
        min: 1,
        max: 64,
    },
    help: "whole traces that set the bar; also how many run at a time",
};
const CONSENSUS: ParamSpec = ParamSpec {
    name: "consensus_threshold",
    kind: ParamKind::Number {
        default: 0.95,
        min: 0.5,
        max: 1.0,
    },
    help: "share of the weight at which an answer has won",
};
const MAX_TRACES: ParamSpec = ParamSpec {
    name: "max_traces",
    kind: ParamKind::Integer {
        default: 128,
        min: 1,
        max: 256,
    },
    help: "most traces, the whole ones included",
};
const WINDOW: ParamSpec = ParamSpec {
    name: "window_size",
    kind: ParamKind::Integer {
        default: 2048,
        min: 8,
        max: 65_536,
    },
    help: "most tokens in a group",
};
const TOP_K: ParamSpec = ParamSpec {
    name: "confidence_top_k",
    kind: ParamKind::Integer {
        default: 20,
        min: 2,
        max: 20,
    },
    help: "alternatives to each token that are asked for",
};
const LEAST: ParamSpec = ParamSpec {
    name: "min_trace_length",
    kind: ParamKind::Integer {
        default: 100,
        min: 1,
        max: 65_536,
    },
    help: "tokens before a trace may be cut",
};
const MOST: ParamSpec = ParamSpec {
    name: "max_tokens_per_trace",
    kind: ParamKind::Integer {
        default: 4096,
        min: 1,
        max: 1_000_000,
    },
    help: "most tokens of a trace; the client's own limit if that is lower",
};
const METRIC: ParamSpec = ParamSpec {
    name: "confidence_metric",
    kind: ParamKind::Choice {
        default: "average_confidence",
        options: &[
            "average_confidence",
            "bottom_10_percent",
            "lowest_group",
            "tail",
        ],
    },
    help: "what a trace's vote weighs",
};
const STATS: ParamSpec = ParamSpec {
    name: "include_stats",
    kind: ParamKind::Boolean { default: false },
    help: "add what was cut and saved to the choice",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "deepconf",
    name: "deep think with confidence",
    summary: "many traces, cut while they stream where the model loses confidence; the confident \
        ones vote",
    paper: "Deep Think with Confidence, arXiv 2508.15260",
    params: &[&[
        MODE, VARIANT, WARMUP, CONSENSUS, MAX_TRACES, WINDOW, TOP_K, LEAST, MOST, METRIC, STATS,
        FALLBACK,
    ]],
    cost: "up to max_traces calls, warmup_samples at a time; depth up to ⌈max_traces / \
        warmup_samples⌉",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(DeepConf::new(params)?)),
};

struct DeepConf {
    is_online: bool,
    /// Percentile at which the bar stands.
    percent: f64,
    warmup: u32,
    consensus: f64,
    traces: u32,
    window: u32,
    top_k: u32,
    least: u32,
    most: u32,
    metric: Metric,
    has_stats: bool,
    fallback: bool,
}

impl DeepConf {
    fn new(params: &Params) -> Result<Self, SpecError> {
        let traces = MAX_TRACES.integer(params)?;
        Ok(Self {
            is_online: MODE.word(params)? == "online",
            percent: if VARIANT.word(params)? == "low" {
                90.0
            } else {
                10.0
            },
            warmup: WARMUP.integer(params)?.min(traces),
            consensus: CONSENSUS.number(params)?,
            traces,
            window: WINDOW.integer(params)?,
            top_k: TOP_K.integer(params)?,
            least: LEAST.integer(params)?,
            most: MOST.integer(params)?,
            metric: match METRIC.word(params)?.as_str() {
                "bottom_10_percent" => Metric::Bottom,
                "lowest_group" => Metric::Lowest,
                "tail" => Metric::Tail,
                _ => Metric::Average,
            },
            has_stats: STATS.boolean(params)?,
            fallback: FALLBACK.boolean(params)?,
        })
    }

    /// Grades a trace over groups of `window` tokens. Online the lowest group is held against the
    /// bar, as it is what cuts; offline what weighs.
    fn grade(&self, trace: &mut Trace, window: usize) {
        trace.weight = self.metric.of(&trace.confidences, window);
        trace.score = if self.is_online {
            lowest_group(&trace.confidences, window)
        } else {
            trace.weight
        };
    }

    /// The call of one trace.
    fn trace_call(&self, request: &ChatRequest) -> SubCall {
        let call = SubCall::answer(request, Purpose::Candidate)
            .diverse(0.6)
            .at_most(self.most.into());
        confidence::with_alternatives(call, self.top_k)
    }
}

impl Strategy for DeepConf {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let Tokens { input, output } = Tokens::of(request);
        let whole = Demand::step(
            self.traces,
            Tokens {
                input,
                output: output.min(self.most.into()),
            },
        );
        Demand {
            depth: self.traces.div_ceil(self.warmup),
            first_wave: self.warmup,
            first_wave_choices: self.warmup,
            parallel: self.warmup,
            ..whole
        }
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        if decoding::lacks_alternatives(run, request) && !self.fallback {
            return Err(StrategyError::Unsupported(Missing::Alternatives));
        }
        let call = self.trace_call(request);
        let mut session = Session::new(self, run, &call, voting::question(request));
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
        let verdict = session.verdict();
        let winner = verdict
            .winner
            .ok_or(StrategyError::Unreachable("no trace was begun"))?;
        let records = session.traces.iter().map(|trace| {
            let answer = trace.answer.as_ref().map(ToString::to_string);
            record(
                &trace.candidate,
                answer,
                verdict.weight_of(trace),
                Some(&winner.candidate),
            )
        });
        run.record(records);
        let mut choice = confidence::as_asked(winner.candidate.choice.clone(), request);
        if self.has_stats {
            choice.rest.insert("deepconf".to_owned(), json!(stats));
        }
        Ok(run.emit(choice, winner.candidate.usage).await?.into())
    }
}
