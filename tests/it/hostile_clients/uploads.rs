//! Bodies that are handed on as they come: how slow a client may be, and whose time runs meanwhile.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::raw::{RawUpstream, Then, read_to_end};
use crate::support::{Client, chat_body, hone, table_at};

const ANSWER: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}";

/// Begins to upload `length` bytes.
async fn begin(address: SocketAddr, length: usize) -> TcpStream {
    let mut client = TcpStream::connect(address).await.expect("connects");
    let head = "POST /v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\
        content-type: multipart/form-data; boundary=b\r\nconnection: close\r\n";
    client
        .write_all(format!("{head}content-length: {length}\r\n\r\n").as_bytes())
        .await
        .expect("sends");
    client
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
    let upstream = RawUpstream::start(ANSWER, Then::Close).await;
    let hone = hone(&format!(
        "{}concurrency = 1\n[bounds]\nbody_idle = \"400ms\"\n",
        table_at("raw", upstream.address)
    ));
    let (mut reading, mut writing) = begin(hone.address(), 100_000).await.into_split();
    let next = async {
        let (client, body) = (Client::new(hone.address()).key("another"), chat_body("m"));
        let answer = tokio::time::timeout(Duration::from_secs(8), client.chat(&body))
            .await
            .expect("the place comes free");
        assert_eq!(answer.status, 200);
    };
    let refused = async {
        let mut answer = String::new();
        reading
            .read_to_string(&mut answer)
            .await
            .expect("an answer");
        answer
    };
    // Twenty seconds of it, if nobody minds.
    let answer = tokio::select! {
        () = trickle(&mut writing, 200) => panic!("nobody minds"),
        (answer, ()) = async { tokio::join!(refused, next) } => answer,
    };
    assert!(
        answer.starts_with("HTTP/1.1 408") && answer.contains("body_timeout"),
        "{answer}"
    );
}

#[tokio::test]
async fn the_upstreams_time_to_answer_does_not_run_while_the_client_sends() {
    let upstream = RawUpstream::start(ANSWER, Then::Close).await;
    let hone = hone(&format!(
        "{}[bounds]\nupstream_head = \"300ms\"\n",
        table_at("raw", upstream.address)
    ));
    let mut slow = begin(hone.address(), 8).await;
    trickle(&mut slow, 8).await;
    let answer = read_to_end(slow).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_an_upload_is_504() {
    let upstream = RawUpstream::start("", Then::Hang).await;
    let hone = hone(&format!(
        "{}[bounds]\nupstream_head = \"300ms\"\n",
        table_at("raw", upstream.address)
    ));
    let mut client = begin(hone.address(), 8).await;
    client.write_all(b"12345678").await.expect("sends");
    let answer = read_to_end(client).await;
    assert!(
        answer.starts_with("HTTP/1.1 504") && answer.contains("deadline_exceeded"),
        "{answer}"
    );
}
