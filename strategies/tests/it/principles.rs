//! Principles learned from worked examples: when there is something to learn, what is learned from,
//! and what answers.

use std::time::Duration;

use hone_strategies::contract::{EXAMPLES, FINAL_ANSWER, PRINCIPLES};
use hone_strategies::model::Purpose;
use serde_json::{Value, json};

use crate::support::{Fake, Reply, Seen, Trial, rejected, says};

const PRINCIPLE: &str = "1. Multiply before you add.";

/// A prompt with `k` worked examples.
fn prompt(k: usize) -> Value {
    let examples: String = (0..k)
        .map(|at| format!("Q: How much is 2 times {at} plus 1?\nA: {}\n\n", 2 * at + 1))
        .collect::<Vec<_>>()
        .concat();
    json!([{"role": "system", "content": "Be exact."},
        {"role": "user", "content": format!("{examples}Q: How much is 2 times 9 plus 1?\nA:")}])
}

fn listed(k: usize) -> String {
    let all: Vec<Value> = (0..k)
        .map(|at| {
            json!({"question": format!("How much is 2 times {at} \
        plus 1?"), "answer": 2 * at + 1})
        })
        .collect();
    format!(
        "These are the examples:\n```json\n{}\n```",
        Value::from(all)
    )
}

/// A model that lists `k` examples, attempts them as `attempt` says, and is right about the
/// question only with the principle before it.
fn learner(k: usize, attempt: impl Fn(&Seen) -> String + Send + Sync + 'static) -> Fake {
    Fake::new(move |seen: &Seen| -> Reply {
        let text = seen.text();
        match seen.call.purpose {
            Purpose::Plan => says(seen, &listed(k)),
            Purpose::Critique => says(seen, PRINCIPLE),
            Purpose::Candidate if text.contains(FINAL_ANSWER) => says(seen, &attempt(seen)),
            _ => says(
                seen,
                if text.contains(PRINCIPLE) {
                    "It is 19."
                } else {
                    "It is 20."
                },
            ),
        }
    })
}

fn learning(seen: &Seen) -> bool {
    seen.call.purpose == Purpose::Critique
}

#[tokio::test(start_paused = true)]
async fn examples_are_learned_from_in_five_steps_however_many_there_are() {
    for k in 2..=6_u32 {
        let trial = Trial::new(learner(k as usize, |_| "Final answer: 99".to_owned()))
            .with("messages", prompt(k as usize));
        let demand = trial.plan("leap").unwrap().demand(&trial.request());
        let finished = trial.run("leap").await;
        assert_eq!(
            (
                finished.text().as_str(),
                finished.elapsed.as_secs(),
                finished.outcome().calls
            ),
            ("It is 19.", 5, 4 + 2 * k)
        );
        assert_eq!((demand.calls, demand.depth), (4 + 2 * k, 5));
        assert_eq!(finished.outcome().degraded, [""; 0]);
    }
    let one = Trial::new(learner(1, |_| "Final answer: 99".to_owned())).with("messages", prompt(1));
    let demand = one.plan("leap").unwrap().demand(&one.request());
    let finished = one.run("leap").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.elapsed.as_secs(),
            finished.outcome().calls
        ),
        ("It is 19.", 4, 5)
    );
    assert_eq!((demand.calls, demand.depth), (5, 4));
}

