//! `race`: the same request twice, or to several models; the first answer wins.
//!
//! Dean and Barroso, *The Tail at Scale* (2013, doi 10.1145/2408776.2408794): hedged requests.
//! OptiLLM has nothing like it.
//!
//! 1. The request's model and those of `race_models` are asked the same; without names the
//!    request's model is asked twice.
//! 2. With `hedge_after_ms` each is asked only when all before it have not begun to answer for that
//!    long, or have failed.
//! 3. A client that streams gets the answer of the first to produce a token, live. One that does
//!    not gets the first whole answer; an answer has then begun when it is there. One that was cut
//!    off, filtered or is empty wins only if there is no other.
//! 4. The others are cancelled: their connections are closed, or their streams reset.
//!
//! Racers that fail are missing; if all fail, the last error is relayed. A winner that breaks off
//! after its first token is an error, as without a race.
//!
//! Calls: racers (with a hedge 1, if it answers in time), depth 1. `usage` counts all racers, as
//! the caller's limits do.

use std::time::Duration;

use serde_json::json;

use crate::chat::ChatRequest;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const MODELS: ParamSpec = ParamSpec {
    name: "race_models",
    kind: ParamKind::Models { most: 3 },
    help: "models that race against the request's; if empty, the request's is asked twice",
};
const HEDGE: ParamSpec = ParamSpec {
    name: "hedge_after_ms",
    kind: ParamKind::Integer {
        default: 0,
        min: 0,
        max: 600_000,
    },
    help: "milliseconds without an answer's beginning after which the next one starts; 0: all \
        start at once",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "race",
    name: "race",
    summary: "the same request twice or to several models; the first answer wins, the others are \
        cancelled",
    paper: "The Tail at Scale, doi 10.1145/2408776.2408794",
    params: &[&[MODELS, HEDGE]],
    cost: "2 calls, or 1 + the number of race_models; with hedge_after_ms 1 call if that is quick \
        enough; depth 1",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(Race::new(params)?)),
};

struct Race {
    models: Vec<String>,
    hedge: Duration,
}

impl Race {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            models: MODELS.models(params)?,
            hedge: Duration::from_millis(HEDGE.integer(params)?.into()),
        })
    }

    fn racers(&self) -> usize {
        1 + self.models.len().max(1)
    }
}

impl Strategy for Race {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let all = Demand::step(
            u32::try_from(self.racers()).unwrap_or(u32::MAX),
            Tokens::of(request),
        );
        if self.hedge.is_zero() {
            all
        } else {
            Demand {
                first_wave: 1,
                first_wave_choices: 1,
                ..all
            }
        }
    }

    fn models(&self) -> &[String] {
        &self.models
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let own = SubCall::answer(request, Purpose::Final);
        let mut calls: Vec<SubCall> = self
            .models
            .iter()
            .map(|model| own.clone().asking(model))
            .collect();
        calls.insert(0, own.clone());
        calls.resize(self.racers(), own);
        let names: Vec<String> = calls
            .iter()
            .map(|call| call.request.model().to_owned())
            .collect();
        let won = run.respond_first(calls, self.hedge).await?;
        let winner = names.get(won.index as usize);
        run.note("winner", json!({"racer": won.index, "model": winner}));
        Ok(won.answer.into())
    }
}
