//! Bodies and heads that take their time.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::head::post_chat;
use crate::support::raw::read_to_end;
use crate::support::sim::calls;
use crate::support::{hone, in_time, upstream};

#[tokio::test]
async fn a_body_that_trickles_is_408_though_it_never_stops() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .bound("body_read", "300ms")
        .start();
    let stuck = hone.dial(post_chat("k").content_length(100_000).then("{"));
    let (mut reader, mut writer) = stuck.await.into_split();
    let trickle = async {
        while writer.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let mut answer = [0; 12];
    tokio::select! {
        () = trickle => {}
        read = in_time(reader.read_exact(&mut answer)) => drop(read.expect("an answer")),
    }
    assert_eq!(&answer, b"HTTP/1.1 408");
    assert_eq!(calls([&upstream]), [0]);
}

#[tokio::test]
async fn a_client_that_stops_sending_is_408_and_costs_no_upstream_call() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .bound("body_idle", "200ms")
        .start();
    let request = post_chat("k").content_length(100).then("{");
    let answer = hone.exchange(request).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(answer.contains("body_timeout"), "{answer}");
    assert_eq!(calls([&upstream]), [0]);
}

#[tokio::test]
async fn a_client_that_sends_its_head_slowly_is_disconnected() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .bound("header_read", "200ms")
        .start();
    for beginning in [
        "",
        "P",
        "PRI * HTTP/2.0\r\n",
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\n",
    ] {
        let answer = read_to_end(hone.dial(beginning).await).await;
        assert!(!answer.contains("200 OK"), "{beginning:?}: {answer}");
    }
    hone.keyless().get("/livez").await.assert_ok();
}
