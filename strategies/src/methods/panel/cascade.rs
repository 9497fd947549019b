//! `cascade`: a cheap model first; a stronger one, or more answers of the same, only where the
//! cheap one is unsure.
//!
//! Papers: Chen et al., *FrugalGPT* (2023, arXiv 2305.05176) for asking models in order of cost
//! until one's answer is good enough; Gupta et al., *Language Model Cascades: Token-level
//! uncertainty and beyond* (2024, arXiv 2404.10136) for deferring by token probabilities; Yue et
//! al., *Large Language Model Cascades with Mixture of Thoughts Representations* (2023, arXiv
//! 2310.03094) for deferring by the agreement of samples. OptiLLM has nothing like it.
//!
//! 1. Each model of `cascade_models`, in this order, answers once with log probabilities. It is
//!    sure if the geometric mean of its tokens' probabilities is at least `cascade_confidence`;
//!    that answer is returned.
//! 2. If the upstream tells no log probabilities (which is remembered), it answers
//!    `cascade_samples` times in all, and is sure if the share of equal final answers is at least
//!    `cascade_agreement`; the first of these is returned.
//! 3. If none is sure, the request's model answers, live.
//! 4. Without `cascade_models` the request's model is the cheap one: `cascade_more` further answers
//!    of it vote together with those that there are.
//!
//! Both bounds are plain numbers without calibration: a model's probabilities depend on its
//! training and on the kind of text, so measure before trusting the default. Prose whose final
//! answer cannot be read never agrees, so without log probabilities it always goes on to step 3. A
//! cheap model that fails is passed over (degraded). If the last step fails, the best answer so far
//! is returned (degraded `escalation`).
//!
//! Calls: 1 where the first model is sure by log probabilities, else up to 2 for each cheap model
//! (cascade_samples where `n` is ignored) and 1 more; depth 1 to 2 × models + 1. What step 1 and 2
//! return is replayed as a stream, step 3 streams.

use serde_json::json;

use crate::chat::ChatRequest;
use crate::demand::Demand;
use crate::error::{SpecError, StrategyError};
use crate::kit::choosing::selection::worthy;
use crate::kit::choosing::uncertainty::{self, Sureness, leaders, poll, probe};
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Candidate, Run, SubCall, reason};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const MODELS: ParamSpec = ParamSpec {
    name: "cascade_models",
    kind: ParamKind::Models { most: 4 },
    help: "cheaper models that are asked before the request's, the cheapest first; if empty, the \
        request's is asked for more answers",
};
const CONFIDENCE: ParamSpec = ParamSpec {
    name: "cascade_confidence",
    kind: ParamKind::Number {
        default: 0.85,
        min: 0.0,
        max: 1.0,
    },
    help: "mean token probability (geometric) from which on a cheap answer stands",
};
const SAMPLES: ParamSpec = ParamSpec {
    name: "cascade_samples",
    kind: ParamKind::Integer {
        default: 3,
        min: 2,
        max: 16,
    },
    help: "answers of a cheap model that are compared where there are no log probabilities",
};
const AGREEMENT: ParamSpec = ParamSpec {
    name: "cascade_agreement",
    kind: ParamKind::Number {
        default: 1.0,
        min: 0.0,
        max: 1.0,
    },
    help: "share of them that must agree for the answer to stand",
};
const MORE: ParamSpec = ParamSpec {
    name: "cascade_more",
    kind: ParamKind::Integer {
        default: 5,
        min: 1,
        max: 32,
    },
    help: "further answers that vote where there are no cascade_models",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "cascade",
    name: "cascade",
    summary: "a cheap model first; a stronger one or more answers only where it is unsure",
    paper: "FrugalGPT, arXiv 2305.05176; Language Model Cascades, arXiv 2404.10136; arXiv \
        2310.03094",
    params: &[&[MODELS, CONFIDENCE, SAMPLES, AGREEMENT, MORE]],
    cost: "1 call if the first model is sure, at most 2 for each cheap model (cascade_samples \
        where n is ignored) and 1 more \
           (cascade_more where n is ignored); depth as many",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(Cascade::new(params)?)),
};

struct Cascade {
    models: Vec<String>,
    sureness: Sureness,
    samples: u32,
    more: u32,
}

