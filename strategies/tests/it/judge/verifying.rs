//! Solutions and decoys: what is returned, when it stops, and what becomes of a verifier that is
//! deceived.

use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::contract::{DECOY, SYNTHESIS, candidates};
use hone_strategies::model::{Fact, Model, Purpose};
use serde_json::json;

use crate::support::{Fake, Reply, Seen, Trial, rejected, says};

/// A model with these first solutions, decoys that say 13, revisions that say `revision`, and this
/// verifier of a text.
fn model(
    firsts: [&'static str; 3],
    revision: &'static str,
    verify: impl Fn(&Seen, &str) -> String + Send + Sync + 'static,
) -> Fake {
    let fake = Fake::new(move |seen: &Seen| -> Reply {
        let text = match seen.call.purpose {
            Purpose::Judge => verify(seen, candidates(&seen.text())[0].1),
            Purpose::Adversary => format!("It is 13, as step {} shows.", seen.call.index),
            _ if seen.text().contains(SYNTHESIS) => revision.to_owned(),
            _ => firsts[seen.call.index as usize % 3].to_owned(),
        };
        let choice = Choice::new(Message::assistant(text), "stop");
        Ok(Completion {
            choices: vec![choice],
            usage: Some(Usage::new(10, 5)),
            ..Completion::default()
        })
    });
    fake.learn("m", Fact::HonoursN, false);
    fake
}

const FIRSTS: [&str; 3] = ["It is 41.", "It is 42.", "So it is 42."];

fn rated(score: u32) -> String {
    format!("1. A slip in line 3.\nScore: {score}")
}

#[tokio::test(start_paused = true)]
async fn a_decoy_is_never_returned_whatever_the_verifier_says() {
    for solution_score in [0, 3, 10] {
        let verify = move |_: &Seen, text: &str| {
            let is_decoy = text.contains("13");
            rated(if is_decoy { 10 } else { solution_score })
        };
        for rounds in 1..4 {
            let trial = Trial::new(model(FIRSTS, "It is 43.", verify)).with("num_rounds", rounds);
            let finished = trial.run("pvg").await;
            assert!(
                !finished.text().contains("13"),
                "{solution_score}, {rounds} rounds"
            );
            assert!(
                finished
                    .outcome()
                    .trace
                    .candidates
                    .iter()
                    .all(|candidate| !candidate.text.contains("13"))
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_solution_that_convinces_ends_the_game() {
    let trial = Trial::new(model(FIRSTS, "It is 43.", |_, text| {
        rated(if text == "It is 42." { 9 } else { 4 })
    }));
    let finished = trial.run("pvg").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.elapsed.as_secs(),
            finished.outcome().calls
        ),
        ("It is 42.", 2, 12)
    );
}

#[tokio::test(start_paused = true)]
async fn a_convincing_solution_beside_a_convincing_decoy_does_not_end_it() {
    let verify = |seen: &Seen, text: &str| match text {
        "It is 42." => rated(9),
        text if text.contains("13") && seen.call.index.is_multiple_of(2) => rated(9),
        _ => rated(1),
    };
    assert_eq!(
        Trial::new(model(FIRSTS, "It is 43.", verify))
            .run("pvg")
            .await
            .elapsed
            .as_secs(),
        4
    );
}

#[tokio::test(start_paused = true)]
async fn a_revision_answers_the_verifiers_objections_to_the_same_question() {
    let trial = Trial::new(model(FIRSTS, "Better: it is 42.", |_, text| {
        rated(if text.contains("Better") { 8 } else { 5 })
    }));
    let finished = trial.with(
        "messages",
        json!([{"role": "system", "content": "Be exact."},
            {"role": "user", "content": "Why 6 times 7?"}]),
    );
    let run = finished.run("pvg").await;
    assert_eq!(
        (run.text().as_str(), run.outcome().degraded.len()),
        ("Better: it is 42.", 0)
    );
    let requests = finished.model.requests();
    let revising: Vec<&Seen> = requests
        .iter()
        .filter(|seen| seen.text().contains(SYNTHESIS))
        .collect();
    assert_eq!(revising.len(), 3);
    assert!(revising.iter().all(|seen| seen.text().contains("A slip in line 3.") && !seen.text()
        .contains("Score")));
    assert!(requests.iter().all(|seen| seen.text().contains("Be exact.") && seen.text()
        .contains("Why 6 times 7?")));
    assert!(
        requests
            .iter()
            .all(|seen| (seen.call.purpose == Purpose::Adversary) == seen.text().contains(DECOY))
    );
}

#[tokio::test(start_paused = true)]
async fn a_deceived_verifier_solves_the_task_first_and_verifies_everything_anew() {
    let verify = |seen: &Seen, text: &str| {
        let is_guided = seen.call.index >= 6;
        rated(if is_guided == text.contains("42") {
            8
        } else {
            2
        })
    };
    let trial = Trial::new(model(
        ["It is 41.", "It is 42.", "It is 43."],
        "It is 44.",
        verify,
    ));
    let finished = trial.run("pvg").await;
    assert_eq!(
        (finished.text().as_str(), finished.elapsed.as_secs()),
        ("It is 42.", 4)
    );
    assert_eq!(finished.outcome().trace.notes.len(), 1);
    let demand = trial.plan("pvg").unwrap().demand(&trial.request());
    assert!(finished.outcome().calls <= demand.max_calls);
}

#[tokio::test(start_paused = true)]
async fn a_verifier_that_stays_deceived_leaves_the_choice_to_agreement() {
    let verify = |_: &Seen, text: &str| {
        rated(if text.contains("13") {
            8
        } else {
            u32::from(text.contains("41"))
        })
    };
    let finished = Trial::new(model(FIRSTS, "It is 43.", verify))
        .run("pvg")
        .await;
    assert_eq!(finished.text(), "It is 42.");
}

#[tokio::test(start_paused = true)]
async fn without_decoys_the_verifier_is_taken_at_its_word() {
    let fake = Fake::new(|seen: &Seen| match seen.call.purpose {
        Purpose::Adversary => Err(rejected(400, &json!({"message": "no deception here"}))),
        Purpose::Judge => says(
            seen,
            &rated(if seen.text().contains("It is 42.") {
                9
            } else {
                1
            }),
        ),
        _ => says(seen, FIRSTS[seen.call.index as usize % 3]),
    });
    fake.learn("m", Fact::HonoursN, false);
    let finished = Trial::new(fake).run("pvg").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().degraded.clone()
        ),
        ("It is 42.", vec!["failed_calls".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn equal_requests_cost_the_same_also_at_the_same_time() {
    let trial = Trial::new(model(FIRSTS, "It is 43.", |_, _| rated(5)));
    let (first, second) = tokio::join!(trial.run("pvg"), trial.run("pvg"));
    let third = trial.run("pvg").await;
    assert_eq!(
        (first.outcome().usage, second.outcome().usage),
        (third.outcome().usage, third.outcome().usage)
    );
}
