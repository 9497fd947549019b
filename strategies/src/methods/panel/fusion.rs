//! `fusion`: several models answer, a reader compares their answers in writing, and one more call
//! makes the answer.
//!
//! After Jiang et al., *LLM-Blender* (2023, arXiv 2306.02561), which fuses the answers of different
//! models. The reader's comparison (consensus, contradictions, unique points, gaps) instead of a
//! trained ranker, the quorum and the refills are ours; OptiLLM has nothing like it.
//!
//! 1. The panel: every model of `fusion_models` answers once, all at the same time; without names
//!    the request's model, three times.
//! 2. Once `fusion_quorum` of them have answered, the others have `fusion_grace_ms` to follow; then
//!    they are cancelled (degraded `stragglers`). A member that fails before that is made up for by
//!    the request's model or, if that has failed too, by another member, as soon as something has
//!    answered.
//! 3. The request's model compares the answers, in shuffled order and without names.
//! 4. The request's model answers, with the answers and the comparison in its instructions, and
//!    with the client's tools. This call streams.
//!
//! If all answers read the same, that is the answer. Without a comparison the last call works from
//! the answers alone (degraded `judge`); without a last call the first sound answer of the panel
//! stands (degraded `synthesis`).
//!
//! Calls: panel + 2, at most 2 × panel + 2; depth 3, one more for a refill.

use std::collections::BTreeSet;
use std::time::Duration;

use rand::seq::SliceRandom;

use crate::chat::ChatRequest;
use crate::contract::COMPARISON;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::selection::{distinct, record, worthy};
use crate::kit::choosing::synthesis::{settle, with_references};
use crate::model::Purpose;
use crate::params::Params;
use crate::reasoning;
use crate::run::{Candidates, Patience, Refill, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const JUDGE: &str = include_str!("fusion/judge.txt");
const COMPARE: &str = include_str!("fusion/compare.txt");
const FUSE: &str = include_str!("fusion/fuse.txt");
const MERGE: &str = include_str!("fusion/merge.txt");

/// Answers of the request's own model, if no models are named.
const ALONE: usize = 3;

const MODELS: ParamSpec = ParamSpec {
    name: "fusion_models",
    kind: ParamKind::Models { most: 8 },
    help: "models of the panel, one answer each; if empty, three answers of the request's",
};
const QUORUM: ParamSpec = ParamSpec {
    name: "fusion_quorum",
    kind: ParamKind::Integer {
        default: 2,
        min: 1,
        max: 8,
    },
    help: "answers after which the slower members get only fusion_grace_ms; from the size of the \
        panel on, all are waited for",
};
const GRACE: ParamSpec = ParamSpec {
    name: "fusion_grace_ms",
    kind: ParamKind::Integer {
        default: 10_000,
        min: 0,
        max: 600_000,
    },
    help: "milliseconds for the slower members once there is a quorum",
};

pub(crate) const PARAMS: &[ParamSpec] = &[MODELS, QUORUM, GRACE];

pub(crate) const ENTRY: Entry = Entry {
    slug: "fusion",
    name: "fusion of a panel",
    summary: "several models answer, a reader compares the answers in writing, one call makes the \
        answer of it all",
    paper: "LLM-Blender, arXiv 2306.02561, for fusing different models' answers; comparison, \
        quorum and refills are hone's",
    params: &[PARAMS],
    cost: "panel + 2 calls (one more for each member that fails early), depth 3 (4)",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(Fusion::new(params)?)),
};

struct Fusion {
    models: Vec<String>,
    patience: Patience,
}

/// Who takes the place of a member that failed: the first of these that has not.
struct Others<'a> {
    call: &'a SubCall,
    models: Vec<&'a str>,
}

impl Refill for Others<'_> {
    fn refill(&self, failed: &[String]) -> Option<SubCall> {
        let model = self
            .models
            .iter()
            .find(|model| !failed.iter().any(|failed| failed == **model))?;
        // The same model may have answered already.
        Some(self.call.clone().diverse(1.0).asking(model))
    }
}

