//! `plansearch`: searches over ideas instead of answers, and carries the best plan out.
//!
//! Paper: Wang et al., *Planning In Natural Language Improves LLM Search For Code Generation*
//! (2024, arXiv 2409.03733).
//!
//! 1. `plansearch_observations` observations about the task, as a JSON array.
//! 2. `plansearch_candidates` different combinations of up to `plansearch_max_subset` of them,
//!    drawn without replacement; for each, new observations that follow from it, and 3. a plan in
//!    words that rests on all of these.
//! 4. `plansearch_choice = "plan"`: one call compares the plans and carries the best one out.
//!    `"implementation"`: each plan is carried out; if the answers agree, the first is returned,
//!    else each is rated and the best one wins.
//!
//! Departures: the paper makes some hundred plans with their opposites and pseudocode, and chooses
//! among programs by running tests; nothing that a model wrote is run here. Language and form are
//! the request's, not Python. Observations are read from JSON, never from the lines of a text.
//!
//! A combination whose plan fails or is cut off is left out. Without any plan the observations
//! alone go into the last call, without observations nothing does; the run is degraded (`plan`,
//! `observations`). The last call's share of the budget is kept for it. At the deadline there is an
//! answer only if the last step has begun.
//!
//! Calls 2 + 2m for m plans, depth 4, and the last call streams; by implementation 1 + 3m and m
//! ratings, depth 5, and the winner is replayed.

mod steps;
mod subsets;

use futures_util::future::join_all;

use self::steps::Search;
use crate::chat::ChatRequest;
use crate::demand::{Demand, OUTPUT_ESTIMATE, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::params::Params;
use crate::run::Run;
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const OBSERVATION_COUNT: ParamSpec = ParamSpec {
    name: "plansearch_observations",
    kind: ParamKind::Integer {
        default: 3,
        min: 1,
        max: 16,
    },
    help: "first observations",
};
const MAX_SUBSET: ParamSpec = ParamSpec {
    name: "plansearch_max_subset",
    kind: ParamKind::Integer {
        default: 2,
        min: 1,
        max: 3,
    },
    help: "most first observations that a plan rests on",
};
const CANDIDATES: ParamSpec = ParamSpec {
    name: "plansearch_candidates",
    kind: ParamKind::Integer {
        default: 3,
        min: 1,
        max: 32,
    },
    help: "plans",
};
const CHOICE: ParamSpec = ParamSpec {
    name: "plansearch_choice",
    kind: ParamKind::Choice {
        default: "plan",
        options: &["plan", "implementation"],
    },
    help: "choose among plans and carry one out, or carry all out and choose among answers",
};

pub(crate) const ENTRY: Entry = Entry {
    slug: "plansearch",
    name: "plan search",
    summary: "observations about the task are combined into different plans; the best one is \
        carried out",
    paper: "Planning In Natural Language Improves LLM Search For Code Generation, arXiv 2409.03733",
    params: &[&[OBSERVATION_COUNT, MAX_SUBSET, CANDIDATES, CHOICE]],
    cost: "2 + 2 × plansearch_candidates calls, depth 4; by implementation 1 + 4 × \
        plansearch_candidates calls, depth 5",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(PlanSearch::new(params)?)),
};

struct PlanSearch {
    observations: u32,
    max_subset: u32,
    candidates: u32,
    by_implementation: bool,
}

impl PlanSearch {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            observations: OBSERVATION_COUNT.integer(params)?,
            max_subset: MAX_SUBSET.integer(params)?,
            candidates: CANDIDATES.integer(params)?,
            by_implementation: CHOICE.word(params)? == "implementation",
        })
    }

    /// Most plans that there can be.
    fn plans(&self) -> u32 {
        self.candidates
            .min(subsets::count(self.observations, self.max_subset))
    }

    /// As many combinations as can be followed to the end even if every second thought has to be
    /// asked for twice.
    fn combinations(&self, run: &Run, observations: &[String]) -> Vec<Vec<String>> {
        let each = if self.by_implementation { 4 } else { 3 };
        let last = u32::from(!self.by_implementation);
        let affordable = run.calls_left().saturating_sub(last) / each;
        if affordable < self.plans() {
            run.degrade("budget");
        }
        let wanted = self.plans().min(affordable) as usize;
        let mut rng = run.rng("subsets");
        let drawn = subsets::draw(
            observations.len(),
            self.max_subset as usize,
            wanted,
            &mut rng,
        );
        drawn
            .into_iter()
            .map(|subset| {
                subset
                    .into_iter()
                    .filter_map(|at| observations.get(at).cloned())
                    .collect()
            })
            .collect()
    }
}

impl Strategy for PlanSearch {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let Tokens { input, output } = Tokens::of(request);
        let thinking = Tokens {
            input: input.saturating_add(OUTPUT_ESTIMATE),
            output: OUTPUT_ESTIMATE,
        };
        let plans = self.plans();
        let planned = Demand::verdicts(1, thinking)
            .then(Demand::verdicts(plans, thinking))
            .then(Demand::step(plans, thinking));
        let carrying_out = |plans: u64| Tokens {
            input: input.saturating_add(OUTPUT_ESTIMATE.saturating_mul(plans)),
            output,
        };
        if self.by_implementation {
            let rating = if plans > 1 {
                Demand::verdicts(plans, Tokens::of_reading(request, 1))
            } else {
                Demand::default()
            };
            return planned
                .then(Demand::step(plans, carrying_out(1)))
                .then(rating);
        }
        planned.then(Demand::step(1, carrying_out(plans.into())))
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let search = Search {
            run,
            request,
            case: Case::new(run, request),
        };
        if run.calls_left() <= 1 {
            run.degrade("budget");
            return search.answer(&[], &[]).await;
        }
        let observations = search.observe(self.observations).await?;
        if observations.is_empty() {
            run.degrade("observations");
        }
        let combinations = self.combinations(run, &observations);
        let plans = (0..)
            .zip(combinations)
            .map(|(index, first)| search.plan(first, index));
        let plans: Vec<String> = join_all(plans).await.into_iter().flatten().collect();
        run.note("plans", plans.len());
        if plans.is_empty() && !observations.is_empty() {
            run.degrade("plan");
        }
        if self.by_implementation && !plans.is_empty() {
            search.best_answer(&plans).await
        } else {
            search.answer(&plans, &observations).await
        }
    }
}
