//! Plans that fail or are cut off, and what is made of those that are not.

use hone_strategies::contract::candidates;
use hone_strategies::model::Purpose;
use serde_json::json;

use super::{Step, of, step};
use crate::support::{Fake, Seen, Trial, plays, rejected, reply};

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
