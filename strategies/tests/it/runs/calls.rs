//! What happens to a single call: retries, waiting, parameters that an upstream refuses, the
//! deadline, a client that leaves.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use hone_strategies::model::{Purpose, Rejection};
use hone_strategies::{
    Account, CallOutcome, Event, Fences, ModelError, RunLimits, RunOptions, StrategyError,
    execute_on,
};
use serde_json::json;
use tokio::time::Instant;

use crate::support::{Fake, Seen, Trial, rejected, says};

fn limited(code: &str, after: &str) -> ModelError {
    let seconds = after.parse().ok();
    let after = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let body = json!({"error": {"message": "slow down", "code": code}}).to_string();
    ModelError::RateLimited(Box::new(
        Rejection::new(429, Vec::new(), Bytes::from(body)).asking_to_wait(after),
    ))
}

fn fails_first(times: u32, error: impl Fn() -> ModelError + Send + Sync + 'static) -> Fake {
    Fake::new(move |seen: &Seen| {
        if seen.number < times {
            Err(error())
        } else {
            says(seen, "42")
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_rate_limited_call_waits_as_long_as_it_is_asked_to() {
    let finished = Trial::new(fails_first(1, || limited("rate_limit_exceeded", "3")))
        .run("none")
        .await;
    assert_eq!(finished.elapsed, Duration::from_secs(5));
    assert_eq!(
        (finished.outcome().calls, finished.outcome().usage.total),
        (2, 15)
    );
    assert_eq!(
        finished.outcome().trace.calls[0].outcome,
        CallOutcome::RateLimited
    );
    assert_eq!(finished.outcome().trace.calls[1].purpose, Purpose::Final);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_tried_three_times_at_most() {
    let trial = Trial::new(fails_first(9, || {
        rejected(503, &json!({"message": "busy"}))
    }));
    let finished = trial.run("none").await;
    assert!(matches!(finished.result,
            Err(StrategyError::Model(ModelError::Rejected(rejection))) if rejection.status == 503));
    assert_eq!(trial.model.calls(), 3);
    assert!(
        finished.elapsed < Duration::from_secs(4),
        "backoff is short"
    );
}

#[tokio::test(start_paused = true)]
async fn an_exhausted_quota_and_a_long_wait_are_not_tried_again() {
    let quota = Trial::new(fails_first(1, || limited("insufficient_quota", "1")));
    assert!(quota.run("none").await.result.is_err());
    assert_eq!(quota.model.calls(), 1);
    // The last is longer than a clock can tell.
    for wait in ["11", "1e10", "1e19"] {
        let patient = Trial::new(fails_first(1, move || limited("rate_limit_exceeded", wait)));
        let finished = patient.run("none").await;
        assert!(
            matches!(
                finished.result,
                Err(StrategyError::Model(ModelError::RateLimited(_)))
            ),
            "{wait}"
        );
        assert_eq!(
            (patient.model.calls(), finished.elapsed.as_secs()),
            (1, 1),
            "{wait}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_a_limit_of_ours_refused_is_no_call() {
    let trial = Trial::new(fails_first(1, || ModelError::Limited {
        reason: "tenant".to_owned(),
    }));
    let finished = trial.run("none|re2").await;
    assert_eq!(finished.outcome().calls, 1);
}

#[tokio::test(start_paused = true)]
async fn a_refused_addition_of_ours_is_left_out_and_remembered() {
    let script = |seen: &Seen| match seen.request.get("stream_options") {
        Some(_) => Err(rejected(
            400,
            &json!({"message": "unknown field", "param": "stream_options"}),
        )),
        None => says(seen, "42"),
    };
    let trial = Trial::new(Fake::new(script)).with("stream", true);
    assert_eq!(trial.run("none").await.text(), "42");
    assert_eq!(trial.run("none").await.text(), "42");
    assert_eq!(trial.model.calls(), 3, "the second run knows");
}

#[tokio::test(start_paused = true)]
async fn the_deadline_ends_a_run_that_has_nothing() {
    let trial = Trial {
        deadline: Duration::from_millis(500),
        ..Trial::new(Fake::new(|seen| says(seen, "42")))
    };
    let finished = trial.run("none").await;
    assert!(matches!(finished.result, Err(StrategyError::Deadline)));
    assert_eq!(
        (
            finished.elapsed.as_millis(),
            trial.model.cancelled.load(Ordering::SeqCst)
        ),
        (500, 1)
    );
}

#[tokio::test(start_paused = true)]
async fn the_deadline_cuts_a_streamed_answer_off_and_says_so() {
    let model = Fake::new(|seen| says(seen, "one two three four five six seven eight nine ten"));
    let trial = Trial {
        deadline: Duration::from_millis(1045),
        ..Trial::new(model)
    }
    .with("stream", true);
    let finished = trial.run("none").await;
    assert_eq!(finished.text(), "one two three four ");
    assert_eq!(finished.outcome().degraded, ["deadline"]);
    let Some(Event::Delta { delta, .. }) = finished.events.last() else {
        panic!("no events")
    };
    assert_eq!(delta.finish_reason.as_deref(), Some("length"));
    assert_eq!(
        finished.outcome().trace.calls[0].outcome,
        CallOutcome::Cancelled
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_cancels_every_call() {
    let trial = Trial::new(Fake::new(|seen| says(seen, "42"))).with("n", 3);
    let result = tokio::time::timeout(Duration::from_millis(500), trial.run("none|none")).await;
    assert!(result.is_err());
    assert_eq!(
        (
            trial.model.open_calls(),
            trial.model.cancelled.load(Ordering::SeqCst)
        ),
        (0, 6)
    );
}

#[tokio::test(start_paused = true)]
async fn parallel_calls_stay_within_the_runs_limit() {
    let slow = Fake::new(|seen| says(seen, "42")).with_latency(|_| Duration::from_secs(2));
    let trial = Trial {
        parallel: 2,
        ..Trial::new(slow)
    }
    .with("n", 6);
    let finished = trial.run("none").await;
    assert_eq!(
        (
            trial.model.most_open.load(Ordering::SeqCst),
            finished.elapsed.as_secs()
        ),
        (2, 6)
    );
}

#[tokio::test(start_paused = true)]
async fn a_run_without_room_for_a_call_says_what_it_lacks() {
    let trial = Trial {
        calls: 2,
        ..Trial::new(Fake::new(|seen| says(seen, "42")))
    }
    .with("n", 3);
    let finished = trial.run("none").await;
    assert_eq!(
        (finished.outcome().choices.len(), finished.outcome().calls),
        (2, 2)
    );
    let poor = Trial {
        tokens: 100,
        ..Trial::new(Fake::new(|seen| says(seen, "42")))
    };
    assert!(matches!(
        poor.run("none").await.result,
        Err(StrategyError::Budget(hone_strategies::Exhausted::Tokens))
    ));
    assert_eq!(poor.model.calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn candidates_of_several_choices_get_different_seeds() {
    let trial = Trial::new(Fake::new(|seen| says(seen, "42")))
        .with("n", 2)
        .with("seed", 5);
    assert!(trial.run("none").await.result.is_ok());
    let seeds: Vec<_> = trial
        .model
        .requests()
        .iter()
        .map(|seen| seen.request.get("seed").cloned())
        .collect();
    assert_eq!(seeds, [Some(json!(5)), Some(json!(1029))]);
    assert!(
        trial
            .model
            .requests()
            .iter()
            .all(|seen| seen.call.purpose == Purpose::Final)
    );
}

#[tokio::test(start_paused = true)]
async fn an_agent_learns_what_the_final_call_alone_took() {
    let alone = Trial::new(Fake::new(|seen| says(seen, "42")))
        .run("none")
        .await;
    assert_eq!(alone.outcome().final_usage, alone.outcome().usage);
    let chosen = Trial::new(Fake::new(crate::support::plays))
        .run("bon")
        .await;
    assert!(chosen.outcome().final_usage.total < chosen.outcome().usage.total);
    assert_eq!(chosen.outcome().final_usage.prompt, 10);
    let live = Trial::new(Fake::new(crate::support::plays))
        .with("stream", true)
        .run("moa")
        .await;
    assert_eq!(live.outcome().final_usage.total, 15);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_breaks_off_is_an_error_and_never_a_silent_end() {
    for approach in ["none", "moa", "cot_reflection&none", "none|none"] {
        let model = Fake::new(|seen| says(seen, "one two three")).breaking_after(2);
        let finished = Trial::new(model).with("stream", true).run(approach).await;
        assert!(
            matches!(finished.result, Err(StrategyError::Interrupted(_))),
            "{approach}"
        );
        let ended = finished.events.iter().any(
            |event| matches!(event, Event::Delta { delta, .. } if delta.finish_reason.is_some()),
        );
        assert!(!ended, "{approach}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_final_call_that_fails_before_it_says_anything_is_replaced_by_what_there_is() {
    let model = Fake::new(|seen| says(seen, "one two three")).breaking_after(0);
    let finished = Trial::new(model).with("stream", true).run("moa").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.told(0).message.text().as_ref()
        ),
        ("one two three", "one two three")
    );
    assert_eq!(finished.outcome().degraded, ["synthesis", "failed_calls"]);
}

/// What `trial` had spent on `approach` when it failed, or when its client left after `patience`.
async fn spent_in_vain(
    trial: &Trial,
    approach: &str,
    patience: Duration,
) -> hone_strategies::Spent {
    let account = Account::default();
    let limits = RunLimits {
        calls: 256,
        tokens: u64::MAX,
        deadline: Instant::now() + trial.deadline,
        parallel: 64,
    };
    let options = RunOptions {
        model: std::sync::Arc::clone(&trial.model) as _,
        solver: None,
        limits,
        seed: 1,
        fences: Fences::Repeatable,
        sink: None,
        halt: hone_strategies::Halt::default(),
        quality: None,
    };
    let plan = trial.plan(approach).unwrap();
    let running = execute_on(&plan, trial.request(), options, account.clone());
    assert!(
        !matches!(tokio::time::timeout(patience, running).await, Ok(Ok(_))),
        "it has no answer"
    );
    account.close()
}

#[tokio::test(start_paused = true)]
async fn what_a_run_without_an_answer_has_cost_is_in_its_account() {
    let failing = Trial::new(Fake::new(|_| Err(rejected(500, &json!({"message": "no"})))));
    let failed = spent_in_vain(&failing, "none", Duration::from_secs(60)).await;
    assert_eq!(
        (failed.calls, failed.trace.calls.len(), failed.usage.total),
        (3, 3, 0)
    );
    assert!(
        failed
            .trace
            .calls
            .iter()
            .all(|call| call.outcome == CallOutcome::Rejected(500))
    );
    let slow = Trial::new(Fake::new(|seen| says(seen, "42")));
    // Every call of this model takes a second.
    let left = spent_in_vain(&slow, "moa", Duration::from_millis(1500)).await;
    let outcomes: Vec<CallOutcome> = left.trace.calls.iter().map(|call| call.outcome).collect();
    assert_eq!(
        (outcomes.first(), outcomes.last()),
        (Some(&CallOutcome::Answered), Some(&CallOutcome::Cancelled))
    );
    assert!(left.usage.total > 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_never_left_is_not_in_the_count_of_a_failed_run() {
    let refused = Trial::new(fails_first(9, || ModelError::Limited {
        reason: "tenant".to_owned(),
    }));
    let spent = spent_in_vain(&refused, "none", Duration::from_secs(60)).await;
    assert_eq!((spent.calls, spent.trace.calls.len()), (0, 1));
}
