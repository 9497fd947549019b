//! Votes: what counts as the same answer, when a vote is decided, and what stopping early saves.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hone_strategies::CallOutcome;
use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::contract::{BEST_CANDIDATE, FINAL_ANSWER};
use hone_strategies::model::{Fact, Model, Purpose};
use serde_json::{Value, json};

use crate::support::{Fake, Reply, Seen, Trial, says};

/// A model whose candidate number i ends with the answer number i.
fn answering(answers: &'static [&'static str]) -> Fake {
    let model = Fake::new(move |seen: &Seen| -> Reply {
        let index = seen.call.index as usize;
        if seen.call.purpose == Purpose::Judge {
            return says(seen, "They agree.\nScore: 5\nBest candidate: 1");
        }
        let text = |at: usize| {
            format!(
                "Way number {at} of thinking.\n{}",
                answers[at % answers.len()]
            )
        };
        let n = seen.request.n() as usize;
        let choices = (index..index + n).map(|at| Choice {
            index: u32::try_from(at - index).unwrap(),
            ..Choice::new(Message::assistant(text(at)), "stop")
        });
        Ok(Completion {
            choices: choices.collect(),
            usage: Some(Usage::new(10, 5 * n as u64)),
            ..Completion::default()
        })
    });
    // Later candidates are slower, so that arrival follows number.
    model.with_latency(|seen| Duration::from_millis(1000 + 10 * u64::from(seen.call.index)))
}

const VOTES: [&str; 2] = ["majority_voting", "self_consistency"];

fn trial(answers: &'static [&'static str]) -> Trial {
    Trial::new(answering(answers))
        .with("k", answers.len())
        .with("num_samples", answers.len())
        .with("vote_weight", "none")
}

