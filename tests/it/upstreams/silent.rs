//! Upstreams that do not answer, or that stop in the middle.

use std::time::Duration;

use tokio::time::timeout;

use super::{through, whole};
use crate::support::head::{answer, chunk};
use crate::support::hone;
use crate::support::raw::Then;

#[tokio::test]
async fn an_upstream_that_falls_silent_in_mid_stream_is_cut() {
    let first = chunk("data: 1234567\n\n");
    let stream = answer("200 OK").event_stream().chunked().then(first);
    assert!(through(stream, Then::Hang, "m", true).await.is_err());
}

#[tokio::test]
async fn an_upstream_that_falls_silent_in_mid_body_is_cut_or_504() {
    let started = |length| {
        let head = answer("200 OK").json().content_length(length);
        head.then(r#"{"id":"#)
    };
    // A relay adds nothing to what its client has.
    let relayed = through(started(100_000), Then::Hang, "m", false).await;
    assert!(relayed.is_err());
    for model in ["m", "bon-m"] {
        let short = whole(started(100), Then::Hang, model).await;
        short.assert_refused(504, "deadline_exceeded");
    }
}

#[tokio::test]
async fn an_upstream_without_an_answer_is_502_or_504() {
    let huge = answer("200 OK").header("x-big", "x".repeat(600_000));
    for model in ["m", "bon-m"] {
        let hangs = whole("", Then::Hang, model).await;
        hangs.assert_refused(504, "deadline_exceeded");
        let closes = whole("", Then::Close, model).await;
        closes.assert_refused(502, "upstream_unavailable");
        let garbage = whole("garbage\r\n\r\n", Then::Close, model).await;
        garbage.assert_refused(502, "upstream_unavailable");
        let oversized = whole(huge.clone(), Then::Close, model).await;
        oversized.assert_refused(502, "upstream_unavailable");
    }
}

#[tokio::test]
async fn an_upstream_that_never_finishes_to_connect_is_502_when_that_time_is_over() {
    // The system accepts, nobody shakes hands.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await;
    let mute = mute.expect("fixture: binds");
    let address = mute.local_addr().expect("fixture: an address");
    let url = format!("https://{address}/v1");
    let hone = hone()
        .upstream_with(&address, |upstream| upstream.set("base_url", url))
        .bound("connect", "200ms")
        .start();
    for model in ["m", "re2-m"] {
        let client = hone.client("k");
        let answer = timeout(Duration::from_secs(10), client.ask(model)).await;
        let answer = answer.expect("an answer in time");
        answer.assert_refused(502, "upstream_unavailable");
    }
}
