//! Streams at an upstream that speaks HTTP/2: begun, left, refused, and reset by nobody else.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::support::frames::{
    Connection, DATA, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PREFACE, RST_STREAM,
    SETTINGS,
};
use crate::support::head::post_chat;
use crate::support::setup::Setup;
use crate::support::{Hone, chat_with, hone, in_time};

/// `:status: 200` (RFC 7541).
const OK: u8 = 0x88;
/// `REFUSED_STREAM` (RFC 9113 §7).
const REFUSED: [u8; 4] = [0, 0, 0, 7];
/// `SETTINGS_MAX_CONCURRENT_STREAMS`: 0.
const NO_STREAMS: [u8; 6] = [0, 3, 0, 0, 0, 0];

/// An upstream that is written frame by frame.
struct Provider {
    address: SocketAddr,
    listener: TcpListener,
}

impl Provider {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("fixture: binds");
        let address = listener.local_addr().expect("fixture: an address");
        Self { address, listener }
    }

    fn behind(&self) -> Setup {
        hone().upstream_with(&self.address, |upstream| {
            upstream.set("http2_prior_knowledge", true)
        })
    }

    /// The next connection, which is told these settings.
    async fn accept(&self, settings: &[u8]) -> Connection {
        let (mut stream, _) = in_time(self.listener.accept()).await.expect("connects");
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).await.expect("a preface");
        let mut connection = Connection(stream);
        assert!(connection.send(&Frame::new(SETTINGS, 0, 0, settings)).await);
        connection
    }
}

/// The next request's stream.
async fn next(connection: &mut Connection) -> u32 {
    let head = connection.until(HEADERS).await.expect("a request");
    head.stream
}

async fn begin_answer(connection: &mut Connection, stream: u32) {
    let head = Frame::new(HEADERS, END_HEADERS, stream, [OK]);
    assert!(connection.send(&head).await);
    assert!(connection.send(&Frame::new(DATA, 0, stream, "{")).await);
}

async fn end_answer(connection: &mut Connection, stream: u32) {
    let end = Frame::new(DATA, END_STREAM, stream, "}");
    assert!(connection.send(&end).await);
}

/// A chat request with so much text.
async fn ask(hone: &Hone, length: usize) -> TcpStream {
    let messages = json!([{"role": "user", "content": "x".repeat(length)}]);
    let body = chat_with("m", json!({"messages": messages}));
    hone.dial(post_chat("k").body(body.to_string())).await
}

#[tokio::test]
async fn a_client_that_leaves_an_early_answer_has_its_unsent_request_reset() {
    let provider = Provider::start().await;
    let hone = provider.behind().start();
    let mut client = ask(&hone, 1_000_000).await;
    let mut connection = provider.accept(&[]).await;
    let stream = next(&mut connection).await;
    begin_answer(&mut connection, stream).await;
    client.read_u8().await.expect("the answer begins");
    drop(client);
    let reset = connection.until(RST_STREAM).await.expect("a reset");
    assert_eq!(reset.stream, stream);
}

#[tokio::test]
async fn a_call_that_finds_no_stream_is_refused_in_time() {
    let provider = Provider::start().await;
    let hone = hone()
        .upstream_with(&provider.address, |upstream| {
            upstream
                .set("http2_prior_knowledge", true)
                .set("http2_connections", 1)
        })
        .bound("queue_wait", "300ms")
        .start();
    let client = hone.client("k");
    let asking = tokio::task::spawn(async move { client.ask("m").await });
    let mut connection = provider.accept(&NO_STREAMS).await;
    // It had not heard that there are none.
    let stream = next(&mut connection).await;
    let refused = Frame::new(RST_STREAM, 0, stream, REFUSED);
    assert!(connection.send(&refused).await);
    let answer = in_time(asking).await.expect("fixture: it ends");
    answer.assert_refused(503, "overloaded");
}

/// Says that there are no streams before anything else comes, so that a first request may be kept,
/// too, and refuses what does come.
async fn allow_none(mut stream: TcpStream) {
    let told = Frame::new(SETTINGS, 0, 0, NO_STREAMS).bytes();
    stream.write_all(&told).await.expect("sends");
    let mut preface = [0; PREFACE.len()];
    if stream.read_exact(&mut preface).await.is_err() {
        return;
    }
    let mut connection = Connection(stream);
    while let Some(head) = connection.until(HEADERS).await {
        let refused = Frame::new(RST_STREAM, 0, head.stream, REFUSED);
        connection.send(&refused).await;
    }
}

