//! Limits as a client meets them: what is refused, what it costs, what the answer says.

mod cut; // what a call costs that its client leaves
mod nearer; // what is told where the provider has limits, too
mod served; // what a provider serves, against the limit
mod told; // what a provider is asked to tell

use std::num::NonZeroU32;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::head::post_chat;
use crate::support::parts::{Knobs, Latency};
use crate::support::sim::{calls, calls_with, slow};
use crate::support::{Answer, Client, chat_body, chat_with, hone, upstream};

/// Asks so many times at once.
async fn ask_at_once(client: &Client, body: &Value, times: usize) -> Vec<Answer> {
    join_all((0..times).map(|_| client.chat(body))).await
}

/// How many were answered, and one of those that were not, if any.
fn sort_out(answers: Vec<Answer>) -> (usize, Option<Answer>) {
    let (answered, refused): (Vec<_>, Vec<_>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    (answered.len(), refused.into_iter().next())
}

#[tokio::test]
async fn concurrent_requests_never_pass_a_limit_of_fewer() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("requests_per_minute", 7)
        .start();
    let answers = ask_at_once(&hone.client("k"), &chat_body("sim-small"), 40).await;
    let (answered, refused) = sort_out(answers);
    assert_eq!(answered, 7);
    assert_eq!(calls([&upstream]), [7]);
    let refused = refused.expect("a refusal");
    refused
        .assert_refused(429, "rate_limit_exceeded")
        .assert_header("x-hone-limit-source", "hone")
        .assert_header("x-ratelimit-limit-requests", "7")
        .assert_header("x-ratelimit-remaining-requests", "0");
    assert_eq!(refused.json()["error"]["type"], "requests");
    assert!(
        refused.header("ratelimit").contains("requests"),
        "{refused}"
    );
    let millis = refused.header("retry-after-ms");
    let millis: u64 = millis.parse().expect("milliseconds");
    assert!(millis <= 60_000 / 7 + 1, "{millis}");
    let seconds = millis.div_ceil(1000).to_string();
    refused.assert_header("retry-after", &seconds);
}

#[tokio::test]
async fn requests_at_once_are_limited_and_their_places_come_back() {
    let upstream = upstream().await;
    upstream.set(slow(300));
    let hone = hone()
        .upstream(&upstream)
        .limit("concurrent_requests", 3)
        .start();
    let client = hone.client("k");
    let answers = ask_at_once(&client, &chat_body("sim-small"), 10).await;
    let (answered, refused) = sort_out(answers);
    assert_eq!(answered, 3);
    let refused = refused.expect("a refusal");
    refused
        .assert_refused(429, "concurrency_limit_exceeded")
        .assert_header("retry-after-ms", "1000");
    // The places came back.
    client.ask("sim-small").await.assert_ok();
    assert_eq!(upstream.stats().peak_in_flight, 3);
}

#[tokio::test]
async fn a_request_that_can_never_fit_says_so() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("tokens_per_minute", 50)
        .start();
    let client = hone.client("k");
    let long = [json!({"role": "user", "content": "x".repeat(1000)})];
    let answer = client
        .ask_with("sim-small", json!({"messages": long}))
        .await;
    answer
        .assert_status(429)
        .assert_header("x-should-retry", "false")
        .assert_header("retry-after", "");
    assert_eq!(answer.json()["error"]["type"], "tokens");
    // And it has cost nothing.
    client.ask("sim-small").await.assert_ok();
}

#[tokio::test]
async fn every_token_of_every_sub_call_counts() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("tokens_per_minute", 100_000)
        .start();
    let client = hone.client("k");
    let answer = client.ask("moa-sim-small").await.json();
    let used = answer["usage"]["total_tokens"].as_u64().expect("a total");
    let left = client.left("tokens").await;
    // The bucket refills by 1,667 tokens a second while the test runs.
    assert!(left >= 100_000 - used, "{left} left of 100000 after {used}");
    assert!(used > 100);
}

#[tokio::test]
async fn a_limit_in_mid_run_degrades_the_answer_instead_of_failing_it() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("upstream_calls_per_minute", 4)
        .start();
    let client = hone.client("k");
    let model = "self_consistency-sim-small";
    let four = json!({"num_samples": 4});
    // Four calls fit; a second run does not start.
    client.ask_with(model, four.clone()).await.assert_ok();
    client.ask_with(model, four).await.assert_status(429);
    let sixteen = json!({"num_samples": 16});
    let never = hone.client("another").ask_with(model, sixteen).await;
    never
        .assert_status(429)
        .assert_header("x-should-retry", "false");
}

/// Five requests one after the other, none of which waits for long.
async fn ask_five_times(client: &Client) {
    for _ in 0..5 {
        let began = Instant::now();
        client.ask("sim-small").await.assert_ok();
        // One call of its own and, at most, the rest of one that holds the slot it gets.
        let took = began.elapsed();
        assert!(took < Duration::from_secs(5), "{took:?}");
    }
}

