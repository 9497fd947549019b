//! `cepo`: several pipelines that plan, carry out, reconcile and answer; the best of their answers
//! is returned.
//!
//! Source: Cerebras, *CePO: Empowering Llama with Reasoning using Test-Time Compute* (2024, a blog
//! post; there is no paper). Names and defaults of the parameters are those of its implementation
//! in OptiLLM.
//!
//! 1. Each of `cepo_bestofn_n` pipelines asks for `cepo_planning_n` plans and has each carried out,
//!    all side by side. A plan that is refused, cut off or empty is replaced at once, until
//!    `cepo_planning_m` have been tried.
//! 2. One call compares the executions, settles their contradictions and writes one solution.
//! 3. One call answers the conversation with that solution, in the form that is asked for, with the
//!    client's tools and `response_format`.
//! 4. The best answer is returned: by one rating each (`absolute`), by comparing each two in both
//!    orders (`pairwise`, Copeland's rule), or by a vote (`majority`), which stops as soon as it is
//!    decided. Answers that agree are not rated.
//!
//! `cepo_use_plan_diversity` first asks for as many different approaches as there are pipelines;
//! where fewer come they are used in turn. Departures from OptiLLM: every step has its own
//! temperature and ceiling; a rating is asked for once and starts when answers are known to differ;
//! an unreadable one counts for nobody; the vote compares answers, not characters;
//! `reasoning_effort` is sent only if `cepo_reasoning_effort` or the client asks for it, and not
//! where the upstream refuses it; approaches, plans and solutions can be seen in the trace
//! (`cepo_print_output`) instead of on standard output. The client's temperature is not used, as
//! every step has its own. Its limit on tokens holds for the answer.
//!
//! Failing: a pipeline without a usable plan answers directly (`plans`); without a last call its
//! solution, or else an execution, is the answer. A budget that is too small gives fewer pipelines,
//! then fewer plans, then one direct answer (`budget`). Without readable ratings the vote decides
//! (`judge`).
//!
//! Calls n·(2·plans + 2) + n, depth 5; `majority` n fewer, depth 4; `pairwise` n·(n − 1)
//! comparisons. One pipeline streams its last call; otherwise the winner is replayed.

mod pipeline;
mod rating;
mod settings;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use serde_json::Value;

use self::pipeline::{Bench, Pipeline, Prepared};
use self::rating::{Contest, Issue, Judgement};
use self::settings::{PARAMS, Rating, Settings};
use crate::chat::{ChatRequest, view};
use crate::demand::{Demand, OUTPUT_ESTIMATE, Tokens};
use crate::error::{SpecError, StrategyError};
use crate::kit::case::Case;
use crate::kit::choosing::voting;
use crate::model::Purpose;
use crate::params::Params;
use crate::reasoning;
use crate::run::{Candidate, Run};
use crate::strategy::{DynStrategy, Entry, Makes, Output, Strategy, Support};

const DIVERSE: &str = include_str!("planning_and_optimization/approaches.txt");

pub(crate) const ENTRY: Entry = Entry {
    slug: "cepo",
    name: "planning and optimization (CePO)",
    summary: "pipelines that plan, carry out several plans, reconcile them and answer; the best \
        answer is returned",
    paper: "Cerebras, CePO: Empowering Llama with Reasoning using Test-Time Compute (blog post)",
    params: &[PARAMS],
    cost: "cepo_bestofn_n × (2 × cepo_planning_n + 3) calls (cepo_planning_m for cepo_planning_n \
        if plans fail), depth 5; majority: \
           cepo_bestofn_n calls fewer, depth 4; plan diversity: 1 call and 1 depth more",
    makes: Makes::Answer,
    tools: Support::Honours,
    audio: Support::Loses,
    build: |params| Ok(DynStrategy::new(PlanningAndOptimization::new(params)?)),
};

struct PlanningAndOptimization {
    settings: Settings,
}

/// Something that was going on beside the rest, and is done.
enum Done {
    Answered(Box<Result<Candidate, StrategyError>>),
    Judged(Judgement),
}

impl PlanningAndOptimization {
    fn new(params: &Params) -> Result<Self, SpecError> {
        Ok(Self {
            settings: Settings::read(params)?,
        })
    }

