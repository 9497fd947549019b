//! `cepo`: plans that fail, steps with parameters of their own, reasoning effort, and how the best
//! answer is found.

mod drafts;
mod parameters;
mod ratings;

use std::sync::Arc;
use std::time::Duration;

use hone_strategies::chat::Message;
use hone_strategies::contract::{APPROACHES, BEST_CANDIDATE, PLAN, SCORE, SYNTHESIS, candidates};
use hone_strategies::model::Purpose;
use hone_strategies::simulation::TaskModel;
use hone_strategies::testing::SimulatedModel;
use hone_strategies::{
    ChatRequest, Expr, Fences, Params, PlanLimits, RunLimits, RunOptions, execute, plan,
};
use tokio::time::Instant;

use crate::support::{Fake, Seen, Trial, plays, reply};

/// Which step of a pipeline a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Approaches,
    Plan,
    Execute,
    Refine,
    Answer,
    Judge,
}

fn step(seen: &Seen) -> Step {
    match seen.call.purpose {
        Purpose::Plan if seen.text().contains(APPROACHES) => Step::Approaches,
        Purpose::Plan if seen.text().contains(PLAN) => Step::Plan,
        Purpose::Plan => Step::Execute,
        Purpose::Synthesis => Step::Refine,
        Purpose::Judge => Step::Judge,
        _ => Step::Answer,
    }
}

/// Plays every part, but the answer of pipeline i is number i of `answers`, and judges reply what
/// `judge` makes of what they are shown.
fn answering(
    answers: &'static [&'static str],
    judge: impl Fn(&Seen, &[String]) -> String + Send + Sync + 'static,
) -> Fake {
    Fake::new(move |seen| match step(seen) {
        Step::Answer => reply(answers[seen.call.index as usize % answers.len()], "stop"),
        Step::Judge => {
            let shown: Vec<String> = candidates(&seen.text())
                .into_iter()
                .map(|(_, text)| text.to_owned())
                .collect();
            reply(&judge(seen, &shown), "stop")
        }
        _ => plays(seen),
    })
}

fn of(trial: &Trial, wanted: Step) -> Vec<Seen> {
    trial
        .model
        .requests()
        .into_iter()
        .filter(|seen| step(seen) == wanted)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn a_small_budget_gives_fewer_pipelines_then_fewer_plans_then_a_plain_answer() {
    for (calls, plans, answers) in [(17, 6, 2), (9, 3, 1), (6, 2, 1), (4, 1, 1), (3, 0, 1)] {
        let trial = Trial {
            calls,
            ..Trial::new(Fake::new(plays))
        };
        let finished = trial.run("cepo").await;
        assert!(finished.outcome().degraded.contains(&"budget".to_owned()));
        assert_eq!(
            (of(&trial, Step::Plan).len(), of(&trial, Step::Answer).len()),
            (plans, answers),
            "{calls} calls"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_a_solution_or_an_execution_is_the_answer() {
    for (seconds, text) in [(4, "Final text"), (3, "Plan number")] {
        let deadline = Duration::from_millis(1000 * seconds - 500);
        let finished = Trial {
            deadline,
            ..Trial::new(Fake::new(plays))
        }
        .run("cepo")
        .await;
        assert!(finished.text().starts_with(text), "{}", finished.text());
        assert!(finished.outcome().degraded.contains(&"deadline".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn prompts_hold_the_lines_by_which_a_simulation_knows_them() {
    for rating in ["absolute", "pairwise"] {
        let trial = Trial::new(Fake::new(plays)).with("cepo_bestofn_rating_type", rating);
        assert!(trial.run("cepo").await.result.is_ok());
        let line = if rating == "absolute" {
            SCORE
        } else {
            BEST_CANDIDATE
        };
        for (step, line) in [
            (Step::Plan, PLAN),
            (Step::Refine, SYNTHESIS),
            (Step::Answer, SYNTHESIS),
            (Step::Judge, line),
        ] {
            let asked = of(&trial, step);
            assert!(
                !asked.is_empty() && asked.iter().all(|seen| seen.text().contains(line)),
                "{step:?}"
            );
        }
        assert!(
            of(&trial, Step::Execute)
                .iter()
                .all(|seen| !seen.text().contains(PLAN))
        );
        assert!(
            trial
                .model
                .requests()
                .iter()
                .all(|seen| !seen.text().contains("/think"))
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_seed_of_the_clients_makes_plans_reproducible_and_different() {
    let trial = Trial::new(Fake::new(plays)).with("seed", 7);
    assert!(trial.run("cepo").await.result.is_ok());
    let mut seeds: Vec<i64> = of(&trial, Step::Plan)
        .iter()
        .filter_map(|seen| seen.request.get("seed")?.as_i64())
        .collect();
    seeds.dedup();
    assert_eq!(seeds.len(), 9);
}

#[tokio::test(start_paused = true)]
async fn usage_equals_what_the_model_generated() {
    let model = Arc::new(SimulatedModel::new(TaskModel::default()));
    let params: Params = [("cepo_use_plan_diversity".to_owned(), true.into())]
        .into_iter()
        .collect();
    let plan = plan(
        &Expr::parse("cepo").unwrap(),
        &params,
        &PlanLimits::default(),
    )
    .unwrap();
    let request = ChatRequest::new("sim", [Message::user(model.task().question(1).text)]);
    let limits = RunLimits {
        calls: 256,
        tokens: 10_000_000,
        deadline: Instant::now() + Duration::from_secs(60),
        parallel: 64,
    };
    let options = RunOptions {
        model: Arc::clone(&model) as _,
        solver: None,
        limits,
        seed: 1,
        fences: Fences::Repeatable,
        sink: None,
        halt: hone_strategies::Halt::default(),
        quality: None,
    };
    let outcome = execute(&plan, request, options).await.unwrap();
    assert_eq!(
        (outcome.usage.completion, outcome.calls as usize),
        (model.ledger().tokens(), model.ledger().calls().len())
    );
    assert_eq!(outcome.degraded, [""; 0]);
}
