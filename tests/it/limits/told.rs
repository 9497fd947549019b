//! What a provider is asked to tell, and what a call costs of which nothing was told.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::head::answer;
use crate::support::parts::{Knobs, SimHandle};
use crate::support::raw::{RawUpstream, Then};
use crate::support::setup::Listens;
use crate::support::sim::{bodies, calls};
use crate::support::{Client, Hone, chat_with, hone, upstream};

const LIMIT: u64 = 100_000;
/// What hone may find in a bucket that fills while a test runs.
const REFILL: u64 = 20_000;

fn limited(upstream: &impl Listens) -> Hone {
    hone()
        .upstream(upstream)
        .limit("tokens_per_minute", i64::try_from(LIMIT).expect("small"))
        .start()
}

fn stream(more: &Value) -> Value {
    let mut fields = json!({"stream": true});
    for (name, value) in more.as_object().expect("an object") {
        fields[name] = value.clone();
    }
    chat_with("sim-small", fields)
}

/// Whether hone asks for the usage of this client's next stream.
async fn is_asked(client: &Client, upstream: &SimHandle) -> bool {
    let before = upstream.requests().len();
    client.chat(&stream(&json!({}))).await.assert_ok();
    bodies(upstream)[before].contains(r#""stream_options":{"include_usage":true}"#)
}

#[tokio::test]
async fn a_refusal_that_is_not_the_questions_fault_teaches_nothing() {
    let upstream = upstream().await;
    let hone = limited(&upstream);
    let client = hone.client("k");
    upstream.set(Knobs {
        rejects: vec!["stream_options".to_owned(), "top_k".to_owned()],
        ..Knobs::default()
    });
    for model in ["sim-small", "re2-sim-small"] {
        let mut body = stream(&json!({"top_k": 1}));
        body["model"] = json!(model);
        client.chat(&body).await.assert_status(400);
    }
    upstream.set(Knobs::default());
    assert!(is_asked(&client, &upstream).await, "the same was refused");
    // Served without the question, but the client's own text has its name in it.
    let own = stream(&json!({"sim": {"rejects": ["stream_options"]}}));
    client.chat(&own).await.assert_ok();
    assert!(is_asked(&client, &upstream).await, "the client named it");
}

#[tokio::test]
async fn a_question_in_another_spelling_or_a_stream_for_anything_but_true_is_no_way_around() {
    let upstream = upstream().await;
    let hone = limited(&upstream);
    let client = hone.client("k");
    let spelled = stream(&json!({"STREAM_OPTIONS": {"include_usage": true}}));
    client.chat(&spelled).await.assert_ok();
    assert!(bodies(&upstream)[0].contains(r#""stream_options":{"include_usage":true}"#));
    for (field, value) in [
        ("stream", json!(1)),
        ("stream", json!("true")),
        ("Stream", json!("yes")),
        ("n", json!("6_4")),
        ("N", json!(true)),
        ("max_tokens", json!("4_000")),
        ("max_completion_tokens", json!(2.5)),
    ] {
        let fields = Value::from_iter([(field, value)]);
        for model in ["sim-small", "re2-sim-small"] {
            let refused = client.ask_with(model, fields.clone()).await;
            assert_eq!(refused.status, 400, "{field} {model}");
        }
    }
    let spelled = json!({"MAX_TOKENS": 4000, "max_tokens": null});
    let refused = client.ask_with("re2-sim-small", json!({"MAX_TOKENS": 4000}));
    refused.await.assert_refused(400, "invalid_type");
    let refused = client.ask_with("sim-small", spelled).await;
    refused.assert_refused(400, "duplicate_field");
    assert_eq!(calls([&upstream]), [1]);
    // Without a limit on tokens it is the provider's to refuse.
    let free = crate::support::hone().upstream(&upstream).start();
    let free = free.client("k");
    free.ask_with("sim-small", json!({"stream": 1})).await;
    assert_eq!(calls([&upstream]), [2]);
}

/// What this answer to a request for up to 70,000 tokens costs.
async fn cost(path: &str, mut body: Value, answer: Vec<u8>) -> u64 {
    let upstream = RawUpstream::start(answer, Then::Close).await;
    let hone = limited(&upstream);
    let client = hone.client("k");
    body["model"] = json!("m");
    client.post(path, body.to_string()).await.assert_ok();
    tokio::time::sleep(Duration::from_millis(50)).await;
    LIMIT - client.left("tokens").await
}

fn document(body: &Value) -> Vec<u8> {
    answer("200 OK").json().close().body(body.to_string())
}

#[tokio::test]
async fn an_answer_that_neither_reports_nor_shows_what_was_made_costs_its_reservation() {
    let most = json!({"input": "x", "max_output_tokens": 70_000, "background": true});
    let zeros = json!({"input_tokens": 0, "output_tokens": 0, "total_tokens": 0});
    let input = json!({"input_tokens": 9, "output_tokens": 0, "total_tokens": 9});
    for usage in [Value::Null, zeros, input] {
        let queued = json!({"id": "r", "status": "queued", "output": [], "usage": usage});
        let cost = cost("/v1/responses", most.clone(), document(&queued)).await;
        assert!(cost > 70_000 - REFILL, "{usage}: {cost}");
    }
    let chat = json!({"messages": [{"role": "user", "content": "x"}], "max_tokens": 70_000});
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": ""}});
    let silent = document(&json!({"choices": [choice]}));
    let spent = cost("/v1/chat/completions", chat.clone(), silent).await;
    assert!(spent > 70_000 - REFILL, "{spent}");
    // A text explains it.
    let choice = json!({"index": 0, "message": {"role": "assistant", "content": "yes"}});
    let shown = document(&json!({"choices": [choice]}));
    let spent = cost("/v1/chat/completions", chat.clone(), shown).await;
    assert!(spent < 100, "{spent}");
    // Nobody has asked for a stream, and so nobody for its usage.
    let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"yes\"}}]}\n\n";
    let events = answer("200 OK").event_stream().close();
    let streamed = events.body(format!("{event}data: [DONE]\n\n"));
    let spent = cost("/v1/chat/completions", chat, streamed).await;
    assert!(spent > 70_000 - REFILL, "{spent}");
}

#[tokio::test]
async fn an_answer_in_the_background_needs_a_bound_where_tokens_count() {
    let upstream = upstream().await;
    let hone = limited(&upstream);
    let body = json!({"model": "sim-small", "input": "x", "background": true});
    let client = hone.client("k");
    let answer = client.post("/v1/responses", body.to_string()).await;
    answer.assert_refused(400, "invalid_type");
    assert_eq!(calls([&upstream]), [0]);
}

#[tokio::test]
async fn a_stream_of_completions_is_asked_for_its_usage_too() {
    let text = "data: {\"choices\":[{\"index\":0,\"text\":\"7777\"}]}\n\n";
    let usage = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":\
        30000}}\n\n";
    let events = answer("200 OK").event_stream().close();
    let streamed = events.body(format!("{text}{usage}data: [DONE]\n\n"));
    let raw = RawUpstream::start(streamed, Then::Close).await;
    let hone = limited(&raw);
    let client = hone.client("k");
    let mut body = json!({"model": "m", "prompt": "x", "max_tokens": 40_000, "stream": true});
    let answer = client.post("/v1/completions", body.to_string()).await;
    answer.assert_ok().assert_done().assert_hides("usage");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let left = client.left("tokens").await;
    assert!(left < LIMIT - 30_000 + REFILL, "{left}");
    // What chat refuses teaches nothing of completions.
    let upstream = upstream().await;
    upstream.set(crate::support::sim::rejects("stream_options"));
    let hone = limited(&upstream);
    let client = hone.client("k");
    client.chat(&stream(&json!({}))).await.assert_ok();
    body["model"] = json!("sim-small");
    body["max_tokens"] = json!(9);
    client.post("/v1/completions", body.to_string()).await;
    let asked = |body: &String| body.contains("include_usage");
    let asked: Vec<bool> = bodies(&upstream).iter().map(asked).collect();
    assert_eq!(asked, [true, false, true, false]);
}