#[tokio::test(start_paused = true)]
async fn where_there_is_nothing_to_learn_it_takes_one_calls_time() {
    let plain = Trial::new(learner(0, |_| String::new()));
    let finished = plain.run("leap").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().calls,
            finished.elapsed.as_secs()
        ),
        ("It is 20.", 1, 1)
    );
    let talk = json!([
        {"role": "user", "content": "Hello."}, {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "Nice day."}, {"role": "assistant", "content": "It is."},
        {"role": "user", "content": "How much is 2 times 9 plus 1?"},
    ]);
    let talk = Trial::new(learner(0, |_| String::new())).with("messages", talk);
    let finished = talk.run("leap").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().calls,
            finished.elapsed.as_secs()
        ),
        ("It is 20.", 2, 1)
    );
    assert_eq!(finished.outcome().degraded, [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn only_wrong_attempts_are_learned_from() {
    // The first example is missed by the second attempt, the second one never.
    let attempt = |seen: &Seen| {
        format!(
            "Final answer: {}",
            if seen.text().contains("times 0") {
                "**5**"
            } else {
                "\\boxed{3.0}"
            }
        )
    };
    let trial = Trial::new(learner(2, attempt)).with("messages", prompt(2));
    assert!(trial.run("leap").await.result.is_ok());
    let lessons: Vec<Seen> = trial
        .model
        .requests()
        .into_iter()
        .filter(learning)
        .collect();
    let of = |question: &str| {
        lessons
            .iter()
            .find(|seen| seen.text().contains(question))
            .unwrap()
            .text()
    };
    assert!(of("times 0").contains("**5**") && of("times 0").contains("[attempt "));
    assert!(
        !of("times 1").contains("[attempt "),
        "another form of the right answer is no mistake"
    );
    assert!(lessons.iter().all(|seen| seen.text().contains(PRINCIPLES)));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_sees_neither_the_answer_nor_the_other_examples() {
    let trial =
        Trial::new(learner(3, |_| "Final answer: 99".to_owned())).with("messages", prompt(3));
    assert!(trial.run("leap").await.result.is_ok());
    let requests = trial.model.requests();
    let attempts: Vec<&Seen> = requests
        .iter()
        .filter(|seen| {
            seen.call.purpose == Purpose::Candidate && seen.text().contains(FINAL_ANSWER)
        })
        .collect();
    assert_eq!(attempts.len(), 3);
    assert!(
        attempts.iter().all(|seen| seen.text().contains("Be exact.")
            && seen.text().matches("How much").count() == 1)
    );
    assert!(attempts.iter().all(|seen| !seen.text().contains("A:")));
    assert!(requests.iter().any(|seen| seen.text().contains(EXAMPLES)));
}

#[tokio::test(start_paused = true)]
async fn a_list_of_other_things_is_asked_for_again_and_then_the_draft_answers() {
    let fake = Fake::new(|seen: &Seen| match seen.call.purpose {
        Purpose::Plan => says(seen, "[\"How much is 2 times 0 plus 1?\", \"1\"]"),
        _ => says(seen, "It is 20."),
    });
    let trial = Trial::new(fake).with("messages", prompt(2));
    let finished = trial.run("leap").await;
    assert_eq!(
        (finished.text().as_str(), finished.outcome().calls),
        ("It is 20.", 3)
    );
}

#[tokio::test(start_paused = true)]
async fn the_draft_answers_when_learning_fails_or_time_runs_out() {
    let fails = |purpose: Purpose| {
        Fake::new(move |seen: &Seen| {
            if seen.call.purpose == purpose {
                return Err(rejected(400, &json!({"message": "no"})));
            }
            let text = seen.text();
            match seen.call.purpose {
                Purpose::Plan => says(seen, &listed(2)),
                Purpose::Critique => says(seen, PRINCIPLE),
                _ if text.contains(FINAL_ANSWER) => says(seen, "Final answer: 99"),
                _ => says(seen, "It is 20."),
            }
        })
    };
    for purpose in [Purpose::Plan, Purpose::Critique, Purpose::Final] {
        let finished = Trial::new(fails(purpose))
            .with("messages", prompt(2))
            .run("leap")
            .await;
        assert_eq!(finished.text(), "It is 20.", "{purpose:?}");
        assert!(
            finished
                .outcome()
                .degraded
                .contains(&"failed_calls".to_owned()),
            "{purpose:?}"
        );
    }
    for seconds in 1..5 {
        let trial =
            Trial::new(learner(2, |_| "Final answer: 99".to_owned())).with("messages", prompt(2));
        let trial = Trial {
            deadline: Duration::from_millis(1000 * seconds + 500),
            ..trial
        };
        let finished = trial.run("leap").await;
        assert_eq!(
            (
                finished.text().as_str(),
                finished.outcome().degraded.contains(&"deadline".to_owned())
            ),
            ("It is 20.", true)
        );
    }
}
