//! What can be set, and how a trace is graded by it.

use super::trace::ReasoningTrace;
use crate::error::SpecError;
use crate::kit::tokens::confidence::{Metric, lowest_group};
use crate::kit::tokens::decoding::FALLBACK;
use crate::params::Params;
use crate::spec::{ParamKind, ParamSpec};

pub(super) const PARAMS: [ParamSpec; 12] = [
    MODE, VARIANT, WARMUP, CONSENSUS, MAX_TRACES, WINDOW, TOP_K, LEAST, MOST, METRIC, STATS,
    FALLBACK,
];
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

/// How traces are written, graded and counted.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) is_online: bool,
    /// Percentile at which the bar stands.
    pub(super) percent: f64,
    pub(super) warmup: u32,
    pub(super) consensus: f64,
    pub(super) traces: u32,
    pub(super) window: u32,
    pub(super) top_k: u32,
    pub(super) least: u32,
    pub(super) most: u32,
    pub(super) metric: Metric,
    pub(super) has_stats: bool,
    pub(super) fallback: bool,
}

impl Settings {
    pub(super) fn new(params: &Params) -> Result<Self, SpecError> {
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
    pub(super) fn grade(&self, trace: &mut ReasoningTrace, window: usize) {
        trace.weight = self.metric.of(&trace.confidences, window);
        trace.score = if self.is_online {
            lowest_group(&trace.confidences, window)
        } else {
            trace.weight
        };
    }
}