    fn pipeline_demand(&self, request: &ChatRequest) -> Demand {
        let Settings {
            plans,
            attempts,
            plan,
            execute,
            refine,
            answer,
            ..
        } = self.settings;
        let Tokens { input, output } = Tokens::of(request);
        let inside = |max_tokens: u64| OUTPUT_ESTIMATE.min(max_tokens);
        if plan.is_skipped() {
            return Demand::answer(request);
        }
        let planned = Tokens {
            input,
            output: inside(plan.max_tokens),
        };
        let executed = Tokens {
            input: input.saturating_add(planned.output),
            output: inside(execute.max_tokens),
        };
        let refined = Tokens {
            input: input.saturating_add(executed.output * u64::from(plans)),
            output: inside(refine.max_tokens),
        };
        let mut whole = Demand::step(plans, planned)
            .then(Demand::step(plans, executed))
            .then(Demand::step(1, refined));
        if !answer.is_skipped() {
            whole = whole.then(Demand::step(
                1,
                Tokens {
                    input: input.saturating_add(refined.output),
                    output,
                },
            ));
        }
        Demand {
            max_calls: self.settings.calls(attempts),
            ..whole
        }
    }

    fn rating_demand(&self, request: &ChatRequest) -> Demand {
        let n = self.settings.pipelines;
        match self.settings.rating {
            _ if n == 1 => Demand::default(),
            Rating::Absolute => Demand::verdicts(n, Tokens::of_reading(request, 1)),
            Rating::Majority => Demand::default(),
            Rating::Pairwise => Demand::verdicts(n * (n - 1), Tokens::of_reading(request, 2)),
        }
    }

    /// Different approaches, one for each pipeline; none where they are not wanted or cannot be
    /// read.
    async fn approaches(
        &self,
        bench: Bench<'_>,
        pipelines: u32,
    ) -> Result<Vec<String>, StrategyError> {
        if !self.settings.is_diverse || self.settings.plan.is_skipped() {
            return Ok(Vec::new());
        }
        let text = DIVERSE.trim().replace("{count}", &pipelines.to_string());
        let call = bench.inside(
            Purpose::Plan,
            self.settings.plan,
            view::with_instructions(bench.asked(), &text),
        );
        // A reply that cannot be read is asked for once more.
        for _ in 0..2 {
            let reply = bench.ask(&call, 0).await?;
            if let Some(approaches) = parse_approaches(&reply.choice.message.text()) {
                if self.settings.is_shown {
                    bench.run.note("approaches", approaches.clone());
                }
                return Ok(approaches);
            }
        }
        bench.run.degrade("approaches");
        Ok(Vec::new())
    }

