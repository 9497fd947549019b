//! What a call costs that its client leaves.

use std::time::Duration;

use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support::head::{answer, chunk};
use crate::support::raw::{RawUpstream, Then};
use crate::support::{Client, hone, in_time};

const LIMIT: u64 = 100_000;
/// What hone may find in a bucket that fills while a test runs.
const REFILL: u64 = 20_000;

/// A stream of these events that goes on for ever, or at least does not end.
fn unfinished(events: &[Value]) -> Vec<u8> {
    let events = events
        .iter()
        .map(|event| chunk(&format!("data: {event}\n\n")));
    let body: String = events.collect();
    answer("200 OK").event_stream().chunked().then(body)
}

/// A chat stream that has shown one word of what it has thought up, and holds back its usage.
fn chat(usage: &Value) -> Vec<u8> {
    let choice = json!({"index": 0, "delta": {"content": "hi"}, "finish_reason": null});
    unfinished(&[json!({"choices": [choice], "usage": usage})])
}

fn messages() -> Vec<u8> {
    let usage = json!({"input_tokens": 9, "output_tokens": 1});
    unfinished(&[
        json!({"type": "message_start", "message": {"usage": usage}}),
        json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "hi"}}),
    ])
}

fn responses() -> Vec<u8> {
    unfinished(&[json!({"type": "response.output_text.delta", "delta": "hi"})])
}

/// Leaves a stream once it has shown its word.
async fn leave(client: &Client, path: &str, body: &Value) {
    let client = client.clone().header("content-type", "application/json");
    let mut response = client.open(Method::POST, path, body.to_string()).await;
    let first = in_time(response.body_mut().frame()).await;
    first.expect("a frame").expect("a first frame");
}

#[tokio::test]
async fn leaving_just_before_the_account_of_a_stream_costs_its_reservation() {
    let early = json!({"prompt_tokens": 9, "completion_tokens": 1, "total_tokens": 10});
    let ask = json!([{"role": "user", "content": "think"}]);
    let cases = [
        (
            "/v1/chat/completions",
            chat(&Value::Null),
            json!({"messages": ask, "max_completion_tokens": 70_000, "max_tokens": 1}),
        ),
        (
            "/v1/chat/completions",
            chat(&early),
            json!({"messages": ask, "max_tokens": 70_000, "MAX_COMPLETION_TOKENS": 1}),
        ),
        (
            "/v1/messages",
            messages(),
            json!({"messages": ask, "max_tokens": 70_000, "max_completion_tokens": 1}),
        ),
        (
            "/v1/responses",
            responses(),
            json!({"input": "think", "max_output_tokens": 70_000, "max_tokens": 1}),
        ),
    ];
    for (path, answer, mut body) in cases {
        let upstream = RawUpstream::start(answer, Then::Hang).await;
        let hone = hone()
            .upstream(&upstream)
            .limit("tokens_per_minute", i64::try_from(LIMIT).expect("small"))
            .start();
        body["model"] = json!("m");
        body["stream"] = json!(true);
        let client = hone.client("k");
        leave(&client, path, &body).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let left = client.left("tokens").await;
        assert!(left < LIMIT - 70_000 + REFILL, "{path}: {left}");
        let again = client.post(path, body.to_string()).await;
        again
            .assert_status(429)
            .assert_header("x-hone-error", "rate_limit_exceeded");
    }
}
