//! `cepo`: plans that fail, steps with parameters of their own, reasoning effort, and how the best
//! answer is found.

use std::sync::Arc;
use std::time::Duration;

use hone_strategies::chat::Message;
use hone_strategies::contract::{APPROACHES, BEST_CANDIDATE, PLAN, SCORE, SYNTHESIS, candidates};
use hone_strategies::model::Purpose;
use hone_strategies::simulation::TaskModel;
use hone_strategies::testing::SimulatedModel;
use hone_strategies::{
    ChatRequest, Expr, ModelError, Params, PlanLimits, RunLimits, RunOptions, StrategyError,
    execute, plan,
};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{Fake, Seen, Trial, plays, rejected, reply};

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

/// A coin for the call number `number` of run `run`.
fn unlucky(run: u32, number: u32, tenths: u32) -> bool {
    let mixed = (u64::from(run) << 32 | u64::from(number)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (mixed >> 33) % 10 < u64::from(tenths)
}

#[tokio::test(start_paused = true)]
async fn as_many_plans_are_tried_as_failures_make_necessary() {
    // Trials until 3 of them succeed, of which at most 6 are made: a negative binomial
    // distribution, truncated.
    let (runs, lucky): (u32, f64) = (400, 0.6);
    let ways = [1.0, 3.0, 6.0];
    let ending = |failures: usize| {
        ways[failures] * lucky.powi(3) * (1.0 - lucky).powi(i32::try_from(failures).unwrap())
    };
    let sure: f64 = (0..3).map(ending).sum();
    let expected = 3.0 * ending(0) + 4.0 * ending(1) + 5.0 * ending(2) + 6.0 * (1.0 - sure);
    let mut tried = 0;
    for run in 0..runs {
        let script = move |seen: &Seen| match step(seen) {
            Step::Execute if unlucky(run, seen.number, 4) => reply("It is 4", "length"),
            _ => plays(seen),
        };
        let trial = Trial::new(Fake::new(script)).with("cepo_bestofn_n", 1);
        assert!(trial.run("cepo").await.result.is_ok());
        tried += of(&trial, Step::Plan).len();
    }
    let mean = f64::from(u32::try_from(tried).unwrap()) / f64::from(runs);
    assert!(
        (mean - expected).abs() < 0.15,
        "{mean} plans on average, {expected} expected"
    );
}

#[tokio::test(start_paused = true)]
async fn the_solution_is_made_from_whole_executions_only() {
    let script = |seen: &Seen| match (step(seen), seen.call.index) {
        (Step::Execute, 1) => reply("cut off in the mid", "length"),
        (Step::Plan, 2) => Err(rejected(400, &json!({"message": "filtered"}))),
        _ => plays(seen),
    };
    let trial = Trial::new(Fake::new(script)).with("cepo_bestofn_n", 1);
    let finished = trial.run("cepo").await;
    assert_eq!(finished.outcome().degraded, [""; 0], "both were replaced");
    assert_eq!(
        (
            of(&trial, Step::Plan).len(),
            of(&trial, Step::Execute).len()
        ),
        (5, 4)
    );
    let refine = &of(&trial, Step::Refine)[0].text();
    assert_eq!(candidates(refine).len(), 3);
    assert!(!refine.contains("cut off"));
}

#[tokio::test(start_paused = true)]
async fn without_one_usable_plan_the_answer_is_given_directly() {
    let script = |seen: &Seen| match step(seen) {
        Step::Plan => reply("1. Think", "length"),
        _ => plays(seen),
    };
    let trial = Trial::new(Fake::new(script))
        .with("cepo_bestofn_n", 1)
        .with("cepo_planning_temperature_direct_resp", 0.7);
    let finished = trial.run("cepo").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().degraded.clone()
        ),
        ("Final text.", vec!["plans".to_owned()])
    );
    assert_eq!(
        (
            of(&trial, Step::Plan).len(),
            of(&trial, Step::Execute).len()
        ),
        (6, 0)
    );
    let answer = &of(&trial, Step::Answer)[0].request;
    assert_eq!(
        (answer.get("temperature"), answer.messages()),
        (Some(&json!(0.7)), trial.request().messages())
    );
}

