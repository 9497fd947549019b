//! Clients that do not read, whose answers stay unread on the connection to the upstream.

use std::thread;

use tokio::io::AsyncReadExt;
use tokio::net::{TcpSocket, TcpStream};

use crate::support::head::post_chat;
use crate::support::multiplexed::{ENDLESS, LARGE, LARGE_MODEL, Multiplexed};
use crate::support::raw::send;
use crate::support::tls::Identity;
use crate::support::{Hone, chat_body, hone, in_time};

/// A client that asks for an answer and reads its beginning only.
async fn stuck(hone: &Hone, model: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("fixture: a socket");
    let small = socket.set_recv_buffer_size(4096);
    small.expect("fixture: a small buffer");
    let mut stream = socket.connect(hone.address()).await.expect("connects");
    let request = post_chat("stuck").body(chat_body(model).to_string());
    send(&mut stream, request).await;
    let begins = in_time(stream.read_exact(&mut [0; 16])).await;
    begins.expect("the beginning of the answer");
    stream
}

async fn others_are_answered(identity: Option<&Identity>) {
    let upstream = Multiplexed::start(identity, 200).await;
    let hone = hone()
        .upstream_with(&upstream, |upstream_of| upstream.spoken(upstream_of))
        .start_with_workers();
    let workers = thread::available_parallelism().expect("fixture: cores");
    let mut readers = Vec::new();
    for _ in 0..8 * workers.get() {
        for model in [LARGE_MODEL, ENDLESS] {
            readers.push(stuck(&hone, model).await);
        }
    }
    for _ in 0..2 * workers.get() {
        for (model, bytes) in [("small", 2), (LARGE_MODEL, LARGE)] {
            // A connection of its own, which goes to the next worker in turn.
            let answer = hone.client("another").ask(model).await;
            assert_eq!(answer.assert_ok().body.len(), bytes);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_read_hold_up_nobody_over_http2_without_tls() {
    others_are_answered(None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_do_not_read_hold_up_nobody_over_http2_with_tls() {
    others_are_answered(Some(&Identity::new())).await;
}
