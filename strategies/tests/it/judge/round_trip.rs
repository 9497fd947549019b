//! Answers made again from their description: which survive, what comes back to the client, what
//! the second maker sees.

use hone_strategies::contract::{DESCRIPTION, ROUND_TRIP, candidates};
use hone_strategies::model::{Fact, Model, Purpose};
use serde_json::json;

use crate::support::{Fake, Seen, Trial, rejected, says};

const CODE: &str = "Two parts:\n```python\ndef f(x):\n    return x + 1\n```\nand\n```python\n\
    print(f(1))\n```\nThat is all.";

/// A model with these candidates; each is described as "make N", and made again as `again` says for
/// that N.
fn model(firsts: [&'static str; 2], again: fn(usize) -> &'static str) -> Fake {
    let fake = Fake::new(move |seen: &Seen| {
        let text = seen.text();
        match seen.call.purpose {
            Purpose::Plan => {
                let shown = candidates(&text)[0].1.to_owned();
                let at = firsts
                    .iter()
                    .position(|first| *first == shown)
                    .expect("a candidate is described");
                says(seen, &format!("Make number {at}."))
            }
            Purpose::Candidate if text.contains(ROUND_TRIP) => {
                says(seen, again(usize::from(text.contains("number 1"))))
            }
            Purpose::Candidate => says(seen, firsts[seen.call.index as usize % 2]),
            _ => says(seen, "Reconciled."),
        }
    });
    fake.learn("m", Fact::HonoursN, false);
    fake
}

fn coding(model: Fake) -> Trial {
    Trial::new(model).with(
        "messages",
        json!([{"role": "user", "content": "Write a function that adds one."}]),
    )
}

#[tokio::test(start_paused = true)]
async fn the_candidate_that_comes_back_is_returned_whole_and_nothing_is_reconciled() {
    let again = |at: usize| {
        if at == 1 {
            "```\ndef f( x ):\n  return x+1\n```\n```\nprint( f(1) )\n```"
        } else {
            "I do not know."
        }
    };
    let trial = coding(model(["def g(): pass", CODE], again));
    let finished = trial.run("rto").await;
    assert_eq!(finished.text(), CODE, "prose, fences and all blocks");
    assert_eq!(
        (finished.outcome().calls, finished.elapsed.as_secs()),
        (6, 3)
    );
    assert!(
        !trial.model.asked_for(&[Purpose::Synthesis]),
        "white space is no difference"
    );
}

#[tokio::test(start_paused = true)]
async fn where_none_comes_back_the_nearest_pair_is_reconciled() {
    let trial = coding(model(["one two three four", "five six seven"], |at| {
        if at == 1 {
            "five six eight"
        } else {
            "nothing of it"
        }
    }));
    let finished = trial.run("rto").await;
    assert_eq!(
        (finished.text().as_str(), finished.elapsed.as_secs()),
        ("Reconciled.", 4)
    );
    let last = trial.model.requests().pop().unwrap();
    assert!(
        last.text().contains("five six seven")
            && last.text().contains("five six eight")
            && last.text().contains("adds one")
    );
    assert!(
        !last.text().contains("one two three"),
        "the other pair is left out"
    );
}

#[tokio::test(start_paused = true)]
async fn the_threshold_is_the_clients() {
    let firsts = ["one two three four", "one two three four five"];
    let trial = |threshold: f64| {
        coding(model(firsts, |_| "one two three six")).with("rto_threshold", threshold)
    };
    assert_eq!(trial(0.95).run("rto").await.text(), "Reconciled.");
    assert_eq!(trial(0.3).run("rto").await.text(), firsts[0]);
}

#[tokio::test(start_paused = true)]
async fn short_answers_are_compared_by_what_they_say() {
    let trial = Trial::new(model(
        [
            "It is 41, as the sum is 41.",
            "6 times 7 makes \\boxed{42}.",
        ],
        |at| {
            if at == 1 {
                "Final answer: 42"
            } else {
                "It is 42."
            }
        },
    ));
    assert_eq!(
        trial.run("rto").await.text(),
        "6 times 7 makes \\boxed{42}."
    );
}

#[tokio::test(start_paused = true)]
async fn the_second_maker_sees_the_description_and_the_instructions_and_nothing_else() {
    let messages = json!([{"role": "system", "content": "Use Rust."},
        {"role": "user", "content": "Write a function that adds one."}]);
    let trial = Trial::new(model(["a b", "c d"], |_| "e f")).with("messages", messages);
    assert!(trial.run("rto").await.result.is_ok());
    let requests = trial.model.requests();
    let blind: Vec<&Seen> = requests
        .iter()
        .filter(|seen| seen.text().contains(ROUND_TRIP))
        .collect();
    assert_eq!(blind.len(), 2);
    assert!(blind.iter().all(|seen| seen.text().contains("Use Rust.")
        && seen.text().contains("Make number")
        && !seen.text().contains("adds one")));
    assert!(
        requests
            .iter()
            .filter(|seen| seen.call.purpose == Purpose::Plan)
            .all(|seen| seen.text().contains(DESCRIPTION))
    );
}

#[tokio::test(start_paused = true)]
async fn without_a_round_trip_a_candidate_is_given_and_the_answer_is_degraded() {
    let fake = Fake::new(|seen: &Seen| match seen.call.purpose {
        Purpose::Plan => Err(rejected(400, &json!({"message": "no"}))),
        _ => says(seen, "It is 42."),
    });
    let finished = Trial::new(fake).run("rto").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().degraded.clone()
        ),
        (
            "It is 42.",
            vec!["failed_calls".to_owned(), "round_trip".to_owned()]
        )
    );
}
