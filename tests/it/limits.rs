//! Limits as a client meets them: what is refused, what it costs, what the answer says.

use std::time::Duration;

use futures_util::future::join_all;
use hone_sim::{Knobs, Latency};
use serde_json::json;

use crate::support::{Client, chat_body, hone, table, upstream};

#[tokio::test]
async fn concurrent_requests_never_pass_a_limit_of_fewer() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[limits]\nrequests_per_minute = 7\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("k");
    let body = chat_body("sim-small");
    let answers = join_all((0..40).map(|_| client.chat(&body))).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 200).count(),
        7
    );
    assert_eq!(upstream.stats().total_calls(), 7);
    let refused = answers
        .iter()
        .find(|answer| answer.status == 429)
        .expect("a refusal");
    assert_eq!(
        (
            refused.json()["error"]["type"].as_str(),
            refused.code().as_str()
        ),
        (Some("requests"), "rate_limit_exceeded")
    );
    assert_eq!(refused.header("x-hone-limit-source"), "hone");
    let millis: u64 = refused
        .header("retry-after-ms")
        .parse()
        .expect("milliseconds");
    assert!(millis <= 60_000 / 7 + 1, "{millis}");
    assert_eq!(
        refused.header("retry-after"),
        millis.div_ceil(1000).to_string()
    );
    assert!(
        refused.header("ratelimit").contains("requests"),
        "{:?}",
        refused.headers
    );
    assert_eq!(refused.header("x-ratelimit-limit-requests"), "7");
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), "0");
}

#[tokio::test]
async fn requests_at_once_are_limited_and_their_places_come_back() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        latency: Latency::Constant { ms: 300 },
        ..Knobs::default()
    });
    let hone = hone(&format!(
        "{}[limits]\nconcurrent_requests = 3\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("k");
    let body = chat_body("sim-small");
    let answers = join_all((0..10).map(|_| client.chat(&body))).await;
    assert_eq!(
        answers.iter().filter(|answer| answer.status == 200).count(),
        3
    );
    let refused = answers
        .iter()
        .find(|answer| answer.status == 429)
        .expect("a refusal");
    assert_eq!(
        (refused.code().as_str(), refused.header("retry-after-ms")),
        ("concurrency_limit_exceeded", "1000")
    );
    assert_eq!(client.chat(&body).await.status, 200, "the places came back");
    assert_eq!(upstream.stats().peak_in_flight, 3);
}

#[tokio::test]
async fn a_request_that_can_never_fit_says_so() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[limits]\ntokens_per_minute = 50\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("k");
    let mut body = chat_body("sim-small");
    body["messages"][0]["content"] = json!("x".repeat(1000));
    let answer = client.chat(&body).await;
    assert_eq!(
        (
            answer.status.as_u16(),
            answer.json()["error"]["type"].as_str()
        ),
        (429, Some("tokens"))
    );
    assert_eq!(
        (
            answer.header("x-should-retry"),
            answer.header("retry-after")
        ),
        ("false", "")
    );
    assert_eq!(
        client.chat(&chat_body("sim-small")).await.status,
        200,
        "and it has cost nothing"
    );
}

#[tokio::test]
async fn every_token_of_every_sub_call_counts() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[limits]\ntokens_per_minute = 100000\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("k");
    let answer = client.chat(&chat_body("moa-sim-small")).await;
    let used = answer.json()["usage"]["total_tokens"]
        .as_u64()
        .expect("a total");
    let whoami = client.get("/hone/whoami").await.json();
    let now = whoami["limits"][0]["now"]
        .as_array()
        .expect("rates")
        .iter()
        .find(|rate| rate["name"] == "tokens")
        .cloned()
        .expect("tokens");
    let left = now["remaining"].as_u64().expect("a number");
    // The bucket refills by 1,667 tokens a second while the test runs.
    assert!(left >= 100_000 - used, "{left} left of 100000 after {used}");
    assert!(used > 100);
}

#[tokio::test]
async fn a_limit_in_mid_run_degrades_the_answer_instead_of_failing_it() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[limits]\nupstream_calls_per_minute = 4\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("k");
    let mut body = chat_body("self_consistency-sim-small");
    body["num_samples"] = json!(4);
    assert_eq!(client.chat(&body).await.status, 200, "four calls fit");
    let refused = client.chat(&body).await;
    assert_eq!(
        refused.status,
        429,
        "a second run does not start: {}",
        refused.text()
    );
    body["num_samples"] = json!(16);
    let never = Client::new(hone.address()).key("another").chat(&body).await;
    assert_eq!(
        (never.status.as_u16(), never.header("x-should-retry")),
        (429, "false"),
        "sixteen can never fit in four a minute"
    );
}