    /// The only pipeline: its last call is the answer.
    async fn alone(&self, pipeline: Pipeline<'_>) -> Result<Output, StrategyError> {
        let Bench { run, .. } = pipeline.bench;
        let Prepared { call, spare } = pipeline.prepare().await?;
        match (run.respond(pipeline.bench.begun(call)).await, spare) {
            (Ok(answer), _) => Ok(answer.into()),
            (Err(error), Some(spare)) if !error.is_final() => {
                run.degrade(error.reason());
                Ok(run.elect(&spare).await?.into())
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn best(
        &self,
        bench: Bench<'_>,
        pipelines: &[Pipeline<'_>],
    ) -> Result<Output, StrategyError> {
        let mut contest = Contest::new(self.settings.rating, voting::question(bench.request));
        let mut under_way: FuturesUnordered<BoxFuture<'_, Done>> = FuturesUnordered::new();
        for pipeline in pipelines {
            under_way.push(async move { Done::Answered(Box::new(pipeline.run().await)) }.boxed());
        }
        let mut last_error = None;
        while let Some(done) = under_way.next().await {
            match done {
                Done::Answered(answer) => match *answer {
                    Ok(candidate) => {
                        let due = contest.add(candidate);
                        under_way.extend(
                            due.into_iter()
                                .map(|issue| judged(bench, issue, contest.shown(issue))),
                        );
                    }
                    Err(error) => last_error = Some(error),
                },
                Done::Judged(verdict) => contest.heard(verdict),
            }
            if self.settings.stopping.is_possible() && contest.is_decided(under_way.len()) {
                break;
            }
        }
        drop(under_way);
        Self::elect(bench, contest, last_error).await
    }

    async fn elect(
        bench: Bench<'_>,
        mut contest: Contest,
        last_error: Option<StrategyError>,
    ) -> Result<Output, StrategyError> {
        let winner = match (contest.winner(), last_error) {
            (None, error) => {
                let nothing = StrategyError::Unreachable("no pipeline came to its end");
                return Err(error.unwrap_or(nothing));
            }
            (Some(_), Some(StrategyError::Gone)) => return Err(StrategyError::Gone),
            (Some(winner), error) => {
                if let Some(error) = error {
                    bench.run.degrade(error.reason());
                }
                winner
            }
        };
        if contest.lacks_verdicts() {
            bench.run.degrade("judge");
        }
        contest.record(bench, &winner);
        Ok(bench.run.elect(&winner).await?.into())
    }
}

impl Strategy for PlanningAndOptimization {
    fn demand(&self, request: &ChatRequest) -> Demand {
        let settings = &self.settings;
        let mut whole = self.pipeline_demand(request).times(settings.pipelines);
        if settings.is_diverse && !settings.plan.is_skipped() {
            let Tokens { input, .. } = Tokens::of(request);
            let approaches = Demand::verdicts(
                1,
                Tokens {
                    input,
                    output: OUTPUT_ESTIMATE.min(settings.plan.max_tokens),
                },
            );
            whole = approaches.then(whole);
        }
        // Every call may be made again with less reasoning.
        let attempts = u32::try_from(settings.efforts(request).len()).unwrap_or(u32::MAX);
        whole.max_calls = whole.max_calls.saturating_mul(attempts);
        whole.then(self.rating_demand(request))
    }

    fn models(&self) -> &[String] {
        &self.settings.rating_model
    }

    async fn execute(&self, run: &Run, request: &ChatRequest) -> Result<Output, StrategyError> {
        let settings = &self.settings;
        let case = Case::new(run, request);
        let bench = Bench {
            settings,
            run,
            request,
            case: &case,
            plans: settings.plans,
        };
        let extra = u32::from(settings.is_diverse && !settings.plan.is_skipped());
        let Some((pipelines, plans)) = settings.fit(run.calls_left().saturating_sub(extra)) else {
            run.degrade("budget");
            return Ok(run.respond(bench.begun(bench.direct())).await?.into());
        };
        if (pipelines, plans) != (settings.pipelines, settings.plans) {
            run.degrade("budget");
        }
        let bench = Bench { plans, ..bench };
        let approaches = self.approaches(bench, pipelines).await?;
        let approach = |number: u32| {
            approaches
                .get(number as usize % approaches.len().max(1))
                .map(String::as_str)
        };
        let mut pipelines: Vec<Pipeline<'_>> = (0..pipelines)
            .map(|number| Pipeline {
                bench,
                number,
                approach: approach(number),
            })
            .collect();
        match pipelines.pop() {
            Some(only) if pipelines.is_empty() => self.alone(only).await,
            last => {
                pipelines.extend(last);
                self.best(bench, &pipelines).await
            }
        }
    }
}

fn judged(bench: Bench<'_>, issue: Issue, shown: Vec<String>) -> BoxFuture<'_, Done> {
    async move { Done::Judged(Contest::judge(bench, issue, shown).await) }.boxed()
}

/// The texts of the JSON array, or of the JSON object, that a reply holds.
fn parse_approaches(reply: &str) -> Option<Vec<String>> {
    let reply = reasoning::strip(reply);
    let between = |open: char, close: char| reply.get(reply.find(open)?..=reply.rfind(close)?);
    let values = match (
        between('[', ']').and_then(json),
        between('{', '}').and_then(json),
    ) {
        (Some(Value::Array(values)), _) => values,
        (_, Some(Value::Object(fields))) => fields.into_iter().map(|(_, value)| value).collect(),
        _ => return None,
    };
    let texts = values
        .iter()
        .filter_map(Value::as_str)
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let texts: Vec<String> = texts.map(str::to_owned).collect();
    (!texts.is_empty()).then_some(texts)
}

/// Text that only looks like JSON holds no approaches; the caller says so.
fn json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn approaches_are_read_from_what_models_write() {
        let both = Some(vec![
            "by induction".to_owned(),
            "by \\(n\\) cases".to_owned(),
        ]);
        for reply in [
            r#"["by induction", "by \\(n\\) cases"]"#,
            "Here:\n```json\n[\"by induction\", \"by \\\\(n\\\\) cases\"]\n```",
            concat!(
                r#"<think>["no"]</think>{"approach_1": "by induction", "#,
                r#""approach_2": " by \\(n\\) cases "}"#,
            ),
        ] {
            assert_eq!(parse_approaches(reply), both, "{reply}");
        }
        for reply in ["", "by induction", "[1, 2]", "[\"\"]", "]["] {
            assert_eq!(parse_approaches(reply), None, "{reply}");
        }
    }

    proptest! {
        #[test]
        fn no_reply_makes_reading_panic(reply in "([\\[\\]{}\":,a-zé]|<think>|</think>){0,30}") {
            prop_assert!(parse_approaches(&reply).is_none_or(|texts| !texts.is_empty()));
        }
    }
}
