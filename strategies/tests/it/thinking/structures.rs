//! Structures of thought, and answers that follow them.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::contract::{ADAPTED, MODULES, STRUCTURE};
use hone_strategies::model::{Fact, Model, Purpose};
use serde_json::{Value, json};

use crate::support::{Fake, Reply, Seen, Trial, plays, rejected, says};

/// Plays the discovery; answers the samples by `sample` and the greedy call with "Greedy."
fn answering(sample: impl Fn(u32) -> String + Send + Sync + 'static) -> Fake {
    Fake::new(move |seen| match seen.call.purpose {
        Purpose::Candidate => Ok(choices(
            (0..seen.request.n())
                .map(|index| sample(seen.call.index + index))
                .collect(),
        )),
        Purpose::Final => says(seen, "Greedy: 7."),
        _ => plays(seen),
    })
}

fn choices(texts: Vec<String>) -> Completion {
    let choices = (0..)
        .zip(texts)
        .map(|(index, text)| Choice {
            index,
            ..Choice::new(Message::assistant(text), "stop")
        })
        .collect();
    Completion {
        choices,
        usage: Some(Usage::new(1, 1)),
        ..Completion::default()
    }
}

fn asked(trial: &Trial, line: &str) -> Seen {
    trial
        .model
        .requests()
        .into_iter()
        .find(|seen| seen.text().contains(line))
        .expect("it was asked for")
}

#[tokio::test(start_paused = true)]
async fn selection_adaptation_and_structure_lead_to_answers_that_follow_them() {
    let trial = Trial::new(Fake::new(plays));
    trial.model.learn("m", Fact::HonoursN, false);
    let finished = trial.run("deepthink").await;
    assert_eq!(
        (finished.outcome().calls, finished.elapsed.as_secs()),
        (7, 4)
    );
    assert!(asked(&trial, MODULES).text().contains("39. Make a plan"));
    assert!(
        asked(&trial, ADAPTED)
            .text()
            .contains("1. Break it into smaller parts"),
        "the chosen ones only"
    );
    assert!(!asked(&trial, ADAPTED).text().contains("Make a plan"));
    assert!(
        asked(&trial, STRUCTURE)
            .text()
            .contains("2. Write down the product.")
    );
    let sample = trial.model.requests().pop().unwrap();
    assert!(sample.text().contains("\"product\": \"6 times 7\""));
    assert_eq!(
        sample.request.messages().last().unwrap().text(),
        "How much is 6 times 7?",
        "the conversation keeps its roles"
    );
}

#[tokio::test(start_paused = true)]
async fn agreeing_answers_win_with_the_longest_reasoning_and_without_their_work() {
    let model = answering(|index| {
        format!(
            "<think>{}</think>The answer is 42.{}",
            "so ".repeat(8 + index as usize % 2),
            " ".repeat(index as usize)
        )
    });
    let finished = Trial::new(model).run("deepthink").await;
    assert_eq!(finished.text(), "The answer is 42.");
    let chosen: Vec<u32> = finished
        .outcome()
        .trace
        .candidates
        .iter()
        .filter(|each| each.chosen)
        .map(|each| each.index)
        .collect();
    assert_eq!(chosen, [1]);
}

#[tokio::test(start_paused = true)]
async fn disagreeing_answers_leave_it_to_the_greedy_one() {
    let trial = Trial::new(answering(|index| format!("The answer is {index}.")));
    assert_eq!(trial.run("deepthink").await.text(), "Greedy: 7.");
    let greedy = trial
        .model
        .requests()
        .into_iter()
        .find(|seen| seen.call.purpose == Purpose::Final)
        .unwrap();
    assert_eq!(
        (
            greedy.request.get("temperature"),
            greedy.request.get("top_p")
        ),
        (Some(&json!(0.0)), None)
    );
    let sample = trial
        .model
        .requests()
        .into_iter()
        .find(|seen| seen.call.purpose == Purpose::Candidate)
        .unwrap();
    assert_eq!(
        (
            sample.request.get("temperature"),
            sample.request.get("top_p")
        ),
        (Some(&json!(0.7)), Some(&json!(0.95)))
    );
}

#[tokio::test(start_paused = true)]
async fn two_almost_equal_wrong_answers_of_ten_are_no_consensus() {
    let model = answering(|index| {
        if index < 2 {
            "The answer is 1000001.".to_owned()
        } else {
            format!("The answer is {}.", 100 * index)
        }
    });
    let finished = Trial::new(model)
        .with("deepthink_samples", 10)
        .run("deepthink")
        .await;
    assert_eq!(finished.text(), "Greedy: 7.");
}