impl Cascade {
    fn new(params: &Params) -> Result<Self, SpecError> {
        let sureness = Sureness {
            probability: CONFIDENCE.number(params)?,
            agreement: AGREEMENT.number(params)?,
        };
        Ok(Self {
            models: MODELS.models(params)?,
            sureness,
            samples: SAMPLES.integer(params)?,
            more: MORE.integer(params)?,
        })
    }

    /// Asks one cheap model. `Ok` is its answer, handed over; `Err` holds the answers of which it
    /// was not sure.
    async fn ask(
        &self,
        run: &Run,
        call: &SubCall,
    ) -> Result<Result<Output, Vec<Candidate>>, StrategyError> {
        let probe = probe(run, call, self.samples).await?;
        let model = call.request.model();
        let is_sure = probe.measure.reaches(self.sureness);
        run.note(
            "cascade",
            json!({"model": model, "found": probe.measure.to_string(), "is_sure": is_sure}),
        );
        let found = leaders(&call.request, &probe.candidates)
            .first()
            .copied()
            .or_else(|| probe.candidates.first());
        match found.filter(|_| is_sure) {
            Some(sure) => Ok(Ok(self
                .elect(run, &call.request, &probe.candidates, sure)
                .await?)),
            None => Ok(Err(probe.candidates)),
        }
    }

    async fn elect(
        &self,
        run: &Run,
        request: &ChatRequest,
        candidates: &[Candidate],
        chosen: &Candidate,
    ) -> Result<Output, StrategyError> {
        poll(request, candidates).record(run, candidates, chosen);
        Ok(run.elect(chosen).await?.into())
    }

    /// The request's model again, in a vote with what it said before.
    async fn vote(
        &self,
        run: &Run,
        call: &SubCall,
        mut candidates: Vec<Candidate>,
    ) -> Result<Output, StrategyError> {
        let wanted = u32::try_from(candidates.len())
            .unwrap_or(u32::MAX)
            .saturating_add(self.more);
        match uncertainty::more(run, call, &candidates, wanted).await {
            Ok(others) => candidates.extend(others),
            Err(error) => run.degrade(reason(&error)),
        }
        self.best(run, &call.request, &candidates, StrategyError::Deadline)
            .await
    }

    /// The best of what there is, or the error if there is nothing.
    async fn best(
        &self,
        run: &Run,
        request: &ChatRequest,
        candidates: &[Candidate],
        error: StrategyError,
    ) -> Result<Output, StrategyError> {
        let voted = leaders(request, candidates).first().copied();
        match voted.or_else(|| worthy(candidates).first().copied()) {
            Some(best) => self.elect(run, request, candidates, best).await,
            None => Err(error),
        }
    }
}

impl Strategy for Cascade {
    fn demand(&self, request: &ChatRequest) -> Demand {
        if self.models.is_empty() {
            return uncertainty::demand(self.samples, request)
                .then(Demand::candidates(self.more, request));
        }
        let cheap = self
            .models
            .iter()
            .map(|_| uncertainty::demand(self.samples, request));
        cheap
            .reduce(Demand::then)
            .unwrap_or_default()
            .then(Demand::answer(request))
    }

    fn models(&self) -> &[String] {
        &self.models
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let own = SubCall::answer(request, Purpose::Candidate);
        if self.models.is_empty() {
            return match self.ask(run, &own).await? {
                Ok(answer) => Ok(answer),
                Err(unsure) => self.vote(run, &own, unsure).await,
            };
        }
        let mut latest = Vec::new();
        for model in &self.models {
            match self.ask(run, &own.clone().asking(model)).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(unsure)) => latest = unsure,
                Err(error @ (StrategyError::Gone | StrategyError::Interrupted(_))) => {
                    return Err(error);
                }
                Err(error) => run.degrade(reason(&error)),
            }
        }
        match run.respond(SubCall::answer(request, Purpose::Final)).await {
            Ok(answer) => Ok(answer.into()),
            Err(error @ (StrategyError::Gone | StrategyError::Interrupted(_))) => Err(error),
            Err(error) => {
                run.degrade("escalation");
                run.degrade(reason(&error));
                self.best(run, request, &latest, error).await
            }
        }
    }
}
