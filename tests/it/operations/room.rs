//! Places at an upstream, connections and time: who waits, who is refused, what comes back.

use http_body_util::BodyExt;
use serde_json::json;
use tokio::io::AsyncReadExt;

use crate::support::head::{answer, get, post_chat};
use crate::support::raw::{RawUpstream, Then, send};
use crate::support::sim::{busy, idle, paced, slow, stuck};
use crate::support::{chat_body, chat_with, hone, in_time, upstream};

#[tokio::test]
async fn the_deadline_that_a_caller_sets_bounds_a_relay_and_a_strategy() {
    let upstream = upstream().await;
    upstream.set(stuck());
    let hone = hone().upstream(&upstream).start();
    let hurried = hone.client("k").header("x-hone-deadline-ms", "200");
    for model in ["sim-small", "bon-sim-small"] {
        let answer = hurried.ask(model).await;
        answer.assert_refused(504, "deadline_exceeded");
    }
    idle(&upstream).await;
}

#[tokio::test]
async fn a_full_queue_and_a_late_turn_are_503_with_a_time_to_come_back() {
    let upstream = upstream().await;
    upstream.set(slow(1500));
    let hone = hone()
        .upstream_with(&upstream, |upstream| upstream.set("concurrency", 1))
        .bound("queue_wait", "200ms")
        .bound("queue_length", 1)
        .start();
    let client = hone.client("k");
    let (first, (second, third)) = tokio::join!(client.ask("sim-small"), async {
        busy(&upstream).await;
        tokio::join!(client.ask("sim-small"), client.ask("sim-small"))
    });
    first.assert_ok();
    let (first, strategys) = tokio::join!(client.ask("sim-small"), async {
        busy(&upstream).await;
        client.ask("re2-sim-small").await
    });
    first.assert_ok();
    strategys.assert_refused(503, "overloaded");
    for late in [second, third] {
        late.assert_refused(503, "overloaded");
        assert!(!late.header("retry-after").is_empty(), "{late}");
    }
}

#[tokio::test]
async fn connections_above_the_cap_wait_and_are_served_when_others_leave() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).bound("connections", 3).start();
    let mut buffer = [0; 1024];
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = hone.dial(get("/livez")).await;
        let length = in_time(stream.read(&mut buffer)).await.unwrap_or(0);
        assert!(length > 0, "three are served");
        held.push(stream);
    }
    // It connects to the system's queue.
    let mut fourth = hone.dial(get("/livez")).await;
    drop(held);
    let length = in_time(fourth.read(&mut buffer)).await.expect("an answer");
    assert!(length > 0);
}

#[tokio::test]
async fn a_slow_upstream_stream_is_not_cut_while_it_says_something() {
    let upstream = upstream().await;
    upstream.set(paced(10));
    let hone = hone()
        .upstream(&upstream)
        .bound("stream_idle", "400ms")
        .start();
    let body = chat_with("sim-small", json!({"stream": true}));
    let stream = hone.client("k").open_chat(&body).await.into_body();
    let whole = stream.collect().await.expect("a whole stream");
    assert!(whole.to_bytes().ends_with(b"data: [DONE]\n\n"));
}

#[tokio::test]
async fn a_client_that_stops_reading_gives_its_place_at_the_upstream_back() {
    // More than the buffers of two sockets hold.
    let body = "x".repeat(24_000_000);
    let upstream = RawUpstream::start(answer("200 OK").body(&body), Then::Hang).await;
    let hone = hone()
        .upstream_with(&upstream, |upstream| upstream.set("concurrency", 1))
        .bound("stream_idle", "500ms")
        .start();
    let socket = tokio::net::TcpSocket::new_v4().expect("fixture: a socket");
    let small = socket.set_recv_buffer_size(8192);
    small.expect("fixture: a small buffer");
    let mut stalled = socket.connect(hone.address()).await.expect("connects");
    let request = post_chat("k").body(chat_body("m").to_string());
    send(&mut stalled, request).await;
    let begins = stalled.read_exact(&mut [0; 16]).await;
    begins.expect("the beginning of the answer");
    let next = hone.client("another").ask("m").await;
    next.assert_ok();
    assert_eq!(next.body.len(), body.len());
}