#[tokio::test(start_paused = true)]
async fn different_ways_to_the_same_answer_are_one_vote_each() {
    const FORMS: [&str; 5] = [
        "So x = 41.",
        "Final answer: 42",
        "\\boxed{42}",
        "The answer is **42.0**.",
        "Answer: 43",
    ];
    for approach in VOTES {
        let finished = trial(&FORMS).run(approach).await;
        assert!(
            finished.text().contains("42"),
            "{approach}: {}",
            finished.text()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_decided_vote_cancels_the_rest() {
    for approach in VOTES {
        let trial = trial(&[
            "Final answer: 42",
            "Final answer: 42",
            "Final answer: 42",
            "Final answer: 1",
            "Final answer: 2",
        ]);
        let finished = trial.run(approach).await;
        assert_eq!(
            trial.model.cancelled.load(Ordering::SeqCst),
            2,
            "{approach}"
        );
        assert_eq!(finished.elapsed.as_millis(), 1020, "{approach}");
        let calls = &finished.outcome().trace.calls;
        assert_eq!(
            calls
                .iter()
                .filter(|call| call.outcome == CallOutcome::Cancelled)
                .count(),
            2
        );
        assert_eq!(
            (
                finished.outcome().usage.completion,
                finished.outcome().degraded.len()
            ),
            (15 + 2 * 500, 0),
            "what was cancelled is charged as expected"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_vote_that_may_still_turn_goes_on() {
    for approach in VOTES {
        let trial = trial(&[
            "Final answer: 1",
            "Final answer: 1",
            "Final answer: 2",
            "Final answer: 2",
            "Final answer: 2",
        ]);
        let finished = trial.run(approach).await;
        assert!(finished.text().ends_with('2'), "{approach}");
        assert_eq!(
            (
                trial.model.calls(),
                trial.model.cancelled.load(Ordering::SeqCst)
            ),
            (5, 0)
        );
    }
}

#[tokio::test(start_paused = true)]
async fn in_waves_samples_are_saved_at_the_price_of_depth() {
    for approach in VOTES {
        let trial = Trial::new(answering(&["Final answer: 42"]))
            .with("k", 7)
            .with("num_samples", 7)
            .with("sampling", "waves");
        let finished = trial.run(approach).await;
        assert_eq!(
            (finished.outcome().calls, finished.elapsed.as_millis()),
            (4, 1030),
            "{approach}"
        );
        let split = trial_in_waves(approach).await;
        assert!(
            split <= Duration::from_secs(3),
            "{approach}: at most ⌈k/4⌉ waves"
        );
    }
}

async fn trial_in_waves(approach: &str) -> Duration {
    let split = trial(&[
        "Final answer: 1",
        "Final answer: 2",
        "Final answer: 3",
        "Final answer: 4",
        "Final answer: 5",
        "Final answer: 6",
        "Final answer: 7",
    ]);
    split.with("sampling", "waves").run(approach).await.elapsed
}

#[tokio::test(start_paused = true)]
async fn all_candidates_at_once_have_depth_one() {
    for (approach, calls) in [("majority_voting", 8), ("self_consistency", 5)] {
        let model = Fake::new(|seen| says(seen, &format!("Final answer: {}", seen.number)));
        let trial = Trial::new(model);
        let demand = trial
            .plan(approach)
            .unwrap()
            .check(&trial.request())
            .unwrap();
        let finished = trial.run(approach).await;
        assert_eq!(
            (finished.outcome().calls, finished.elapsed),
            (calls, Duration::from_secs(1)),
            "{approach}"
        );
        assert_eq!(
            (demand.calls, demand.depth, demand.parallel),
            (calls, 1, calls),
            "{approach}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_long_prompt_is_sent_once_with_n() {
    for approach in VOTES {
        let trial = Trial::new(answering(&["Final answer: 42"])).with("sample_n_above", 1);
        let finished = trial.run(approach).await;
        assert_eq!(finished.outcome().calls, 1, "{approach}");
        let demand = trial.plan(approach).unwrap().demand(&trial.request());
        assert_eq!((demand.calls, demand.depth), (1, 1), "{approach}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_cut_off_does_not_vote() {
    for approach in VOTES {
        let model = Fake::new(|seen| -> Reply {
            let (text, finish) = if seen.call.index < 3 {
                ("Final answer: 1", "length")
            } else {
                ("Final answer: 2", "stop")
            };
            Ok(Completion {
                choices: vec![Choice::new(Message::assistant(text), finish)],
                ..Completion::default()
            })
        });
        let finished = Trial::new(model)
            .with("k", 5)
            .with("num_samples", 5)
            .run(approach)
            .await;
        assert!(finished.text().ends_with('2'), "{approach}");
    }
}

#[tokio::test(start_paused = true)]
async fn tool_calls_are_votes_too() {
    for approach in VOTES {
        let model = Fake::new(|seen| -> Reply {
            let arguments = ["{\"a\":3}", "{\"a\": 1, \"b\": 2}", "{\"b\":2,\"a\":1}"]
                [seen.call.index as usize % 3];
            let call = json!([{"id": seen.call.index.to_string(), "type": "function",
                "function": {"name": "f", "arguments": arguments}}]);
            let message = Message::new("assistant", Value::Null).with("tool_calls", call);
            Ok(Completion {
                choices: vec![Choice::new(message, "tool_calls")],
                ..Completion::default()
            })
        });
        let trial = Trial::new(model)
            .with("k", 3)
            .with("num_samples", 3)
            .with("tools", json!([{"type": "function"}]));
        let finished = trial.run(approach).await;
        assert_eq!(finished.elapsed, Duration::from_secs(1));
        let calls = finished.outcome().choices[0]
            .message
            .tool_calls()
            .unwrap()
            .to_string();
        assert!(calls.contains("\\\"b\\\""), "{approach}: {calls}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_question_with_a_short_answer_is_asked_for_it_in_a_known_form_and_a_poem_is_not() {
    let trial = Trial::new(answering(&["Final answer: 42"]));
    assert!(trial.run("self_consistency").await.result.is_ok());
    assert!(
        trial
            .model
            .requests()
            .iter()
            .all(|seen| seen.text().contains(FINAL_ANSWER))
    );
    let poem = json!([{"role": "user", "content": "Write a poem about the sea."}]);
    let trial = Trial::new(answering(&[
        "The sea is wide and never still, it comes and goes at its own will, and so do I.",
    ]))
    .with("messages", poem);
    let finished = trial.run("self_consistency").await;
    let requests = trial.model.requests();
    assert!(
        requests
            .iter()
            .filter(|seen| seen.call.purpose == Purpose::Candidate)
            .all(|seen| !seen.text().contains(FINAL_ANSWER))
    );
    let judged: Vec<&Seen> = requests
        .iter()
        .filter(|seen| seen.call.purpose == Purpose::Judge)
        .collect();
    assert_eq!(judged.len(), 1, "free text is compared by the model");
    assert!(judged[0].text().contains(BEST_CANDIDATE));
    assert_eq!(finished.outcome().calls, 6);
}

#[tokio::test(start_paused = true)]
async fn short_free_texts_that_all_differ_are_compared_by_the_model() {
    let names = json!([{"role": "user", "content": "Suggest a name for my boat."}]);
    let differing = trial(&["Answer: Aurora", "Answer: Borealis", "Answer: Calypso"])
        .with("messages", names.clone())
        .run("self_consistency")
        .await;
    assert_eq!(differing.outcome().calls, 4);
    let agreeing = trial(&["Answer: Aurora", "Answer: Borealis", "Answer: Borealis"])
        .with("messages", names)
        .run("self_consistency")
        .await;
    assert_eq!(
        (
            agreeing.outcome().calls,
            agreeing.text().ends_with("Borealis")
        ),
        (3, true)
    );
}

#[tokio::test(start_paused = true)]
async fn agreement_of_answers_saves_the_ratings_of_best_of_n() {
    let model = || {
        let model = answering(&["Final answer: 42"]);
        model.learn("m", Fact::HonoursN, false);
        model
    };
    assert_eq!(Trial::new(model()).run("bon").await.outcome().calls, 5);
}

#[tokio::test(start_paused = true)]
async fn the_votes_are_in_the_trace() {
    let finished = trial(&["Final answer: 1", "Final answer: 2", "Final answer: 2"])
        .run("majority_voting")
        .await;
    let candidates = &finished.outcome().trace.candidates;
    assert_eq!(
        candidates
            .iter()
            .map(|candidate| candidate.score)
            .collect::<Vec<_>>(),
        [Some(1.0), Some(2.0), Some(2.0)]
    );
    assert_eq!(
        candidates
            .iter()
            .map(|candidate| candidate.chosen)
            .collect::<Vec<_>>(),
        [false, true, false]
    );
    assert_eq!(candidates[1].answer.as_deref(), Some("2"));
}