#[tokio::test]
async fn calls_to_an_upstream_that_allows_no_streams_are_all_refused_in_time() {
    let provider = Provider::start().await;
    let hone = hone()
        .upstream_with(&provider.address, |upstream| {
            upstream
                .set("http2_prior_knowledge", true)
                .set("http2_connections", 2)
        })
        .bound("queue_wait", "500ms")
        .start();
    let mut asking = JoinSet::new();
    for _ in 0..6 {
        let client = hone.client("k");
        asking.spawn(async move { client.ask("m").await });
    }
    let refuses = async {
        let mut connections = JoinSet::new();
        loop {
            let (stream, _) = provider.listener.accept().await.expect("connects");
            connections.spawn(allow_none(stream));
        }
    };
    let answers = async {
        while let Some(answer) = asking.join_next().await {
            let answer = answer.expect("fixture: it ends");
            // Of one that was on its way when the settings came, the provider takes no notice.
            let code = answer.header("x-hone-error");
            let expected = [(503, "overloaded"), (502, "upstream_unavailable")];
            let told = (answer.status.as_u16(), code);
            assert!(expected.contains(&told), "{answer}");
        }
    };
    tokio::select! {
        () = refuses => {}
        () = in_time(answers) => {}
    }
}

/// `:status: 200` and this length.
fn head_with_length(length: &str) -> Vec<u8> {
    let digits = u8::try_from(length.len()).expect("fixture: a short number");
    [&[OK, 0x0f, 0x0d, digits], length.as_bytes()].concat()
}

#[tokio::test]
async fn an_answer_over_http2_that_has_another_length_than_it_says_is_502() {
    let provider = Provider::start().await;
    let hone = provider.behind().start();
    let first = hone.client("k");
    let mut asking = tokio::task::spawn(async move { first.ask("m").await });
    let mut connection = provider.accept(&[]).await;
    for length in ["5", "70", "70000"] {
        let stream = next(&mut connection).await;
        let head = head_with_length(length);
        let head = Frame::new(HEADERS, END_HEADERS, stream, head);
        assert!(connection.send(&head).await);
        // Of a body whose beginning is not there yet, too.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let end = Frame::new(DATA, END_STREAM, stream, "x".repeat(60));
        assert!(connection.send(&end).await);
        let answer = in_time(asking).await.expect("fixture: it ends");
        answer.assert_refused(502, "upstream_unavailable");
        let next = hone.client("k");
        asking = tokio::task::spawn(async move { next.ask("m").await });
    }
}

#[tokio::test]
async fn a_request_that_nobody_has_looked_at_is_sent_again() {
    for goes_away in [false, true] {
        let provider = Provider::start().await;
        let hone = provider.behind().start();
        let client = hone.client("k");
        let asking = tokio::task::spawn(async move { client.ask("m").await });
        let mut connection = provider.accept(&[]).await;
        let mut stream = next(&mut connection).await;
        let refused = if goes_away {
            Frame::new(GOAWAY, 0, 0, [0; 8])
        } else {
            Frame::new(RST_STREAM, 0, stream, REFUSED)
        };
        assert!(connection.send(&refused).await);
        if goes_away {
            connection = provider.accept(&[]).await;
        }
        stream = next(&mut connection).await;
        begin_answer(&mut connection, stream).await;
        end_answer(&mut connection, stream).await;
        let answer = in_time(asking).await.expect("fixture: it ends");
        answer.assert_ok();
    }
}

#[tokio::test]
async fn callers_that_leave_reset_few_streams_of_a_connection_that_others_use() {
    const LEAVE: usize = 40;
    let provider = Provider::start().await;
    let hone = provider.behind().start();
    let patient = hone.client("patient");
    let asking = tokio::task::spawn(async move { patient.ask("m").await });
    let mut connection = provider.accept(&[]).await;
    let patients = next(&mut connection).await;
    let mut leaving = Vec::new();
    for _ in 0..LEAVE {
        leaving.push(ask(&hone, 1).await);
        next(&mut connection).await;
    }
    drop(leaving);
    let mut resets = 0;
    while resets < 8 {
        connection.until(RST_STREAM).await.expect("a reset");
        resets += 1;
    }
    // What comes behind them would be more of them.
    let late = ask(&hone, 1).await;
    let frame = connection.until_either(HEADERS, RST_STREAM).await;
    let frame = frame.expect("a request");
    assert_eq!(frame.kind, HEADERS, "one reset more than 8");
    let last = frame.stream;
    for stream in [patients, last] {
        begin_answer(&mut connection, stream).await;
        end_answer(&mut connection, stream).await;
    }
    in_time(asking).await.expect("fixture: it ends").assert_ok();
    drop(late);
    // Nobody is left who waits for any of the others.
    assert!(connection.is_closed_at_last().await);
}
