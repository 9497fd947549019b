//! A client is seen to leave whatever it has sent behind its request. To send no more is to leave.

use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;

use super::{PROMPTLY, time_to_cancel};
use crate::support::head::{get, post, post_chat};
use crate::support::parts::{Fault, SimHandle};
use crate::support::raw::{read_to_end, send};
use crate::support::sim::{busy, calls, faulty, paced, slow, stuck};
use crate::support::tls::Identity;
use crate::support::{Hone, chat_body, chat_with, hone, in_time, upstream};

/// How a client leaves.
#[derive(Debug, Clone, Copy)]
enum Leave {
    /// It says that it sends no more, and stays to read.
    HalfClose,
    Close,
    Reset,
}

impl Leave {
    const ALL: [Self; 3] = [Self::HalfClose, Self::Close, Self::Reset];

    /// Leaves. What it returns is what stays.
    async fn go(self, mut client: TcpStream) -> Option<TcpStream> {
        match self {
            Self::HalfClose => {
                client.shutdown().await.expect("shuts down");
                return Some(client);
            }
            Self::Close => {}
            Self::Reset => client.set_zero_linger().expect("resets"),
        }
        None
    }
}

/// What may stand behind a request.
fn behind() -> Vec<Vec<u8>> {
    let another = Vec::from(get("/livez"));
    vec![
        Vec::new(),
        b"\r\n".to_vec(),
        b"x".to_vec(),
        another.clone(),
        another.repeat(1000),
    ]
}

/// How long it takes from the client's end to that of the upstream's call.
async fn cancels(
    hone: &Hone,
    sim: &SimHandle,
    request: &[u8],
    rest: &[u8],
    leave: Leave,
) -> Duration {
    let mut times = Vec::new();
    // One hiccup of a busy machine decides nothing.
    for _ in 0..3 {
        let before = sim.stats().cancelled;
        let mut client = hone.dial([request, rest].concat()).await;
        busy(sim).await;
        send(&mut client, rest).await;
        let since = Instant::now();
        let _stays = leave.go(client).await;
        let gone = sim.wait_until(|stats| stats.cancelled > before && stats.in_flight == 0);
        in_time(gone).await;
        times.push(since.elapsed());
    }
    times.sort();
    times[1]
}

