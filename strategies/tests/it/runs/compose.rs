//! `a&b`, `a|b` and `n`.

use hone_strategies::chat::Message;
use hone_strategies::{Event, SpecErrorKind, StrategyError};
use serde_json::json;

use crate::support::{Fake, Trial, rejected, says};

#[tokio::test(start_paused = true)]
async fn the_plain_request_is_the_clients_own() {
    let trial = Trial::new(Fake::new(|seen| says(seen, "42")))
        .with("top_k", 3)
        .with("re2_max_chars", 9);
    let finished = trial.run("none").await;
    assert_eq!(finished.text(), "42");
    assert_eq!(finished.elapsed.as_secs(), 1);
    let sent = &trial.model.requests()[0].request;
    assert_eq!(sent.messages(), trial.request().messages());
    assert_eq!(sent.get("top_k"), Some(&json!(3)));
}

#[tokio::test(start_paused = true)]
async fn each_branch_makes_a_choice_and_all_run_at_once() {
    let trial = Trial::new(Fake::new(|seen| {
        says(seen, &format!("answer {}", seen.text().len()))
    }))
    .with("n", 2);
    let finished = trial.run("none|re2").await;
    let outcome = finished.outcome();
    assert_eq!(
        outcome
            .choices
            .iter()
            .map(|choice| choice.index)
            .collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
    assert_ne!(outcome.choices[0].message, outcome.choices[1].message);
    assert_eq!(outcome.choices[0].message, outcome.choices[2].message);
    assert_eq!((outcome.calls, finished.elapsed.as_secs()), (4, 1));
    assert_eq!((outcome.usage.prompt, outcome.usage.completion), (40, 20));
}

#[tokio::test(start_paused = true)]
async fn a_failed_branch_is_absent_and_the_others_keep_their_numbers() {
    let script = |seen: &crate::support::Seen| match seen.number {
        0 => Err(rejected(400, &json!({"message": "no"}))),
        _ => says(seen, "42"),
    };
    let finished = Trial::new(Fake::new(script)).run("none|re2").await;
    assert_eq!(
        finished
            .outcome()
            .choices
            .iter()
            .map(|choice| choice.index)
            .collect::<Vec<_>>(),
        [1]
    );
    assert_eq!(finished.outcome().degraded, ["failed_choices"]);
}

#[tokio::test(start_paused = true)]
async fn a_run_in_which_everything_fails_relays_the_rejection() {
    let trial = Trial::new(Fake::new(|_| {
        Err(rejected(
            400,
            &json!({"message": "bad image", "param": "messages"}),
        ))
    }));
    let error = trial.run("none|re2").await.result.unwrap_err();
    let StrategyError::Model(hone_strategies::ModelError::Rejected(rejection)) = error else {
        panic!("{error}")
    };
    assert_eq!(
        (rejection.status, rejection.param.as_deref()),
        (400, Some("messages"))
    );
    assert_eq!(
        trial.model.calls(),
        2,
        "a client's mistake is not tried again"
    );
}

#[tokio::test(start_paused = true)]
async fn the_second_strategy_sees_the_conversation_and_the_firsts_answer() {
    let trial = Trial::new(Fake::new(|seen| {
        says(seen, &format!("answer {}", seen.number))
    }));
    let finished = trial.run("none&none").await;
    assert_eq!(finished.text(), "answer 1");
    let second = &trial.model.requests()[1].request;
    let roles: Vec<&str> = second.messages().iter().map(Message::role).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    assert_eq!(second.messages()[0], trial.request().messages()[0]);
    assert_eq!(second.messages()[1].text(), "answer 0");
    assert_eq!(finished.elapsed.as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_draft_is_the_answer_if_nothing_comes_of_improving_it() {
    let script = |seen: &crate::support::Seen| match seen.number {
        0 => says(seen, "draft"),
        _ => Err(rejected(400, &json!({"message": "no"}))),
    };
    let finished = Trial::new(Fake::new(script))
        .with("stream", true)
        .run("none&none")
        .await;
    assert_eq!(finished.text(), "draft");
    assert_eq!(finished.outcome().degraded, ["draft", "failed_calls"]);
    assert!(
        finished
            .events
            .iter()
            .any(|event| matches!(event, Event::Delta { .. }))
    );
}

#[tokio::test(start_paused = true)]
async fn a_transformed_request_reaches_the_next_strategy() {
    let trial = Trial::new(Fake::new(|seen| says(seen, "42")));
    let finished = trial.run("re2&none").await;
    assert_eq!(finished.outcome().calls, 1);
    assert_eq!(
        trial.model.requests()[0]
            .text()
            .matches("6 times 7")
            .count(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn demand_is_what_a_run_then_takes() {
    for approach in [
        "none",
        "re2",
        "re2&none",
        "none|re2",
        "none&(re2|none)",
        "(re2|none)&none",
        "re2&re2",
    ] {
        let trial = Trial::new(Fake::new(|seen| says(seen, "42"))).with("n", 2);
        let demand = trial
            .plan(approach)
            .unwrap()
            .check(&trial.request())
            .unwrap();
        let finished = trial.run(approach).await;
        assert_eq!(
            (demand.calls, u64::from(demand.depth)),
            (finished.outcome().calls, finished.elapsed.as_secs()),
            "{approach}"
        );
    }
}

#[test]
fn mistakes_are_named_before_anything_is_spent() {
    let trial = Trial::new(Fake::new(|seen| says(seen, "42"))).with("n", 17);
    let error = trial.plan("nome").unwrap_err();
    assert_eq!(
        error.kind,
        SpecErrorKind::UnknownSlug {
            slug: "nome".to_owned(),
            nearest: Some("none")
        }
    );
    let error = trial
        .plan("none")
        .unwrap()
        .check(&trial.request())
        .unwrap_err();
    assert_eq!(
        (error.param.as_deref(), error.kind),
        (Some("n"), SpecErrorKind::TooMany)
    );
    let error = trial.with("sampling", "often").plan("none").unwrap_err();
    assert_eq!(
        (error.param.as_deref(), error.kind),
        (Some("sampling"), SpecErrorKind::BadParam)
    );
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_started_then_spelled_out_with_one_role_and_one_end() {
    let trial =
        Trial::new(Fake::new(|seen| says(seen, "six times seven is 42"))).with("stream", true);
    let finished = trial.run("none").await;
    assert_eq!(finished.events[0], Event::Started);
    let deltas: Vec<_> = finished
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Delta { choice: 0, delta } => Some(delta),
            _ => None,
        })
        .collect();
    let text: String = deltas
        .iter()
        .filter_map(|delta| delta.fields.get("content")?.as_str())
        .collect();
    assert_eq!(
        (text.as_str(), finished.text().as_str()),
        ("six times seven is 42", "six times seven is 42")
    );
    assert_eq!(
        deltas
            .iter()
            .filter(|delta| delta.fields.contains_key("role"))
            .count(),
        1
    );
    assert!(deltas[0].fields.contains_key("role"));
    assert_eq!(
        deltas.last().unwrap().finish_reason.as_deref(),
        Some("stop")
    );
    assert_eq!(finished.outcome().usage.total, 15);
}
