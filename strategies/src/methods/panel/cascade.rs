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
use crate::kit::choosing::uncertainty::{self, Sureness, poll, probe};
use crate::model::Purpose;
use crate::params::Params;
use crate::run::{Candidates, Run, SubCall};
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

/// What a cheap model said.
enum Said {
    /// An answer of which it is sure, handed over.
    Sure(Output),
    /// Answers of which it is not.
    Unsure(Candidates),
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

    /// Asks one cheap model.
    async fn ask(&self, run: &Run, call: &SubCall) -> Result<Said, StrategyError> {
        let probe = probe(run, call, self.samples).await?;
        let model = call.request.model();
        let is_sure = probe.measure.reaches(self.sureness);
        run.note(
            "cascade",
            json!({"model": model, "found": probe.measure.to_string(), "is_sure": is_sure}),
        );
        if !is_sure {
            return Ok(Said::Unsure(probe.candidates));
        }
        let votes = poll(&call.request, &probe.candidates);
        let leaders = votes.winners(&probe.candidates);
        let sure = leaders.first().copied();
        let sure = sure.unwrap_or(probe.candidates.first());
        votes.record(run, &probe.candidates, sure);
        Ok(Said::Sure(run.elect(sure).await?.into()))
    }

    /// The request's model again, in a vote with what it said before.
    async fn vote(
        &self,
        run: &Run,
        call: &SubCall,
        candidates: Candidates,
    ) -> Result<Output, StrategyError> {
        let wanted = u32::try_from(candidates.len().get())
            .unwrap_or(u32::MAX)
            .saturating_add(self.more);
        let candidates = uncertainty::more(run, call, candidates, wanted).await;
        best(run, &call.request, &candidates).await
    }
}

/// Hands over the best candidate.
async fn best(
    run: &Run,
    request: &ChatRequest,
    candidates: &Candidates,
) -> Result<Output, StrategyError> {
    let poll = poll(request, candidates);
    let best = poll.elected(candidates);
    poll.record(run, candidates, best);
    Ok(run.elect(best).await?.into())
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
                Said::Sure(answer) => Ok(answer),
                Said::Unsure(candidates) => self.vote(run, &own, candidates).await,
            };
        }
        let mut latest = None;
        for model in &self.models {
            match self.ask(run, &own.clone().asking(model)).await {
                Ok(Said::Sure(answer)) => return Ok(answer),
                Ok(Said::Unsure(candidates)) => latest = Some(candidates),
                Err(error) if error.is_final() => return Err(error),
                Err(error) => run.degrade(error.reason()),
            }
        }
        let answer = run.respond(SubCall::answer(request, Purpose::Final)).await;
        match (answer, latest) {
            (Ok(answer), _) => Ok(answer.into()),
            (Err(error), Some(latest)) if !error.is_final() => {
                run.degrade("escalation");
                run.degrade(error.reason());
                best(run, request, &latest).await
            }
            (Err(error), _) => Err(error),
        }
    }
}
