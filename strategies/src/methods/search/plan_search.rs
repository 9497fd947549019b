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

mod subsets;

use futures_util::future::join_all;
use serde_json::Value;

use crate::chat::{ChatRequest, view};
use crate::contract::{OBSERVATIONS, PLAN};
use crate::demand::{Demand, OUTPUT_ESTIMATE, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::rating::rate;
use crate::kit::choosing::selection::{distinct, record, worthy};
use crate::kit::choosing::voting::{self, agree, most_agreed};
use crate::kit::reading::json_reply;
use crate::model::Purpose;
use crate::non_empty::NonEmpty;
use crate::params::Params;
use crate::reasoning;
use crate::run::{Candidate, Run, SubCall};
use crate::spec::{ParamKind, ParamSpec};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const ROLE: &str = include_str!("plan_search/role.txt");
const OBSERVE: &str = include_str!("plan_search/observe.txt");
const DERIVE: &str = include_str!("plan_search/derive.txt");
const MAKE_PLAN: &str = include_str!("plan_search/plan.txt");
const CARRY_OUT: &str = include_str!("plan_search/carry_out.txt");
const CARRY_OUT_ONE: &str = include_str!("plan_search/carry_out_one.txt");

/// New observations of a combination.
const DERIVED: usize = 2;

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

/// What the steps of a search have in common.
struct Search<'a> {
    run: &'a Run,
    request: &'a ChatRequest,
    case: Case<'a>,
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

impl Search<'_> {
    /// A call about the task, with what is known of it.
    fn thinking(&self, observations: &[String], wanted: &str) -> SubCall {
        let known = match observations {
            [] => String::new(),
            some => format!("{}\n\n", self.case.fence("observations", &numbered(some))),
        };
        self.case
            .call(Purpose::Plan, ROLE, &[], &format!("{known}{wanted}"))
    }

    async fn observe(&self, count: u32) -> Result<Vec<String>, StrategyError> {
        let wanted = format!(
            "{}\n\n{OBSERVATIONS}",
            OBSERVE.trim().replace("{count}", &count.to_string())
        );
        let found = self
            .run
            .ask(
                &self.thinking(&[], &wanted),
                0,
                OBSERVATIONS,
                read_observations,
            )
            .await?;
        let mut found = found.unwrap_or_default();
        found.truncate(count as usize);
        Ok(found)
    }

    /// The plan that comes of `first` observations, if one does.
    async fn plan(&self, first: Vec<String>, index: u32) -> Option<String> {
        let wanted = format!(
            "{}\n\n{OBSERVATIONS}",
            DERIVE.trim().replace("{count}", &DERIVED.to_string())
        );
        let call = self.thinking(&first, &wanted).numbered(i64::from(index));
        let derived = self
            .run
            .judge(&call, 2 * index + 1, OBSERVATIONS, read_observations)
            .await;
        let all: Vec<String> = first
            .into_iter()
            .chain(derived.unwrap_or_default().into_iter().take(DERIVED))
            .collect();
        let call = self
            .thinking(&all, &format!("{}\n\n{PLAN}", MAKE_PLAN.trim()))
            .numbered(i64::from(index));
        let plan = self
            .run
            .complete_one(call, 2 * index + 2)
            .await
            .inspect_err(|error| self.run.degrade(error.reason()))
            .ok()?;
        let text = plan.message.text();
        let text = reasoning::strip(&text);
        (!plan.is_truncated() && !text.trim().is_empty()).then(|| text.trim().to_owned())
    }

    /// The client's conversation with `materials` in its instructions.
    fn carrying_out(
        &self,
        instructions: &str,
        materials: &[(String, &str)],
        purpose: Purpose,
    ) -> SubCall {
        if materials.is_empty() {
            return SubCall::answer(self.request, purpose);
        }
        let mut sections = vec![instructions.trim().to_owned(), self.case.rule()];
        sections.extend(
            materials
                .iter()
                .map(|(label, text)| self.case.fence(label, text)),
        );
        SubCall::answer(self.request, purpose).with_messages(view::with_instructions(
            self.request.messages(),
            &sections.join("\n\n"),
        ))
    }

    /// One answer from all plans, or from what there is without them.
    async fn answer(
        &self,
        plans: &[String],
        observations: &[String],
    ) -> Result<Output, StrategyError> {
        let listed = numbered(observations);
        let materials: Vec<(String, &str)> = match (plans, observations) {
            ([], []) => Vec::new(),
            ([], _) => vec![("observations".to_owned(), &listed)],
            (plans, _) => (1..)
                .zip(plans)
                .map(|(number, plan): (u32, &String)| (format!("plan {number}"), plan.as_str()))
                .collect(),
        };
        let instructions = if materials.len() > 1 {
            CARRY_OUT
        } else {
            CARRY_OUT_ONE
        };
        Ok(self
            .run
            .respond(self.carrying_out(instructions, &materials, Purpose::Synthesis))
            .await?
            .into())
    }

    /// Every plan carried out, and the best of the answers.
    async fn best_answer(&self, plans: &[String]) -> Result<Output, StrategyError> {
        let calls = (0_u32..).zip(plans).map(|(index, plan)| async move {
            let call = self.carrying_out(
                CARRY_OUT_ONE,
                &[("plan".to_owned(), plan)],
                Purpose::Candidate,
            );
            self.run.candidate(&call, index).await
        });
        let made = join_all(calls).await;
        let mut last_error = None;
        let mut candidates: Vec<Candidate> = Vec::new();
        for result in made {
            match result {
                Ok(candidate) => candidates.push(candidate),
                Err(error) => {
                    self.run.degrade(error.reason());
                    last_error = Some(error);
                }
            }
        }
        let Some(candidates) = NonEmpty::new(candidates) else {
            let nothing = StrategyError::Unreachable("there was no plan to carry out");
            return Err(last_error.unwrap_or(nothing));
        };
        let groups = distinct(&worthy(&candidates));
        let is_settled = groups.len().get() == 1
            || agree(
                groups.iter().map(|group| group.first),
                &voting::question(self.request),
            );
        let ratings = groups
            .iter()
            .filter(|_| !is_settled)
            .map(|group| rate(self.run, &self.case, &group.text, group.first.index));
        let ratings = join_all(ratings).await;
        let rated = groups
            .iter()
            .zip(&ratings)
            .filter_map(|(group, score)| Some((group, (*score)?)));
        let best = rated
            .clone()
            .rev()
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .map(|(group, _)| group.first);
        if ratings.iter().any(Option::is_none) {
            self.run.degrade("judge");
        }
        let winner = best.unwrap_or_else(|| most_agreed(self.request, &candidates));
        let score = |candidate: &Candidate| {
            rated
                .clone()
                .find(|(group, _)| group.text == candidate.shown())
                .map(|(_, score)| score)
        };
        self.run.record(
            candidates
                .iter()
                .map(|candidate| record(candidate, None, score(candidate), Some(winner))),
        );
        Ok(self.run.elect(winner).await?.into())
    }
}

fn numbered(observations: &[String]) -> String {
    let lines = (1..)
        .zip(observations)
        .map(|(number, text): (u32, &String)| format!("{number}. {text}"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Different texts, at least one.
fn read_observations(reply: &str) -> Option<Vec<String>> {
    let text = |value: &Value| {
        let inner = value
            .as_object()
            .and_then(|fields| fields.values().find_map(Value::as_str));
        Some(value.as_str().or(inner)?.trim().to_owned())
    };
    let mut found: Vec<String> = Vec::new();
    for observation in json_reply::array(reply, text)? {
        if !observation.is_empty() && !found.contains(&observation) {
            found.push(observation);
        }
    }
    (!found.is_empty()).then_some(found)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn observations_are_texts_that_differ() {
        let two = Some(vec!["a".to_owned(), "b".to_owned()]);
        for reply in [
            r#"["a", " b ", "a", ""]"#,
            r#"[{"observation": "a"}, {"observation": "b"}]"#,
        ] {
            assert_eq!(read_observations(reply), two, "{reply}");
        }
        for reply in ["1. a\n2. b", "[]", "[\"\"]", "[1, 2]"] {
            assert_eq!(read_observations(reply), None, "{reply}");
        }
    }
}
