//! `moa`: several proposals, and one answer made from all of them.
//!
//! Paper: Wang et al., *Mixture-of-Agents Enhances Large Language Model Capabilities* (2024, arXiv
//! 2406.04692); with one model in every place as in Li et al., *Rethinking Mixture-of-Agents*
//! (2025, arXiv 2502.00674).
//!
//! 1. `moa_proposers` answers to the conversation.
//! 2. For each layer beyond two: as many answers again, each by an agent that sees all answers of
//!    the layer before.
//! 3. One aggregator sees the last layer's answers and gives the answer.
//!
//! As in the paper the conversation stays as it is and the references stand in the system message.
//! `moa_critique` says where weaknesses are weighed: in the aggregator's own call (`inline`), by
//! one critic per proposal before it (`separate`), or nowhere (`off`). As in the paper `moa_models`
//! may name several models, which propose in turn; without them the request's model proposes with
//! temperature. The request's model always aggregates, and criticises. Proposals that fail are
//! missing, never replaced by copies. If no aggregation comes about, the first sound proposal is
//! the answer and the run is degraded (`synthesis`).
//!
//! Calls 2 (1 + k where the upstream ignores `n`, and with `moa_models`), depth 2, both one more
//! per further layer; `separate` adds k calls and one to the depth. The aggregator streams.

use futures_util::future::join_all;

