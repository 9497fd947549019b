//! `thinkdeeper`: thinking of at least and at most a wanted length.
//!
//! Paper: budget forcing in Muennighoff et al., *s1: Simple test-time scaling* (2025, arXiv
//! 2501.19393). That going on helps beyond a model's natural length is disputed (arXiv 2507.14419);
//! that a cap saves tokens is not.
//!
//! 1. The model continues an answer that begins with `start_think_token`, streamed, up to
//!    `end_think_token` or `max_thinking_tokens`.
//! 2. If it ends before `min_thinking_tokens`, a phrase of `thought_switch_tokens` is put there,
//!    and it goes on: a new call with all that was thought.
//! 3. After `max_thinking_tokens`, or `max_thoughts` changes of mind, put there or the model's own,
//!    the thinking is closed.
//! 4. One call answers behind the thinking, with what is left of the client's token limit.
//!
//! A client's token limit bounds thinking and answer together: unless they are set, thinking takes
//! at least 10 % of it and at most 33, 66 or 90 %, by the request's `reasoning_effort` (OptiLLM's
//! profile; low by default). A limit that is set leaves at least a tenth for the answer. Where
//! begun answers are not continued a least length cannot be forced: the upstream is asked for an
//! effort instead (up to 1,024 tokens low, up to 4,196 medium, else high), degraded `prefill`, and
//! `reasoning` if the answer shows none. Where that is refused too: refused, or with
//! `decoding_fallback` a plain answer. Departures: OptiLLM leaves the answer unbounded and ignores
//! the client's temperature; here both hold.
//!
//! Calls 2 + one per time that thinking is continued, depth the same. Thinking streams as
//! `reasoning_content` while it comes, the answer as content.

use crate::chat::ChatRequest;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::tokens::decoding::FALLBACK;
use crate::kit::tokens::prefill::Prefill;
use crate::kit::tokens::thinking::{Thinking, with_effort};
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

/// What is put where thinking would end too early, unless the request says what.
pub(crate) const SWITCHES: [&str; 2] = ["Wait,", "Alternatively,"];

const MIN: ParamSpec = ParamSpec {
    name: "min_thinking_tokens",
    kind: ParamKind::Integer {
        default: 1024,
        min: 0,
        max: 1_000_000,
    },
    help: "tokens before which thinking is continued",
};
const MAX: ParamSpec = ParamSpec {
    name: "max_thinking_tokens",
    kind: ParamKind::Integer {
        default: 4196,
        min: 1,
        max: 1_000_000,
    },
    help: "tokens after which thinking is closed",
};
const THOUGHTS: ParamSpec = ParamSpec {
    name: "max_thoughts",
    kind: ParamKind::Integer {
        default: 64,
        min: 1,
        max: 200,
    },
    help: "changes of mind after which thinking is closed",
};
const SWITCH: ParamSpec = ParamSpec {
    name: "thought_switch_tokens",
    kind: ParamKind::Texts {
        most: 32,
        longest: 200,
    },
    help: "phrases that continue thinking; none: `Wait,` and `Alternatively,`",
};
const PREFILL: ParamSpec = ParamSpec {
    name: "prefill",
    kind: ParamKind::Text {
        default: "",
        longest: 10_000,
    },
    help: "how the thinking begins",
};
const START: ParamSpec = ParamSpec {
    name: "start_think_token",
    kind: ParamKind::Text {
        default: "<think>",
        longest: 100,
    },
    help: "the tag that opens thinking",
};
const END: ParamSpec = ParamSpec {
    name: "end_think_token",
    kind: ParamKind::Text {
        default: "</think>",
        longest: 100,
    },
    help: "the tag that closes thinking",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "thinkdeeper",
    name: "budget forcing",
    summary: "thinking of at least and at most a wanted length, then an answer",
    paper: "s1: Simple test-time scaling, arXiv 2501.19393",
    params: &[&[MIN, MAX, THOUGHTS, SWITCH, PREFILL, START, END, FALLBACK]],
    cost: "2 calls, depth 2, each one more per time that thinking is continued (up to \
        max_thoughts; up to two short ones more to find out how)",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(ThinkDeeper::new(params)?)),
};

struct ThinkDeeper {
    thinking: Thinking,
    /// Whether the request sets the least and the greatest length itself.
    sets_min: bool,
    sets_max: bool,
    fallback: bool,
}

impl ThinkDeeper {
    fn new(params: &Params) -> Result<Self, SpecError> {
        let is_set = |name: &str| params.get(name).is_some_and(|value| !value.is_null());
        let mut switches = SWITCH.texts(params)?;
        if switches.is_empty() {
            switches = SWITCHES.map(str::to_owned).to_vec();
        }
        let (min, max) = (MIN.integer(params)?, MAX.integer(params)?);
        if min > max && is_set(MIN.name) {
            return Err(SpecError::bad_param(
                MIN.name,
                format!(
                    "`{}` must be at most `{}`, which is {max}.",
                    MIN.name, MAX.name
                ),
            ));
        }
        let thinking = Thinking {
            min: min.min(max).into(),
            max: max.into(),
            thoughts: THOUGHTS.integer(params)?,
            switches,
            start: START.word(params)?,
            end: END.word(params)?,
            prefill: PREFILL.word(params)?,
        };
        if thinking.end.trim().is_empty() {
            return Err(SpecError::bad_param(
                END.name,
                format!("`{}` must not be blank.", END.name),
            ));
        }
        Ok(Self {
            thinking,
            sets_min: is_set(MIN.name),
            sets_max: is_set(MAX.name),
            fallback: FALLBACK.boolean(params)?,
        })
    }

    /// The thinking that fits the client's own token limit.
    fn within(&self, request: &ChatRequest) -> Thinking {
        let mut thinking = self.thinking.clone();
        let Some((_, limit)) = request.token_limit() else {
            return thinking;
        };
        let percent = match request
            .get("reasoning_effort")
            .and_then(serde_json::Value::as_str)
        {
            Some("high") => 90,
            Some("medium") => 66,
            _ => 33,
        };
        let share = |percent: u64| limit.saturating_mul(percent) / 100;
        thinking.max = if self.sets_max {
            thinking.max.min(share(90))
        } else {
            share(percent)
        }
        .max(1);
        thinking.min = if self.sets_min {
            thinking.min
        } else {
            share(10)
        }
        .min(thinking.max);
        thinking
    }
}

impl Strategy for ThinkDeeper {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let Tokens { input, output } = Tokens::of(request);
        let max = self.within(request).max;
        let whole = Demand::step(1, Tokens { input, output: max }).then(Demand::step(
            1,
            Tokens {
                input: input.saturating_add(max),
                output,
            },
        ));
        // Each continuation, and finding out whether there are any.
        Demand {
            max_calls: whole
                .max_calls
                .saturating_add(self.thinking.thoughts)
                .saturating_add(2),
            ..whole
        }
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let plain = async || run.respond(SubCall::answer(request, Purpose::Final)).await;
        if run.calls_left() < 3 {
            run.degrade("budget");
            return Ok(plain().await?.into());
        }
        if let Some(prefill) = Prefill::of(run, request).await? {
            return self.within(request).force(run, request, prefill).await;
        }
        run.degrade("prefill");
        let effort = match self.thinking.max {
            ..=1024 => "low",
            1025..=4196 => "medium",
            _ => "high",
        };
        match with_effort(run, request, effort).await {
            Err(StrategyError::Unsupported(_)) if self.fallback => {
                run.degrade("effort");
                Ok(plain().await?.into())
            }
            answer => Ok(answer?.into()),
        }
    }
}