#[tokio::test(start_paused = true)]
async fn a_pipeline_that_fails_does_not_take_the_others_along() {
    let script = |seen: &Seen| match seen.call.purpose {
        Purpose::Plan if seen.call.index < 6 => Err(rejected(400, &json!({"message": "filtered"}))),
        _ => plays(seen),
    };
    let trial = Trial::new(Fake::new(script));
    let finished = trial.run("cepo").await;
    assert_eq!(
        (
            finished.outcome().trace.candidates.len(),
            finished.outcome().degraded.clone()
        ),
        (2, vec!["failed_calls".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn every_step_has_its_own_temperature_and_ceiling() {
    let mut trial = Trial::new(Fake::new(plays))
        .with("cepo_bestofn_temperature", 0.9)
        .with("cepo_bestofn_max_tokens", 900);
    for (step, value) in [("step1", 1), ("step2", 2), ("step3", 3), ("step4", 4)] {
        let tenths = f64::from(value) / 10.0;
        trial = trial.with(&format!("cepo_planning_temperature_{step}"), tenths);
        trial = trial.with(&format!("cepo_planning_max_tokens_{step}"), value * 100);
    }
    assert!(trial.run("cepo").await.result.is_ok());
    let wanted = [
        (Step::Plan, 1),
        (Step::Execute, 2),
        (Step::Refine, 3),
        (Step::Answer, 4),
        (Step::Judge, 9),
    ];
    for (step, value) in wanted {
        let asked = of(&trial, step);
        assert!(!asked.is_empty());
        for seen in asked {
            let asked = (
                seen.request.get("temperature").unwrap().as_f64(),
                seen.request.get("max_completion_tokens").cloned(),
            );
            assert_eq!(
                asked,
                (Some(f64::from(value) / 10.0), Some(json!(value * 100))),
                "{step:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_clients_own_limit_holds_for_the_answer_and_only_for_it() {
    let trial = Trial::new(Fake::new(plays))
        .with("max_tokens", 50)
        .with("temperature", 1.3);
    assert!(trial.run("cepo").await.result.is_ok());
    let limits = |step| {
        of(&trial, step)
            .iter()
            .map(|seen| seen.request.get("max_tokens").cloned())
            .collect::<Vec<_>>()
    };
    assert!(
        limits(Step::Answer)
            .iter()
            .all(|limit| *limit == Some(json!(50)))
    );
    assert!(
        limits(Step::Plan)
            .iter()
            .all(|limit| *limit == Some(json!(4096)))
    );
    assert!(
        trial
            .model
            .requests()
            .iter()
            .all(|seen| seen.request.get("max_completion_tokens").is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn reasoning_effort_is_sent_only_if_configured_and_supported() {
    let efforts = |trial: &Trial| {
        trial
            .model
            .requests()
            .iter()
            .map(|seen| seen.request.get("reasoning_effort").cloned())
            .collect::<Vec<_>>()
    };
    let trial = Trial::new(Fake::new(plays));
    assert!(trial.run("cepo").await.result.is_ok());
    assert!(
        efforts(&trial).iter().all(Option::is_none),
        "not configured"
    );
    let trial = Trial::new(Fake::new(plays)).with("cepo_reasoning_effort", "high");
    assert!(trial.run("cepo").await.result.is_ok());
    assert!(
        efforts(&trial)
            .iter()
            .all(|effort| *effort == Some(json!("high"))),
        "configured"
    );

    let refuses = |seen: &Seen| match seen.request.get("reasoning_effort") {
        Some(_) => Err(rejected(
            400,
            &json!({"message": "unknown field", "param": "reasoning_effort"}),
        )),
        None => plays(seen),
    };
    for fallback in [false, true] {
        let trial = Trial::new(Fake::new(refuses))
            .with("cepo_reasoning_effort", "high")
            .with("cepo_use_reasoning_fallback", fallback);
        let finished = trial.run("cepo").await;
        assert_eq!(
            (
                finished.outcome().degraded.len(),
                finished.outcome().choices.len()
            ),
            (0, 1),
            "supported by no one"
        );
        assert_eq!(
            trial.model.calls(),
            9 + 27,
            "only the first wave asks in vain"
        );
    }
    let cut_off = move |seen: &Seen| match step(seen) {
        Step::Refine if seen.request.get("reasoning_effort").is_none() => reply("", "length"),
        _ => refuses(seen),
    };
    let trial = Trial::new(Fake::new(cut_off))
        .with("cepo_bestofn_n", 1)
        .with("cepo_use_reasoning_fallback", true);
    let trial = trial.with("cepo_reasoning_effort", "high");
    assert!(trial.run("cepo").await.result.is_ok());
    assert_eq!(
        of(&trial, Step::Refine).len(),
        1,
        "less of what is refused changes nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_thinks_itself_out_of_room_is_asked_for_with_less_effort() {
    let script = |seen: &Seen| match (
        step(seen),
        seen.request.get("reasoning_effort").and_then(Value::as_str),
    ) {
        (Step::Refine, Some("high")) => reply("", "length"),
        (Step::Refine, Some("medium")) => Err(rejected(400, &json!({"message": "too long"}))),
        _ => plays(seen),
    };
    let trial = Trial::new(Fake::new(script))
        .with("cepo_bestofn_n", 1)
        .with("cepo_reasoning_effort", "high");
    let finished = trial.with("cepo_use_reasoning_fallback", true);
    let outcome = finished.run("cepo").await;
    assert_eq!(
        (outcome.outcome().degraded.len(), outcome.outcome().calls),
        (0, 8 + 2)
    );
    let asked: Vec<Value> = of(&finished, Step::Refine)
        .iter()
        .filter_map(|seen| seen.request.get("reasoning_effort").cloned())
        .collect();
    assert_eq!(asked, ["high", "medium", "low"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_is_made_again_as_often_as_configured() {
    for (retries, survives) in [(0, false), (1, false), (2, true)] {
        let script = |seen: &Seen| match seen.number {
            0 | 1 => Err(rejected(400, &json!({"message": "try again"}))),
            _ => plays(seen),
        };
        let trial = Trial::new(Fake::new(script))
            .with("cepo_bestofn_n", 1)
            .with("cepo_planning_n", 1)
            .with("cepo_planning_m", 1);
        let result = trial
            .with("cepo_num_of_retries", retries)
            .run("cepo")
            .await
            .result;
        assert_eq!(result.is_ok(), survives, "{retries}");
        if let Err(error) = result {
            assert!(matches!(
                error,
                StrategyError::Model(ModelError::Rejected(_))
            ));
        }
    }
}

fn prefers_42(seen: &Seen, shown: &[String]) -> String {
    let best = shown.iter().position(|text| text.contains("42"));
    if seen.text().contains(SCORE) {
        return format!("Score: {}", if best.is_some() { 9 } else { 2 });
    }
    format!("Best candidate: {}", best.unwrap_or(0) + 1)
}

#[tokio::test(start_paused = true)]
async fn each_answer_is_rated_once_and_the_best_wins_wherever_it_stands() {
    for right in 0..3 {
        let mut answers = ["It is 41.", "It is 43.", "It is 44."];
        answers[right] = "It is 42.";
        let answers: &'static [&'static str] = Box::leak(Box::new(answers));
        for (rating, verdicts) in [("absolute", 3), ("pairwise", 6)] {
            let trial =
                Trial::new(answering(answers, prefers_42)).with("cepo_bestofn_rating_type", rating);
            let finished = trial.run("cepo").await;
            assert_eq!(
                (finished.text().as_str(), of(&trial, Step::Judge).len()),
                ("It is 42.", verdicts),
                "{rating}"
            );
            assert_eq!(finished.outcome().degraded.len(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_model_may_rate_and_only_rate() {
    for name in [json!("critic"), json!(["critic"])] {
        let trial = Trial::new(Fake::new(plays)).with("cepo_rating_model", name);
        assert_eq!(trial.plan("cepo").unwrap().models(), ["critic"]);
        assert!(trial.run("cepo").await.result.is_ok());
        for seen in trial.model.requests() {
            assert_eq!(
                seen.request.model(),
                if step(&seen) == Step::Judge {
                    "critic"
                } else {
                    "m"
                }
            );
        }
        let voting = trial.with("cepo_bestofn_rating_type", "majority");
        assert!(
            voting.plan("cepo").unwrap().models().is_empty(),
            "a vote asks nobody"
        );
    }
    for wrong in [json!(1), json!(""), json!(["a", "b"]), json!({"a": 1})] {
        let error = Trial::new(Fake::new(plays))
            .with("cepo_rating_model", wrong)
            .plan("cepo")
            .unwrap_err();
        assert_eq!(
            error.message,
            "`cepo_rating_model` must be the name of a model."
        );
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_agree_are_not_rated() {
    for rating in ["absolute", "pairwise", "majority"] {
        let model = answering(
            &[
                "The answer is 42.",
                "Six sevens.\n\\boxed{42}",
                "Answer: 42.0",
            ],
            |_, _| "Score: 1".to_owned(),
        );
        let trial = Trial::new(model).with("cepo_bestofn_rating_type", rating);
        let finished = trial.run("cepo").await;
        assert_eq!(
            (of(&trial, Step::Judge).len(), finished.text().as_str()),
            (0, "The answer is 42."),
            "{rating}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_judge_that_likes_the_first_place_or_says_nothing_decides_nothing() {
    let answers = &["The answer is 41.", "Answer: 42", "The answer is 42."];
    let likes_first = answering(answers, |_, _| "Best candidate: 1".to_owned());
    let finished = Trial::new(likes_first)
        .with("cepo_bestofn_rating_type", "pairwise")
        .run("cepo")
        .await;
    assert_eq!(
        finished.text(),
        "Answer: 42",
        "as many preferences for each, so the common answer wins"
    );
    for rating in ["absolute", "pairwise"] {
        for nothing in [
            "I would rather not say.",
            "Best candidate: 3",
            "Score: 0 to 10",
        ] {
            let mute = Trial::new(answering(answers, move |_, _| nothing.to_owned()));
            let finished = mute
                .with("cepo_bestofn_rating_type", rating)
                .run("cepo")
                .await;
            assert_eq!(
                (
                    finished.text().as_str(),
                    finished.outcome().degraded.clone()
                ),
                ("Answer: 42", vec!["judge".to_owned()]),
                "{nothing}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ratings_begin_when_two_answers_differ_and_not_when_the_last_is_there() {
    let model = answering(&["It is 41.", "It is 42.", "It is 43."], |_, _| {
        "Score: 5".to_owned()
    });
    let model = model.with_latency(|seen| {
        Duration::from_secs(if step(seen) == Step::Answer && seen.call.index == 2 {
            10
        } else {
            1
        })
    });
    let trial = Trial::new(model);
    let finished = trial.run("cepo").await;
    let judged: Vec<u64> = finished
        .outcome()
        .trace
        .calls
        .iter()
        .filter(|call| call.purpose == Purpose::Judge)
        .map(|call| call.started.as_secs())
        .collect();
    assert_eq!((judged, finished.elapsed.as_secs()), (vec![4, 4, 13], 14));
}

#[tokio::test(start_paused = true)]
async fn a_decided_vote_cancels_the_pipelines_that_cannot_change_it() {
    let model = answering(&["Answer: 42", "The answer is 42.", "Answer: 7"], |_, _| {
        String::new()
    });
    let model = model.with_latency(|seen| {
        Duration::from_secs(if step(seen) == Step::Answer && seen.call.index == 2 {
            10
        } else {
            1
        })
    });
    let trial = Trial::new(model).with("cepo_bestofn_rating_type", "majority");
    let finished = trial.run("cepo").await;
    assert_eq!(
        (finished.text().as_str(), finished.elapsed.as_secs()),
        ("Answer: 42", 4)
    );
    assert_eq!(trial.model.open_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn pipelines_get_an_approach_each_and_share_them_where_there_are_fewer() {
    for (approaches, degraded, expected) in [
        (
            r#"["by hand", "by \\frac{1}{2} json"]"#,
            0,
            [true, false, true],
        ),
        ("I cannot think of any.", 1, [false; 3]),
    ] {
        let script = move |seen: &Seen| {
            if step(seen) == Step::Approaches {
                reply(approaches, "stop")
            } else {
                plays(seen)
            }
        };
        let trial = Trial::new(Fake::new(script))
            .with("cepo_use_plan_diversity", true)
            .with("cepo_print_output", true);
        let finished = trial.run("cepo").await;
        assert_eq!(finished.outcome().degraded.len(), degraded);
        assert_eq!(of(&trial, Step::Approaches).len(), 1 + degraded);
        for seen in of(&trial, Step::Plan) {
            assert_eq!(
                seen.text().contains("by hand"),
                expected[seen.call.index as usize / 6]
            );
            assert_eq!(
                seen.text().contains("\\frac{1}{2} json"),
                degraded == 0 && !expected[seen.call.index as usize / 6]
            );
        }
        let notes: Vec<&str> = finished
            .outcome()
            .trace
            .notes
            .iter()
            .map(|note| note.name)
            .collect();
        assert_eq!(
            notes.iter().filter(|name| **name == "plan").count(),
            9,
            "{notes:?}"
        );
    }
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
        sink: None,
    };
    let outcome = execute(&plan, request, options).await.unwrap();
    assert_eq!(
        (outcome.usage.completion, outcome.calls as usize),
        (model.ledger().tokens(), model.ledger().calls().len())
    );
    assert_eq!(outcome.degraded, [""; 0]);
}