#[tokio::test]
async fn a_client_is_seen_to_leave_whatever_it_has_sent_behind_its_request() {
    let upstream = upstream().await;
    upstream.set(stuck());
    let hone = hone().upstream(&upstream).start();
    for model in ["sim-small", "moa-sim-small", "bon-sim-small"] {
        let request = post_chat("k").body(chat_body(model).to_string());
        for rest in behind() {
            for leave in Leave::ALL {
                let took = cancels(&hone, &upstream, &request, &rest, leave).await;
                let length = rest.len();
                assert!(took <= PROMPTLY, "{model}, {length}, {leave:?}: {took:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_client_is_seen_to_leave_in_the_middle_of_a_stream() {
    let upstream = upstream().await;
    upstream.set(paced(5));
    let hone = hone().upstream(&upstream).start();
    let body = chat_with("sim-small", json!({"stream": true}));
    let request = post_chat("k").body(body.to_string());
    for rest in behind() {
        let took = cancels(&hone, &upstream, &request, &rest, Leave::HalfClose).await;
        assert!(took <= PROMPTLY, "{}: {took:?}", rest.len());
    }
}

#[tokio::test]
async fn a_client_is_seen_to_leave_behind_an_upload() {
    let upstream = upstream().await;
    upstream.set(faulty(None, Fault::HangBeforeHead));
    let hone = hone().upstream(&upstream).start();
    let begin = post("/v1/other")
        .key("k")
        .header("content-type", "text/plain");
    let whole = begin.clone().body("x".repeat(100_000));
    let chunked = begin.chunked().then("1\r\nx\r\n0\r\n\r\n");
    for request in [whole, chunked] {
        for rest in behind() {
            for leave in Leave::ALL {
                let took = cancels(&hone, &upstream, &request, &rest, leave).await;
                assert!(took <= PROMPTLY, "{}, {leave:?}: {took:?}", rest.len());
            }
        }
    }
}

#[tokio::test]
async fn a_client_is_seen_to_leave_though_nobody_has_read_its_body() {
    let upstream = upstream().await;
    upstream.set(faulty(None, Fault::HangBeforeHead));
    let hone = hone()
        .upstream(&upstream)
        .upstream_with(&upstream, |other| other.named("other").models(&["other"]))
        .start();
    let begin = get("/v1/models").key("k");
    for request in [begin.clone().body("body"), begin.content_length(10).into()] {
        for leave in Leave::ALL {
            let took = cancels(&hone, &upstream, &request, b"", leave).await;
            assert!(took <= PROMPTLY, "{leave:?}: {took:?}");
        }
    }
}

#[tokio::test]
async fn a_client_is_seen_to_leave_while_its_upload_waits_for_its_turn() {
    let upstream = upstream().await;
    upstream.set(faulty(None, Fault::HangBeforeHead));
    let hone = hone()
        .upstream_with(&upstream, |upstream| upstream.set("concurrency", 1))
        .start();
    let begin = post("/v1/other").header("content-type", "text/plain");
    let first = begin.clone().key("first").body("x".repeat(100));
    let mut first = hone.dial(first).await;
    busy(&upstream).await;
    let second = begin.key("second").body("x".repeat(50_000));
    for leave in Leave::ALL {
        let waiting = hone.dial(second.clone()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(leave.go(waiting).await);
    }
    tokio::time::sleep(PROMPTLY).await;
    first.shutdown().await.expect("shuts down");
    time_to_cancel(&upstream, Instant::now()).await;
    tokio::time::sleep(PROMPTLY).await;
    assert_eq!(calls([&upstream]), [1], "nobody waits any more");
}

#[tokio::test]
async fn a_client_is_seen_to_leave_over_tls() {
    let (upstream, identity) = (upstream().await, Identity::new());
    upstream.set(stuck());
    let hone = hone().upstream(&upstream).tls(&identity).start();
    let request = post_chat("k").body(chat_body("bon-sim-small").to_string());
    for says_so in [false, true] {
        let mut client = identity.connect(hone.address(), "http/1.1").await;
        send(&mut client, [request.as_slice(), b"\r\n"].concat()).await;
        client.flush().await.expect("sends");
        busy(&upstream).await;
        let since = Instant::now();
        if says_so {
            client.shutdown().await.expect("shuts down");
        }
        drop(client);
        let took = time_to_cancel(&upstream, since).await;
        assert!(took <= Duration::from_secs(1), "{says_so}: {took:?}");
    }
}

#[tokio::test]
async fn who_sends_more_behind_a_request_than_can_be_kept_is_cut_off() {
    let upstream = upstream().await;
    upstream.set(stuck());
    let hone = hone().upstream(&upstream).start();
    let request = post_chat("k").body(chat_body("bon-sim-small").to_string());
    let mut client = hone.dial(request).await;
    busy(&upstream).await;
    let more = "x".repeat(1_000_000);
    let _cut = in_time(client.write_all(more.as_bytes())).await;
    time_to_cancel(&upstream, Instant::now()).await;
    assert_eq!(read_to_end(client).await, "");
}

#[tokio::test]
async fn requests_behind_one_that_runs_are_answered_in_turn() {
    let upstream = upstream().await;
    upstream.set(slow(300));
    let hone = hone().upstream(&upstream).start();
    let request = |model| post_chat("k").body(chat_body(model).to_string());
    let mut client = hone
        .dial([request("sim-small"), request("sim-large")].concat())
        .await;
    busy(&upstream).await;
    let last = post_chat("k")
        .close()
        .body(chat_body("sim-small").to_string());
    for piece in last.chunks(20) {
        send(&mut client, piece).await;
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut answers = String::new();
    let read = in_time(client.read_to_string(&mut answers)).await;
    read.expect("three answers");
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
    assert_eq!(calls([&upstream]), [3]);
}