#[tokio::test]
async fn a_flood_of_one_tenant_leaves_another_its_share_of_a_capped_upstream() {
    let upstream = upstream().await;
    upstream.set(slow(50));
    let hone = hone()
        .upstream_with(&upstream, |upstream| upstream.set("concurrency", 8))
        .start();
    let (flood, victim) = (hone.client("flood"), hone.client("victim"));
    // Both keys are vouched for first: until then they wait in the same turn, their address's.
    flood.ask("sim-small").await.assert_ok();
    victim.ask("sim-small").await.assert_ok();
    let story = [json!({"role": "user", "content": "a story, not a question"})];
    let fields = json!({"k": 32, "messages": story});
    let wide = chat_with("majority_voting-sim-small", fields);
    let served = async {
        upstream.wait_until(|stats| stats.in_flight >= 4).await;
        ask_five_times(&victim).await;
    };
    tokio::select! {
        _ = ask_at_once(&flood, &wide, 8) => panic!("the victim's five requests end before"),
        () = served => {}
    }
    assert!(upstream.stats().peak_in_flight <= 8);
}

#[tokio::test]
async fn a_tenant_that_takes_all_of_a_shared_rate_leaves_another_its_part() {
    let began = Instant::now();
    let upstream = upstream().await;
    let hone = hone()
        .upstream_with(&upstream, |upstream| {
            upstream.limit("requests_per_minute", 120)
        })
        .start();
    let (greedy, modest) = (hone.client("greedy"), hone.client("modest"));
    // Both keys are vouched for first: until then they share their address's part. Whose is, asks
    // for itself.
    for client in [&greedy, &modest, &modest] {
        client.ask("sim-small").await.assert_ok();
    }
    let body = chat_body("sim-small");
    let (_, refused) = sort_out(ask_at_once(&greedy, &body, 110).await);
    refused
        .expect("a refusal")
        .assert_refused(429, "rate_limit_exceeded");
    let flood = async {
        loop {
            ask_at_once(&greedy, &body, 20).await;
        }
    };
    let all_are_answered = async {
        for _ in 0..50 {
            modest.ask("sim-small").await.assert_ok();
        }
    };
    tokio::select! {
        () = flood => unreachable!("it goes on"),
        () = all_are_answered => {}
    }
    let [greedy] = calls_with("greedy", [&upstream]);
    assert_eq!(calls_with("modest", [&upstream]), [52]);
    // Its first one was its address's, half of the rate is its part, and a part of that comes back
    // each second.
    let most = 1 + 60 + began.elapsed().as_secs() + 1;
    assert!((60..=most).contains(&greedy), "{greedy} of {most}");
}

#[tokio::test]
async fn tokens_that_only_tenants_together_may_use_are_counted() {
    let upstream = upstream().await;
    upstream.set(slow(300));
    for stream in [false, true] {
        let hone = hone()
            .upstream_with(&upstream, |upstream| {
                upstream.limit("tokens_per_minute", 2100)
            })
            .start();
        let body = chat_with("sim-small", json!({"stream": stream}));
        let (answered, refused) = sort_out(ask_at_once(&hone.client("k"), &body, 20).await);
        assert!((3..=4).contains(&answered), "{answered}, stream: {stream}");
        let refused = refused.expect("a refusal");
        refused.assert_refused(429, "rate_limit_exceeded");
        refused.assert_says("upstream");
    }
}

#[tokio::test]
async fn tenants_do_not_share_limits() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("requests_per_minute", 2)
        .start();
    for tenant in ["a", "b", "c"] {
        let client = hone.client(tenant);
        for status in [200, 200, 429] {
            client.ask("sim-small").await.assert_status(status);
        }
    }
}

#[tokio::test]
async fn an_over_limit_tenant_is_refused_before_its_body_is_read() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("requests_per_minute", 1)
        .start();
    let client = hone.client("k");
    client.ask("sim-small").await.assert_ok();
    client.ask("sim-small").await.assert_status(429);
    let answer = hone
        .exchange(post_chat("k").content_length(1_000_000))
        .await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
}

#[tokio::test]
async fn what_a_tenants_answers_need_is_learned_from_relays_streams_and_strategies() {
    let upstream = upstream().await;
    let long = Knobs {
        answer_tokens: 3000,
        chunk_tokens: NonZeroU32::new(500).expect("a number"),
        ..Knobs::default()
    };
    upstream.set(long.clone());
    let hone = hone()
        .upstream(&upstream)
        .limit("tokens_per_minute", 42_000)
        .start();
    for (model, stream) in [
        ("sim-small", false),
        ("sim-small", true),
        ("re2-sim-small", false),
        ("re2-sim-small", true),
    ] {
        let client = hone.client(&format!("{model}-{stream}"));
        let body = chat_with(model, json!({"stream": stream}));
        for _ in 0..10 {
            client.chat(&body).await.assert_ok();
        }
        upstream.set(Knobs {
            latency: Latency::Constant { ms: 300 },
            ..long.clone()
        });
        // Twenty of 500 tokens would fit into what is left, but only a few of 3,000.
        let (answered, _) = sort_out(ask_at_once(&client, &body, 15).await);
        upstream.set(long.clone());
        assert!(
            (2..=7).contains(&answered),
            "{answered} of {model}, stream: {stream}"
        );
    }
}
