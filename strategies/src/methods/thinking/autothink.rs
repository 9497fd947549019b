//! `autothink`: effort by the question's difficulty.
//!
//! After *AutoThink* (2025, SSRN 5253327), which sorts questions with a trained classifier and
//! steers activations. Neither is to be had through an API: the model itself is asked how hard the
//! question is, in one short call, and steering is left out. Nor are hints in the prompt made of
//! its steering patterns: that would be another method under this name, and OptiLLM has no
//! parameter for it.
//!
//! 1. At the same time: an answer at low effort, and a verdict, easy or hard.
//! 2. Easy: that answer is the answer. Hard: it is cancelled if it is still being written, and the
//!    question is answered anew at high effort.
//!
//! Effort is `reasoning_effort` where the upstream takes it and its answers show reasoning; else
//! thinking of 1,024 to 4,096 tokens is forced by continuation as in `thinkdeeper`. Where neither
//! works, a hard question is refused, or with `decoding_fallback` answered plainly (degraded
//! `effort`). Without a verdict the answer at low effort is given, degraded `judge`. If the second
//! answer fails and the first was there, that one is given.
//!
//! Calls 2, depth 1 for an easy question; 1 and 1 more for a hard one, 2 or more where thinking is
//! forced. An easy answer is replayed as a stream, a hard one streams.

use futures_util::future::{Either, select};

use crate::chat::ChatRequest;
use crate::contract::DIFFICULTY;
use crate::demand::{Demand, Tokens};
use crate::error::{Missing, SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::reading::verdict::{Difficulty, parse_difficulty};
use crate::kit::tokens::decoding::FALLBACK;
use crate::kit::tokens::prefill::Prefill;
use crate::kit::tokens::thinking::{Thinking, with_effort};
use crate::methods::thinking::thinkdeeper::SWITCHES;
use crate::model::{Fact, Purpose};
use crate::params::Params;
use crate::run::{Candidate, Run, SubCall};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const ROLE: &str = include_str!("autothink/role.txt");
const WANTED: &str = include_str!("autothink/wanted.txt");

pub(crate) const ENTRY: Entry = Entry {
    slug: "autothink",
    name: "effort by difficulty",
    summary: "a verdict on the question's difficulty beside a quick answer; a hard question is \
        answered anew with more thinking",
    paper: "AutoThink, SSRN 5253327",
    params: &[&[FALLBACK]],
    cost: "2 calls, depth 1; 1 call and 1 depth more for a hard question, 2 or more where thinking \
        has to be forced",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(AutoThink::new(params)?)),
};

struct AutoThink {
    fallback: bool,
}

impl AutoThink {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            fallback: FALLBACK.boolean(params)?,
        })
    }

    async fn difficulty(run: &Run, request: &ChatRequest) -> Option<Difficulty> {
        let call = Case::new(run, request)
            .call(Purpose::Judge, ROLE, &[], WANTED)
            .set("temperature", 0.0)
            .brief();
        run.judge(&call, 0, DIFFICULTY, parse_difficulty).await
    }

    async fn at_high_effort(
        &self,
        run: &Run,
        request: &ChatRequest,
    ) -> Result<Output, StrategyError> {
        if run.knows(request.model(), Fact::Reasons) != Some(false) {
            match with_effort(run, request, "high").await {
                Err(StrategyError::Unsupported(_)) => {}
                answer => return Ok(answer?.into()),
            }
        }
        match Prefill::of(run, request).await? {
            Some(prefill) => thinking(request).force(run, request, prefill).await,
            None if self.fallback => {
                run.degrade("effort");
                Ok(run
                    .respond(SubCall::answer(request, Purpose::Final))
                    .await?
                    .into())
            }
            None => Err(StrategyError::Unsupported(Missing::Thinking)),
        }
    }
}

/// Thinking for a hard question, within nine tenths of the client's limit.
fn thinking(request: &ChatRequest) -> Thinking {
    let most = request
        .token_limit()
        .map_or(u64::MAX, |(_, limit)| limit.saturating_mul(9) / 10)
        .max(1);
    Thinking {
        min: 1024.min(most),
        max: 4096.min(most),
        thoughts: 16,
        switches: SWITCHES.map(str::to_owned).to_vec(),
        start: "<think>".to_owned(),
        end: "</think>".to_owned(),
        prefill: String::new(),
    }
}

/// Hands over the quick answer.
async fn give(run: &Run, quick: &Candidate) -> Result<Output, StrategyError> {
    Ok(run.elect(quick).await?.into())
}

impl Strategy for AutoThink {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let together =
            Demand::answer(request).beside(Demand::verdicts(1, Tokens::of_reading(request, 0)));
        // Thinking that is forced turn by turn, finding out how, and the answer.
        Demand {
            max_calls: together.max_calls.saturating_add(1 + 2 + 17 + 1),
            ..together
        }
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let quick = SubCall::answer(request, Purpose::Candidate).set("reasoning_effort", "low");
        let quick = run.candidate(&quick, 0);
        let judging = Self::difficulty(run, request);
        tokio::pin!(quick, judging);
        let (quick, difficulty) = match select(quick, judging).await {
            Either::Left((quick, judging)) => (quick?, judging.await),
            Either::Right((Some(Difficulty::Hard), _cancelled)) => {
                return self.at_high_effort(run, request).await;
            }
            Either::Right((difficulty, quick)) => (quick.await?, difficulty),
        };
        match difficulty {
            Some(Difficulty::Easy) => return give(run, &quick).await,
            Some(Difficulty::Hard) => {}
            None => {
                run.degrade("judge");
                return give(run, &quick).await;
            }
        }
        match self.at_high_effort(run, request).await {
            Err(error @ StrategyError::Unsupported(_)) => Err(error),
            Err(error) if !error.is_final() => {
                run.degrade("effort");
                run.degrade(error.reason());
                give(run, &quick).await
            }
            output => output,
        }
    }
}
