//! What is sent to an upstream a second time: where the operator allows it, and where hone's own
//! addition was refused.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::parts::{Knobs, SimHandle};
use crate::support::sim::{bodies, calls, faulty, rejects, status_fault};
use crate::support::{Client, Hone, chat_with, hone, upstream};

fn fails(times: Option<u64>, status: u16, retry_after: Option<&str>) -> Knobs {
    faulty(times, status_fault(status, retry_after))
}

fn with_retries(upstream: &SimHandle, retries: u32) -> Hone {
    hone()
        .upstream_with(upstream, |upstream| upstream.set("retries", retries))
        .start()
}

#[tokio::test]
async fn a_failure_that_passes_is_not_seen_where_retries_are_allowed() {
    for (failures, retries, status, tries) in [(2, 2, 200, 3), (2, 1, 500, 2), (1, 0, 500, 1)] {
        let upstream = upstream().await;
        upstream.set(fails(Some(failures), 500, None));
        let hone = with_retries(&upstream, retries);
        let answer = hone.client("k").ask("sim-small").await;
        answer.assert_status(status);
        let case = format!("{failures} failures, {retries} retries");
        assert_eq!(calls([&upstream]), [tries], "{case}");
    }
}

#[tokio::test]
async fn every_try_is_a_call_that_the_tenant_pays_for() {
    let upstream = upstream().await;
    upstream.set(fails(None, 500, Some("0")));
    let hone = hone()
        .upstream_with(&upstream, |upstream| upstream.set("retries", 9))
        .limit("upstream_calls_per_minute", 2)
        .start();
    let answer = hone.client("k").ask("sim-small").await;
    // The upstream's own failure, not a refusal.
    answer.assert_status(500).assert_header("x-hone-error", "");
    assert_eq!(calls([&upstream]), [2]);
}

#[tokio::test]
async fn an_upstream_is_given_the_time_that_it_asks_for_if_that_is_short() {
    let upstream = upstream().await;
    upstream.set(fails(Some(1), 503, Some("0.6")));
    let hone = with_retries(&upstream, 1);
    let began = Instant::now();
    hone.client("k").ask("sim-small").await.assert_ok();
    assert!(
        began.elapsed() >= Duration::from_millis(600),
        "more than the backoff of a quarter of a second"
    );
    for (after, retries) in [("60", 1), ("soon", 0)] {
        upstream.set(fails(Some(1), 503, Some(after)));
        let hone = with_retries(&upstream, retries);
        let answer = hone.client("k").ask("sim-small").await;
        answer
            .assert_status(503)
            .assert_header("retry-after", after);
    }
}

#[tokio::test]
async fn nobody_waits_for_a_try_that_would_come_after_its_deadline() {
    let upstream = upstream().await;
    upstream.set(fails(None, 503, Some("8")));
    let hone = with_retries(&upstream, 3);
    let hurried = hone.client("k").header("x-hone-deadline-ms", "5000");
    let answer = hurried.ask("sim-small").await;
    answer.assert_status(503);
    assert_eq!(calls([&upstream]), [1], "the failure that there is");
}

fn stream() -> Value {
    chat_with("sim-small", json!({"stream": true}))
}

/// A hone that asks streams for their usage.
fn with_tokens(upstream: &SimHandle, tokens: u32) -> Hone {
    hone()
        .upstream(upstream)
        .limit("tokens_per_minute", tokens)
        .start()
}

#[tokio::test]
async fn a_refused_question_for_the_usage_is_withdrawn_and_not_asked_again() {
    let upstream = upstream().await;
    upstream.set(rejects("stream_options"));
    let hone = with_tokens(&upstream, 100_000);
    for tenant in ["a", "b"] {
        let client = hone.client(tenant);
        let before = upstream.requests().len();
        for _ in 0..2 {
            client.chat(&stream()).await.assert_ok().assert_done();
        }
        let bodies = bodies(&upstream);
        let asked = |body: &String| body.contains("include_usage");
        let asked: Vec<bool> = bodies[before..].iter().map(asked).collect();
        // Each tenant learns for itself, once.
        assert_eq!(asked, [true, false, false], "tenant {tenant}");
    }
    // The client's own question is the client's.
    let fields = json!({"stream": true, "stream_options": {"include_usage": true}});
    let own = hone.client("a").ask_with("sim-small", fields).await;
    own.assert_status(400);
}

#[tokio::test]
async fn a_refusal_of_something_else_arrives_unchanged() {
    let upstream = upstream().await;
    let hone = with_tokens(&upstream, 100_000);
    for status in [400, 422, 500] {
        upstream.set(fails(None, status, None));
        let direct = Client::new(upstream.addr()).chat(&stream()).await;
        let before = upstream.stats().total_calls();
        let through = hone.client("k").chat(&stream()).await;
        through
            .assert_status(direct.status.as_u16())
            .assert_header("content-length", direct.header("content-length"));
        assert_eq!(through.body, direct.body);
        assert_eq!(calls([&upstream]), [before + 1]);
    }
}

#[tokio::test]
async fn a_limit_on_calls_holds_for_the_question_too() {
    let upstream = upstream().await;
    upstream.set(rejects("stream_options"));
    let hone = hone()
        .upstream(&upstream)
        .limit("tokens_per_minute", 100_000)
        .limit("upstream_calls_per_minute", 1)
        .start();
    let answer = hone.client("k").chat(&stream()).await;
    // What the upstream refused cost no tokens.
    answer
        .assert_status(429)
        .assert_header("x-ratelimit-remaining-tokens", "100000");
    assert_eq!(calls([&upstream]), [1]);
}

#[tokio::test]
async fn a_limit_on_tokens_with_room_for_one_answer_has_room_for_a_withdrawn_question() {
    let upstream = upstream().await;
    upstream.set(rejects("stream_options"));
    let hone = with_tokens(&upstream, 800);
    hone.client("k").chat(&stream()).await.assert_ok();
    assert_eq!(calls([&upstream]), [2]);
}