use crate::chat::ChatRequest;
use crate::demand::{Demand, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::selection::{record, worthy};
use crate::kit::choosing::synthesis::{settle, with_references};
use crate::model::Purpose;
use crate::params::Params;
use crate::reasoning;
use crate::run::{Candidate, Candidates, NoRefill, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const AGGREGATE: &str = include_str!("mixture_of_agents/aggregate.txt");
const WEIGHED: &str = include_str!("mixture_of_agents/weighed.txt");
const PLAIN: &str = include_str!("mixture_of_agents/plain.txt");
const CRITIC: &str = include_str!("mixture_of_agents/critic.txt");
const CRITIQUE: &str = include_str!("mixture_of_agents/critique.txt");

const PROPOSERS: ParamSpec = ParamSpec {
    name: "moa_proposers",
    kind: ParamKind::Integer {
        default: 3,
        min: 1,
        max: 16,
    },
    help: "answers per layer",
};
const MODELS: ParamSpec = ParamSpec {
    name: "moa_models",
    kind: ParamKind::Models { most: 8 },
    help: "models that propose, in turn; moa_proposers is their number unless it is set; if empty, \
        the request's",
};
const LAYERS: ParamSpec = ParamSpec {
    name: "moa_layers",
    kind: ParamKind::Integer {
        default: 2,
        min: 2,
        max: 4,
    },
    help: "layers, the aggregator's included",
};
const CRITIQUES: ParamSpec = ParamSpec {
    name: "moa_critique",
    kind: ParamKind::Choice {
        default: "inline",
        options: &["inline", "separate", "off"],
    },
    help: "where the proposals are criticised",
};

pub(crate) const PARAMS: &[ParamSpec] = &[PROPOSERS, MODELS, LAYERS, CRITIQUES];

pub(crate) const ENTRY: Entry = Entry {
    slug: "moa",
    name: "mixture of agents",
    summary: "several proposals, weighed and made into one answer",
    paper: "Mixture-of-Agents Enhances Large Language Model Capabilities, arXiv 2406.04692",
    params: &[PARAMS],
    cost: "moa_layers calls (moa_proposers per layer but the last where n is ignored or with \
        moa_models), depth moa_layers; separate critique: \
           moa_proposers calls and 1 depth more",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(MixtureOfAgents::new(params)?)),
};

struct MixtureOfAgents {
    proposers: u32,
    models: Vec<String>,
    layers: u32,
    critique: Critique,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Critique {
    Inline,
    Off,
    Separate,
}

impl MixtureOfAgents {
    fn new(params: &Params) -> Result<Self, SpecError> {
        let critique = match CRITIQUES.word(params)?.as_str() {
            "separate" => Critique::Separate,
            "off" => Critique::Off,
            _ => Critique::Inline,
        };
        let models = MODELS.models(params)?;
        let proposers = match u32::try_from(models.len()) {
            Ok(count @ 1..)
                if params
                    .get(PROPOSERS.name)
                    .is_none_or(serde_json::Value::is_null) =>
            {
                count
            }
            _ => PROPOSERS.integer(params)?,
        };
        Ok(Self {
            proposers,
            models,
            layers: LAYERS.integer(params)?,
            critique,
        })
    }

    /// One layer's answers to `request`.
    async fn propose(&self, run: &Run, request: &ChatRequest) -> Result<Candidates, StrategyError> {
        let call = SubCall::answer(request, Purpose::Candidate).diverse(1.0);
        if self.models.is_empty() {
            return run.sample(&call, self.proposers, None).await;
        }
        let seats = self.models.iter().cycle().take(self.proposers as usize);
        run.gather(
            seats.map(|model| call.clone().asking(model)).collect(),
            None,
            &NoRefill,
        )
        .await
    }

    fn layer(&self, request: &ChatRequest) -> Demand {
        if self.models.is_empty() {
            Demand::candidates(self.proposers, request)
        } else {
            Demand::step(self.proposers, Tokens::of(request))
        }
    }

    /// One critique per proposal; empty where the call failed.
    async fn criticise(run: &Run, case: &Case<'_>, proposals: &[String]) -> Vec<String> {
        let calls = (0..).zip(proposals).map(|(index, proposal)| async move {
            let call = case
                .call(
                    Purpose::Critique,
                    CRITIC,
                    std::slice::from_ref(proposal),
                    CRITIQUE,
                )
                .set("temperature", 0.0);
            let reply = run
                .complete_one(call, index)
                .await
                .inspect_err(|error| run.degrade(error.reason()));
            reply
                .map(|choice| reasoning::strip(&choice.message.text()).trim().to_owned())
                .unwrap_or_default()
        });
        join_all(calls).await
    }
}

impl Strategy for MixtureOfAgents {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let mut whole = self.layer(request);
        for _ in 2..self.layers {
            whole = whole.then(self.layer(request));
        }
        if self.critique == Critique::Separate {
            whole = whole.then(Demand::step(self.proposers, Tokens::of_reading(request, 1)));
        }
        let Tokens { output, .. } = Tokens::of(request);
        whole.then(Demand::step(
            1,
            Tokens {
                output,
                ..Tokens::of_reading(request, self.proposers)
            },
        ))
    }

    fn models(&self) -> &[String] {
        &self.models
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let case = Case::new(run, request);
        let mut proposals = self.propose(run, request).await?;
        for _ in 2..self.layers {
            let informed = with_references(&case, request, AGGREGATE, &texts(&proposals), &[]);
            match self.propose(run, &informed).await {
                Ok(better) => proposals = better,
                Err(error) => return settle(run, &proposals, error).await,
            }
        }
        let references = texts(&proposals);
        let (instructions, critiques) = match self.critique {
            Critique::Off => (PLAIN, Vec::new()),
            Critique::Separate if run.calls_left() as usize > references.len() => {
                (WEIGHED, Self::criticise(run, &case, &references).await)
            }
            // Critics must not spend the aggregator's call.
            Critique::Inline | Critique::Separate => (AGGREGATE, Vec::new()),
        };
        let remarks: Vec<_> = (1..)
            .zip(&critiques)
            .filter(|(_, text)| !text.is_empty())
            .map(remark)
            .collect();
        let informed = with_references(&case, request, instructions, &references, &remarks);
        match run
            .respond(SubCall::answer(&informed, Purpose::Synthesis))
            .await
        {
            Ok(answer) => {
                run.record(
                    proposals
                        .iter()
                        .map(|proposal| record(proposal, None, None, None)),
                );
                Ok(answer.into())
            }
            Err(error) => settle(run, &proposals, error).await,
        }
    }
}

fn remark((number, text): (usize, &String)) -> (String, &str) {
    (format!("critique of candidate {number}"), text)
}

fn texts(proposals: &Candidates) -> Vec<String> {
    worthy(proposals)
        .into_iter()
        .map(Candidate::shown)
        .collect()
}
