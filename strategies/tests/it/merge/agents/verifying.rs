//! What is verified, how often, and what is improved.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hone_strategies::contract::candidates;
use serde_json::json;

use super::{Step, alone, knows_42, of, shown, step, trial};
use crate::support::{Fake, Seen, Trial, plays, rejected, reply};

#[tokio::test(start_paused = true)]
async fn a_recombined_solution_can_be_verified_and_is_the_answer() {
    let script = |seen: &Seen| match step(seen) {
        Step::Verify => knows_42(seen),
        Step::Make if seen.call.index == 5 => reply("The answer is 42.", "stop"),
        _ => plays(seen),
    };
    let trial = trial(
        script,
        json!({"aggregation_loops": 1, "answer_extraction_mode": "none"}),
    );
    let finished = trial.run("mars").await;
    assert_eq!(
        (finished.text().as_str(), of(&trial, Step::Improve).len()),
        ("The answer is 42.", 0)
    );
}

#[tokio::test(start_paused = true)]
async fn what_is_faulty_is_improved_by_its_report_and_what_is_verified_is_left_alone() {
    let script = |seen: &Seen| match (step(seen), seen.call.index) {
        (Step::Explore, 0) => reply("It is 42, surely.", "stop"),
        (Step::Verify, _) => knows_42(seen),
        (Step::Improve, _) => reply(&format!("Better now, after {} calls.", seen.number), "stop"),
        _ => plays(seen),
    };
    let trial = trial(
        script,
        alone(&json!({"max_iterations": 3, "min_verified_solutions": 3,
                "answer_extraction_mode": "none"})),
    );
    let finished = trial.run("mars").await;
    assert_eq!(finished.text(), "It is 42, surely.");
    let verified = of(&trial, Step::Verify);
    assert_eq!(
        verified
            .iter()
            .filter(|seen| shown(seen).contains("42"))
            .count(),
        2,
        "never verified again"
    );
    let improved = of(&trial, Step::Improve);
    assert_eq!(
        improved.len(),
        3 * 2,
        "two faulty ones in each of three rounds"
    );
    assert!(
        improved
            .iter()
            .all(|seen| seen.text().contains("The sum is off.") && !shown(seen).contains("42"))
    );
    assert!(
        improved[2..]
            .iter()
            .all(|seen| shown(seen).starts_with("Better now")),
        "the latest version is improved further"
    );
    assert_eq!(finished.elapsed.as_secs(), 2 + 3 * 2);
}

