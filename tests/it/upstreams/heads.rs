//! Answers with many header fields: they pass, and what is too large is called by its name.

use http::Method;
use http_body_util::BodyExt;

use super::{through, whole};
use crate::support::head::{Head, answer, chunk, chunks};
use crate::support::multiplexed::{FIELDS, Multiplexed};
use crate::support::raw::{RawUpstream, Then};
use crate::support::{Client, chat_body, hone, in_time};

const COMPLETION: &str = r#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},
    "finish_reason":"stop"}]}"#;

fn with_fields(count: usize, value: &str) -> Head {
    fields(answer("200 OK").json().close(), count, value)
}

fn fields(head: Head, count: usize, value: &str) -> Head {
    (0..count).fold(head, |head, number| {
        head.header(&format!("x-field-{number}"), value)
    })
}

#[tokio::test]
async fn an_answer_of_256_fields_passes_in_a_relay_and_in_a_strategy() {
    for count in [101, 256, 500] {
        let given = || with_fields(count, "v").body(COMPLETION);
        let relayed = whole(given(), Then::Close, "m").await;
        let fields = relayed.assert_ok().headers.keys();
        let fields = fields.filter(|name| name.as_str().starts_with("x-field-"));
        assert_eq!(fields.count(), count);
        whole(given(), Then::Close, "re2-m")
            .await
            .assert_ok()
            .assert_says("hi");
    }
}

#[tokio::test]
async fn what_stands_behind_many_fields_arrives_as_behind_few() {
    let long = "x".repeat(300_000);
    for kept in [answer("200 OK"), answer("200 OK").close()] {
        let head = || fields(kept.clone(), 300, "v");
        let seen = whole(head().body(&long), Then::Close, "m").await;
        assert_eq!(seen.text(), long);
        let pieces = chunks([&long, "end"]);
        let seen = whole(head().chunked().then(pieces), Then::Hang, "m").await;
        assert_eq!(seen.body.len(), long.len() + 3);
        let cut = head().content_length(400_000).then(&long);
        let cut = through(cut, Then::Close, "m", false).await;
        assert!(cut.is_err(), "made whole: {cut:?}");
    }
}

#[tokio::test]
async fn a_question_for_a_head_of_many_fields_does_not_wait_for_a_body() {
    let head = fields(answer("200 OK").content_length(10), 300, "v");
    let upstream = RawUpstream::start(head, Then::Hang).await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k");
    let seen = in_time(client.send(Method::HEAD, "/v1/files/f", "")).await;
    seen.assert_ok().assert_header("x-field-299", "v");
}

#[tokio::test]
async fn a_stream_behind_many_fields_arrives_as_it_comes_and_stops_with_its_client() {
    let head = fields(answer("200 OK").event_stream().chunked(), 300, "v");
    let given = head.then(chunk("data: 1\n\n"));
    let upstream = RawUpstream::start(given, Then::Hang).await;
    let hone = hone().upstream(&upstream).start();
    let mut stream = hone.client("k").open_chat(&chat_body("m")).await;
    let event = in_time(stream.frame()).await.expect("more").expect("data");
    assert_eq!(event.into_data().expect("data"), "data: 1\n\n");
    drop(stream);
    in_time(upstream.left()).await;
}

#[tokio::test]
async fn a_head_that_is_too_large_is_told_as_that() {
    for head in [with_fields(513, "v"), with_fields(100, &"v".repeat(40_000))] {
        let given = head.body(COMPLETION);
        for model in ["m", "re2-m"] {
            let refused = whole(given.clone(), Then::Close, model).await;
            refused.assert_refused(502, "upstream_unavailable");
            if model == "m" {
                refused.assert_says("512 header fields");
            }
        }
    }
}

#[tokio::test]
async fn over_http2_it_is_the_same() {
    let upstream = Multiplexed::start(None, 100).await;
    let hone = hone()
        .upstream_with(&upstream, |sim| upstream.spoken(sim))
        .start();
    let client: Client = hone.client("k");
    for prefix in ["", "re2-"] {
        let passed = client.ask(&format!("{prefix}{FIELDS}256")).await;
        passed.assert_ok().assert_says("hi");
        let refused = client.ask(&format!("{prefix}{FIELDS}1000")).await;
        refused.assert_refused(502, "upstream_unavailable");
        if prefix.is_empty() {
            refused.assert_says("the head of its answer");
        }
    }
    client.ask(&format!("{FIELDS}256")).await.assert_ok();
}