/// Samples come one a second, in their order.
async fn one_by_one(
    sample: fn(u32) -> String,
    threshold: f64,
    stop_confidence: f64,
) -> (String, u64, u32) {
    let in_turn = |seen: &Seen| {
        Duration::from_secs(if seen.call.purpose == Purpose::Candidate {
            1 + u64::from(seen.call.index)
        } else {
            1
        })
    };
    let trial = Trial::new(answering(sample).with_latency(in_turn)).with("deepthink_samples", 10);
    trial.model.learn("m", Fact::HonoursN, false);
    let trial = trial
        .with("confidence_threshold", threshold)
        .with("enable_self_discover", false)
        .with("stop_confidence", stop_confidence);
    let finished = trial.run("deepthink").await;
    (
        finished.text(),
        finished.elapsed.as_secs(),
        trial.model.cancelled.load(Ordering::SeqCst),
    )
}

#[tokio::test(start_paused = true)]
async fn samples_that_change_nothing_any_more_are_not_waited_for() {
    let agree = |_| "The answer is 42.".to_owned();
    let differ = |index| format!("The answer is {index}.");
    assert_eq!(
        one_by_one(agree, 0.7, 1.0).await,
        ("The answer is 42.".to_owned(), 8, 2),
        "decided for certain"
    );
    assert_eq!(
        one_by_one(agree, 0.7, 0.99).await,
        ("The answer is 42.".to_owned(), 4, 6),
        "likely enough"
    );
    assert_eq!(
        one_by_one(agree, 0.7, 0.0).await,
        ("The answer is 42.".to_owned(), 10, 0),
        "every sample is asked for"
    );
    assert_eq!(
        one_by_one(differ, 0.95, 0.99).await,
        ("Greedy: 7.".to_owned(), 2, 8),
        "no consensus can come of it"
    );
}

#[tokio::test(start_paused = true)]
async fn a_greedy_call_under_way_is_cancelled_once_the_answers_agree() {
    let slow = |seen: &Seen| {
        Duration::from_secs(if seen.call.purpose == Purpose::Final {
            60
        } else {
            1
        })
    };
    let trial = Trial::new(answering(|_| "The answer is 42.".to_owned()).with_latency(slow));
    let finished = trial.run("deepthink").await;
    assert_eq!(
        (
            finished.elapsed.as_secs(),
            trial.model.cancelled.load(Ordering::SeqCst)
        ),
        (4, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn unreadable_plans_are_replaced_by_something_general() {
    let model = Fake::new(|seen| {
        if seen.call.purpose == Purpose::Plan {
            says(seen, "{'steps': sure")
        } else {
            plays(seen)
        }
    });
    let trial = Trial::new(model);
    let finished = trial.run("deepthink").await;
    assert_eq!(
        (finished.text().as_str(), finished.outcome().degraded.len()),
        ("Final text.", 0)
    );
    assert!(
        trial
            .model
            .requests()
            .pop()
            .unwrap()
            .text()
            .contains("\"understanding\"")
    );
    let notes = &finished.outcome().trace.notes;
    assert!(
        notes.iter().any(|note| note.name == "structure")
            && notes
                .iter()
                .any(|note| note.value == json!([9, 10, 16, 38, 39]))
    );
}

#[tokio::test(start_paused = true)]
async fn code_comes_back_as_it_was_written() {
    let code = "```python\nprint({'a': 1})\n```";
    let finished = Trial::new(answering(move |_| code.to_owned()))
        .run("deepthink")
        .await;
    assert_eq!(finished.text(), code, "no full stop is added");
}

#[tokio::test(start_paused = true)]
async fn a_greedy_answer_that_failed_or_was_cut_off_is_never_shown() {
    let cut = |seen: &Seen| -> Reply {
        let mut reply = choices(vec!["half an".to_owned()]);
        reply.choices[0].finish_reason = Some("length".to_owned());
        if seen.call.purpose == Purpose::Final {
            Ok(reply)
        } else {
            plays(seen)
        }
    };
    let fails = |seen: &Seen| match seen.call.purpose {
        Purpose::Final => Err(rejected(400, &json!({"message": "no"}))),
        _ => plays(seen),
    };
    for (model, told) in [
        (Fake::new(cut), "greedy"),
        (Fake::new(fails), "failed_calls"),
    ] {
        let finished = Trial::new(model).run("deepthink").await;
        assert!(
            finished.text().starts_with("Candidate"),
            "{}",
            finished.text()
        );
        assert_eq!(finished.outcome().degraded, [told]);
    }
}

#[tokio::test(start_paused = true)]
async fn json_and_tools_are_not_asked_for_between_tags() {
    let wishes: [(&str, Value, bool); 3] = [
        ("response_format", json!({"type": "json_object"}), false),
        (
            "tools",
            json!([{"type": "function", "function": {"name": "f"}}]),
            false,
        ),
        ("top_k", json!(3), true),
    ];
    for (name, value, tags) in wishes {
        let trial = Trial::new(Fake::new(plays)).with(name, value);
        assert!(trial.run("deepthink").await.result.is_ok());
        assert_eq!(
            trial
                .model
                .requests()
                .pop()
                .unwrap()
                .text()
                .contains("<think>"),
            tags,
            "{name}"
        );
    }
}