#[tokio::test(start_paused = true)]
async fn one_verdict_against_ends_a_verification() {
    let script = |seen: &Seen| {
        if step(seen) == Step::Verify {
            knows_42(seen)
        } else {
            plays(seen)
        }
    };
    let config =
        alone(&json!({"num_agents": 1, "max_iterations": 0, "verification_passes_required": 3}));
    let model = Fake::new(script)
        .with_latency(|seen| Duration::from_secs(1 + 9 * u64::from(seen.call.index)));
    let trial = Trial::new(model).with("mars_config", config);
    let finished = trial.run("mars").await;
    assert_eq!(
        (
            finished.elapsed.as_secs(),
            trial.model.cancelled.load(Ordering::SeqCst)
        ),
        (1 + 1 + 1, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_verdict_is_asked_for_again_and_never_made_up() {
    for (attempts, calls, degraded) in [(2, 2, 1), (3, 3, 0), (5, 3, 0)] {
        let script = |seen: &Seen| match (step(seen), seen.call.index) {
            (Step::Verify, 0) => reply("It is partially correct.", "stop"),
            (Step::Verify, 2) => reply("VERDICT: CORRECT", "stop"),
            _ => plays(seen),
        };
        let config = alone(&json!({"num_agents": 1, "max_verification_attempts": attempts}));
        let trial = trial(script, config);
        let finished = trial.run("mars").await;
        assert_eq!(
            (
                of(&trial, Step::Verify).len(),
                finished.outcome().degraded.len()
            ),
            (calls, degraded),
            "{attempts}"
        );
    }
    let cut_off = |seen: &Seen| {
        if step(seen) == Step::Verify {
            reply("VERDICT: CORRECT", "length")
        } else {
            plays(seen)
        }
    };
    let trial = trial(cut_off, alone(&json!({"num_agents": 1})));
    assert_eq!(trial.run("mars").await.outcome().degraded, ["judge"]);
}

#[tokio::test(start_paused = true)]
async fn a_consensus_behind_a_verified_solution_cancels_the_rest() {
    // Members that all agree are not recombined again, unless nothing may end early.
    for (early, calls, seconds) in [(true, 33, 4), (false, 45, 13)] {
        let script = |seen: &Seen| match step(seen) {
            Step::Make => reply(
                &format!("After {} calls: the answer is 42.", seen.number),
                "stop",
            ),
            _ => plays(seen),
        };
        let slow = |seen: &Seen| {
            Duration::from_secs(if step(seen) == Step::Verify && seen.call.index > 12 {
                9
            } else {
                1
            })
        };
        let model = Fake::new(script).with_latency(slow);
        let config = json!({"early_termination": early, "answer_extraction_mode": "none"});
        let trial = Trial::new(model).with("mars_config", config);
        let finished = trial.run("mars").await;
        assert_eq!(
            (finished.outcome().calls, finished.elapsed.as_secs()),
            (calls, seconds),
            "{early}"
        );
        assert!(finished.text().ends_with("42."));
        assert_eq!(trial.model.open_calls(), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn agents_that_agree_are_verified_at_once_and_each_wording_once() {
    let script = |seen: &Seen| match (step(seen), seen.call.index) {
        (Step::Explore, 0) => reply("So \\boxed{42}.", "stop"),
        (Step::Explore, _) => reply("The answer is 42.", "stop"),
        _ => plays(seen),
    };
    let trial = trial(script, json!({"min_verified_solutions": 3}));
    let finished = trial.run("mars").await;
    assert_eq!(
        (
            of(&trial, Step::Make).len(),
            of(&trial, Step::Describe).len()
        ),
        (0, 0)
    );
    assert_eq!(
        (of(&trial, Step::Verify).len(), finished.elapsed.as_secs()),
        (4, 2)
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_verified_solution_a_consensus_decides_else_a_synthesis_with_the_reports() {
    for (answers, expected) in [
        (
            ["The answer is 7.", "Answer: 9", "Surely the answer is 9."],
            "9",
        ),
        (["Answer: 7", "Answer: 8", "Answer: 9"], "Final text"),
    ] {
        let script = move |seen: &Seen| match step(seen) {
            Step::Verify => knows_42(seen),
            Step::Explore => reply(answers[seen.call.index as usize], "stop"),
            _ => plays(seen),
        };
        let trial = trial(
            script,
            alone(&json!({"max_iterations": 0, "answer_extraction_mode": "none"})),
        );
        let finished = trial.run("mars").await;
        assert!(finished.text().contains(expected), "{}", finished.text());
        for seen in of(&trial, Step::Make) {
            assert_eq!(
                (
                    candidates(&seen.text()).len(),
                    seen.text().matches("The sum is off.").count()
                ),
                (3, 3)
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn verifiers_that_fail_end_the_search_and_the_solutions_vote() {
    let script = |seen: &Seen| match step(seen) {
        Step::Verify => Err(rejected(400, &json!({"message": "filtered"}))),
        Step::Explore => reply(
            ["Answer: 7", "The answer is 7.", "Answer: 9"][seen.call.index as usize],
            "stop",
        ),
        _ => plays(seen),
    };
    let trial = trial(script, alone(&json!({})));
    let finished = trial.run("mars").await;
    assert_eq!(
        (finished.outcome().calls, of(&trial, Step::Improve).len()),
        (3 + 6, 0)
    );
    assert!(
        finished.text().ends_with('7') && finished.outcome().degraded == ["failed_calls"],
        "{}",
        finished.text()
    );
}
