//! What a client is told of a strategy's run: its cost, its detail, its failures.

use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::parts::Knobs;
use crate::support::sim::{calls, fails_with, fault};
use crate::support::{chat_with, hone, text, upstream};

#[tokio::test]
async fn a_dry_run_tells_the_plan_and_spends_nothing() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k").header("x-hone-dry-run", "1");
    let plan = client
        .ask_with("bon-sim-small", json!({"best_of_n": 5}))
        .await;
    plan.assert_ok();
    assert_eq!(plan.json()["upstream_calls"], 4, "{plan}");
    assert_eq!(plan.json()["depth"], 2, "{plan}");
    assert_eq!(calls([&upstream]), [0]);
}

#[tokio::test]
async fn usage_is_the_sum_of_all_calls_and_detail_tells_each() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k").header("x-hone-detail", "trace");
    let three = json!({"moa_proposers": 3});
    let answer = client.ask_with("moa-sim-small", three).await;
    let told = answer.json();
    let traced = told["hone"]["trace"]["calls"].as_array();
    let traced = traced.unwrap_or_else(|| panic!("calls: {answer}"));
    assert_eq!(told["hone"]["upstream_calls"], traced.len());
    let tokens = |usage: &Value| usage["completion_tokens"].as_u64();
    let (all, last) = (tokens(&told["usage"]), tokens(&told["hone"]["final_usage"]));
    assert!(all > last, "{answer}");
    let plain = hone.client("k").ask("moa-sim-small").await.json();
    assert!(plain.get("hone").is_none());
}

#[tokio::test]
async fn a_failure_before_the_first_answer_keeps_its_status_and_a_later_one_is_an_event() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k");
    let failing = json!({"stream": true, "sim": fails_with(401)});
    let early = client.ask_with("moa-sim-small", failing).await;
    early.assert_status(401);
    let fields = json!({"stream": true, "sim": fault(&json!("cut_mid_body"))});
    let cut = client.open_chat(&chat_with("re2-sim-small", fields)).await;
    assert_eq!(cut.status(), 200);
    let stream = cut.into_body().collect().await.expect("an end");
    let stream = text(stream.to_bytes());
    assert!(stream.contains(r#""error""#), "{stream}");
    assert!(!stream.contains("[DONE]"), "{stream}");
}

#[tokio::test]
async fn a_streamed_answer_ends_with_what_it_cost() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let fields = json!({"stream": true, "stream_options": {"include_usage": true}});
    let answer = hone.client("k").ask_with("bon-sim-small", fields).await;
    answer.assert_done();
    let stream = answer.text();
    let comment = stream.lines().find_map(|line| line.strip_prefix(": hone "));
    let comment = comment.unwrap_or_else(|| panic!("a comment: {answer}"));
    let told: Value = serde_json::from_str(comment).expect("JSON");
    assert!(told["upstream_calls"].as_u64() >= Some(2), "{told}");
    let before_done = stream.rsplit("data: ").nth(1).expect("a last chunk");
    assert!(before_done.contains(r#""usage":{"#), "{before_done}");
}

#[tokio::test]
async fn auto_says_what_it_picked_and_why_within_the_tenants_limits() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("upstream_calls_per_minute", 3)
        .start();
    upstream.set(Knobs {
        content: Some("The answer is 5.".to_owned()),
        ignores: vec!["logprobs".to_owned()],
        ..Knobs::default()
    });
    let answer = hone.client("k").ask("auto-sim-small").await;
    assert_eq!(answer.approach(), "auto");
    let why = answer.header("x-hone-auto");
    assert!(why.starts_with("none:"), "{answer}");
    let other = hone.client("another");
    for _ in 0..2 {
        other.ask("sim-small").await.assert_ok();
    }
    let poor = other.ask("auto-sim-small").await;
    let why = "none: the budget has no room for a second call";
    poor.assert_header("x-hone-auto", why);
    let third = hone.client("third");
    let streamed = third.ask_with("auto-sim-small", json!({"stream": true}));
    streamed.await.assert_says(r#""auto":["none: "#);
}

#[tokio::test]
async fn what_an_upstream_lacks_is_named() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let fields = json!({"decoding": "cot_decoding", "sim": {"ignores": ["logprobs"]}});
    let lacking = hone.client("k").ask_with("sim-small", fields).await;
    lacking
        .assert_refused(400, "capability_missing")
        .assert_says("log probabilities");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_request_is_answered_beside_the_workers_whole_and_as_it_comes() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start_with_workers();
    let client = hone.client("k");
    let question = format!("{}What is 2 + 3?", "word ".repeat(200_000));
    let messages = json!([{"role": "user", "content": question}]);
    let fields = json!({"messages": messages, "stream": false});
    let whole = client.ask_with("bon-sim-small", fields).await;
    assert_eq!(whole.approach(), "bon");
    let began = Instant::now();
    let fields = json!({"messages": messages, "stream": true});
    let streamed = client.ask_with("moa-sim-small", fields).await;
    // Nothing waits for the heartbeat.
    streamed.assert_done().assert_hides(": working");
    assert!(began.elapsed().as_secs() < 10);
}