impl Fusion {
    fn new(params: &Params) -> Result<Self, SpecError> {
        let quorum = usize::try_from(QUORUM.integer(params)?).unwrap_or(usize::MAX);
        let grace = Duration::from_millis(GRACE.integer(params)?.into());
        Ok(Self {
            models: MODELS.models(params)?,
            patience: Patience { quorum, grace },
        })
    }

    fn seats(&self) -> u32 {
        u32::try_from(if self.models.is_empty() {
            ALONE
        } else {
            self.models.len()
        })
        .unwrap_or(u32::MAX)
    }

    async fn panel(&self, run: &Run, request: &ChatRequest) -> Result<Candidates, StrategyError> {
        let call = SubCall::answer(request, Purpose::Candidate);
        let others = Others {
            call: &call,
            models: [request.model()]
                .into_iter()
                .chain(self.models.iter().map(String::as_str))
                .collect(),
        };
        let is_mixed = !self.models.is_empty()
            && self.models.iter().collect::<BTreeSet<_>>().len() == self.models.len();
        // A model that is asked twice must be able to answer in two ways.
        let ask = if is_mixed {
            call.clone()
        } else {
            call.clone().diverse(1.0)
        };
        let calls = if self.models.is_empty() {
            vec![ask; ALONE]
        } else {
            self.models
                .iter()
                .map(|model| ask.clone().asking(model))
                .collect()
        };
        let patience = Some(self.patience).filter(|patience| patience.quorum < calls.len());
        run.gather(calls, patience, &others).await
    }

    /// The reader's comparison; `None` if it failed.
    async fn compare(run: &Run, case: &Case<'_>, answers: &[String]) -> Option<String> {
        let wanted = format!("{}\n\n{COMPARISON}", COMPARE.trim());
        let call = case
            .call(Purpose::Judge, JUDGE, answers, &wanted)
            .set("temperature", 0.0);
        // The reader must not spend the last call.
        let reply = if run.calls_left() > 1 {
            run.complete_one(call, 0)
                .await
                .inspect_err(|error| run.degrade(error.reason()))
                .ok()
        } else {
            None
        };
        let text = reply
            .map(|choice| reasoning::strip(&choice.message.text()).trim().to_owned())
            .filter(|text| !text.is_empty());
        if text.is_none() {
            run.degrade("judge");
        }
        text
    }
}

impl Strategy for Fusion {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let panel = Demand::step(self.seats(), Tokens::of(request));
        let panel = Demand {
            max_calls: panel.calls.saturating_mul(2),
            ..panel
        };
        let reading = Tokens::of_reading(request, self.seats());
        let last = Tokens {
            output: Tokens::of(request).output,
            ..reading
        };
        panel
            .then(Demand::step(1, reading))
            .then(Demand::step(1, last))
    }

    fn models(&self) -> &[String] {
        &self.models
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let candidates = self.panel(run, request).await?;
        let sound = worthy(&candidates);
        let mut groups = distinct(&sound);
        if let [only] = &*groups {
            run.record(
                candidates
                    .iter()
                    .map(|candidate| record(candidate, None, None, Some(only.first))),
            );
            return Ok(run.elect(only.first).await?.into());
        }
        groups.shuffle(&mut run.rng("order"));
        let answers: Vec<String> = groups.into_iter().map(|group| group.text).collect();
        let case = Case::new(run, request);
        let informed = match Self::compare(run, &case, &answers).await {
            Some(comparison) => with_references(
                &case,
                request,
                FUSE,
                &answers,
                &[("comparison".to_owned(), comparison.as_str())],
            ),
            None => with_references(&case, request, MERGE, &answers, &[]),
        };
        match run
            .respond(SubCall::answer(&informed, Purpose::Synthesis))
            .await
        {
            Ok(answer) => {
                run.record(
                    candidates
                        .iter()
                        .map(|candidate| record(candidate, None, None, None)),
                );
                Ok(answer.into())
            }
            Err(error) => settle(run, &candidates, error).await,
        }
    }
}