#[tokio::test]
async fn a_flood_of_one_tenant_leaves_another_its_share_of_a_capped_upstream() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        latency: Latency::Constant { ms: 50 },
        ..Knobs::default()
    });
    let hone = hone(&format!("{}concurrency = 8\n", table(&upstream)));
    let flood = Client::new(hone.address()).key("flood");
    let mut wide = chat_body("majority_voting-sim-small");
    wide["k"] = json!(32);
    wide["messages"][0]["content"] = json!("a story, not a question");
    let body = chat_body("sim-small");
    let victim = Client::new(hone.address()).key("victim");
    // Both keys are vouched for first: until then they wait in the same turn, their address's.
    assert_eq!(
        (
            flood.chat(&body).await.status,
            victim.chat(&body).await.status
        ),
        (http::StatusCode::OK, http::StatusCode::OK)
    );
    let work = async {
        join_all((0..8).map(|_| flood.chat(&wide))).await;
        false
    };
    let single = async {
        upstream.wait_until(|stats| stats.in_flight >= 4).await;
        for _ in 0..5 {
            let began = tokio::time::Instant::now();
            assert_eq!(victim.chat(&body).await.status, 200);
            // One call of its own and, at most, the rest of one that holds the slot it gets.
            assert!(
                began.elapsed() < Duration::from_secs(5),
                "{:?}",
                began.elapsed()
            );
        }
        true
    };
    let won = tokio::select! { flooded = work => flooded, served = single => served };
    assert!(won, "the victim's five requests end before the flood does");
    assert!(upstream.stats().peak_in_flight <= 8);
}

#[tokio::test]
async fn tenants_do_not_share_limits() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[limits]\nrequests_per_minute = 2\n",
        table(&upstream)
    ));
    let body = chat_body("sim-small");
    for tenant in ["a", "b", "c"] {
        let client = Client::new(hone.address()).key(tenant);
        let statuses = [
            client.chat(&body).await.status,
            client.chat(&body).await.status,
            client.chat(&body).await.status,
        ];
        assert_eq!(
            statuses.map(|status| status.as_u16()),
            [200, 200, 429],
            "{tenant}"
        );
    }
}

#[tokio::test]
async fn an_over_limit_tenant_is_refused_before_its_body_is_read() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[limits]\nrequests_per_minute = 1\n",
        table(&upstream)
    ));
    assert_eq!(
        Client::new(hone.address())
            .key("k")
            .chat(&chat_body("sim-small"))
            .await
            .status,
        200
    );
    assert_eq!(
        Client::new(hone.address())
            .key("k")
            .chat(&chat_body("sim-small"))
            .await
            .status,
        429
    );
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\
        content-type: application/json\r\ncontent-length: 1000000\r\n\r\n";
    let answer = crate::support::raw::exchange(hone.address(), head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 429"), "{answer}");
}

#[tokio::test]
async fn what_a_tenants_answers_need_is_learned_from_relays_streams_and_strategies() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[limits]\ntokens_per_minute = 2000\n",
        table(&upstream)
    ));
    for (model, stream) in [
        ("sim-small", false),
        ("sim-small", true),
        ("re2-sim-small", false),
        ("re2-sim-small", true),
    ] {
        let client = Client::new(hone.address()).key(&format!("{model}-{stream}"));
        let mut body = chat_body(model);
        body["stream"] = json!(stream);
        for _ in 0..10 {
            assert_eq!(client.chat(&body).await.status, 200);
        }
        upstream.set(Knobs {
            latency: Latency::Constant { ms: 300 },
            ..Knobs::default()
        });
        // Ten at once are reserved 500 tokens of output each as long as nothing is known of them,
        // and that is more than there are.
        let answers = join_all((0..10).map(|_| client.chat(&body))).await;
        upstream.set(Knobs::default());
        assert_eq!(
            answers.iter().filter(|answer| answer.status == 200).count(),
            10,
            "{model}, stream: {stream}"
        );
    }
}
