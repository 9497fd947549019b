//! Bodies that are handed on as they come: how slow a client may be, and whose time runs meanwhile.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::head::{answer, post};
use crate::support::raw::{RawUpstream, Then, read_to_end, send};
use crate::support::{Hone, hone};

async fn upstream() -> RawUpstream {
    RawUpstream::start(answer("200 OK").json().body("{}"), Then::Close).await
}

/// Begins to upload `length` bytes.
async fn begin(hone: &Hone, length: usize) -> TcpStream {
    let form = "multipart/form-data; boundary=b";
    let request = post("/v1/files").key("k").header("content-type", form);
    hone.dial(request.close().content_length(length)).await
}

/// Sends one byte every 100 ms until the other side has had enough of it.
async fn trickle(client: &mut (impl AsyncWriteExt + Unpin), bytes: usize) {
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    for _ in 0..bytes {
        pace.tick().await;
        if client.write_all(b"x").await.is_err() {
            // Refused; what remains to be said is in the answer.
            return std::future::pending().await;
        }
    }
}

#[tokio::test]
async fn an_upload_of_a_byte_now_and_then_loses_its_place_at_the_upstream() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream_with(&upstream, |upstream| upstream.set("concurrency", 1))
        .bound("body_idle", "400ms")
        .start();
    let (mut reading, mut writing) = begin(&hone, 100_000).await.into_split();
    let next = async {
        let client = hone.client("another");
        let answer = tokio::time::timeout(Duration::from_secs(8), client.ask("m"));
        answer.await.expect("the place comes free").assert_ok();
    };
    let refused = async {
        let mut answer = String::new();
        let read = reading.read_to_string(&mut answer).await;
        read.expect("an answer");
        answer
    };
    // Twenty seconds of it, if nobody minds.
    let answer = tokio::select! {
        () = trickle(&mut writing, 200) => panic!("nobody minds"),
        (answer, ()) = async { tokio::join!(refused, next) } => answer,
    };
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("body_timeout"), "{answer}");
}

#[tokio::test]
async fn the_upstreams_time_to_answer_does_not_run_while_the_client_sends() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .bound("upstream_head", "300ms")
        .start();
    let mut slow = begin(&hone, 8).await;
    trickle(&mut slow, 8).await;
    let answer = read_to_end(slow).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_an_upload_is_504() {
    let upstream = RawUpstream::start("", Then::Hang).await;
    let hone = hone()
        .upstream(&upstream)
        .bound("upstream_head", "300ms")
        .start();
    let mut client = begin(&hone, 8).await;
    send(&mut client, "12345678").await;
    let answer = read_to_end(client).await;
    assert!(answer.starts_with("HTTP/1.1 504"), "{answer}");
    assert!(answer.contains("deadline_exceeded"), "{answer}");
}
