//! Answers that come before the request's body was read, on HTTP/1.1: whatever the client is
//! sending meanwhile, it gets its answer, and is told if the connection will close.

use std::env;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::support::head::{self, Head, chunk, get, post, post_chat, request};
use crate::support::parts::SimHandle;
use crate::support::raw::read_to_end;
use crate::support::sim::calls;
use crate::support::tls::Identity;
use crate::support::{Hone, chat_body, hone, in_time, text, upstream};

const LARGEST: usize = 1_000_000;

/// How many answers of each kind are asked for on each kind of connection.
fn rounds() -> usize {
    let asked = env::var("HONE_EARLY_ANSWERS").ok();
    asked.map_or(50, |asked| asked.parse().expect("a number"))
}

/// A request that is answered before its body was read.
#[derive(Debug, Clone)]
struct Early {
    head: Head,
    status: u16,
}

/// One of each kind.
fn early() -> Vec<Early> {
    let of = |status, head| Early { head, status };
    let unread = |key| post("/v1/audio/speech").key(key);
    vec![
        of(200, get("/livez")),
        of(200, unread("k").header("x-hone-dry-run", 1)),
        of(400, post_chat("k").header("x-api-key", "another")),
        of(400, post_chat("k").header("x-hone-detail", "all")),
        of(400, request("POST", "/v1/../x").key("k")),
        of(400, post_chat("k").header("host", "another")),
        of(401, post_chat(&format!("hone-{}", "0".repeat(64)))),
        of(403, unread("confined")),
        of(404, post("/nothing")),
        of(404, post("/chat/completions")),
        of(405, post("/livez")),
        of(
            415,
            post("/v1/chat/completions")
                .key("k")
                .header("content-type", "text/plain"),
        ),
        of(415, post_chat("k").header("content-encoding", "gzip")),
        of(429, post_chat("full")),
        of(
            501,
            post("/v1/realtime").key("k").header("upgrade", "websocket"),
        ),
    ]
}

/// How a client sends a body: all of it, before it reads a byte.
#[derive(Debug, Clone, Copy)]
enum Sending {
    /// Three bytes, so many milliseconds after the head.
    Late(u64),
    /// So many bytes at once.
    Whole(usize),
    /// So many bytes in chunks of a thousand.
    Chunked(usize),
    /// So many bytes in four pieces, so many milliseconds apart.
    Slow(usize, u64),
}

impl Sending {
    async fn send(self, stream: &mut impl Socket, head: Head) -> std::io::Result<()> {
        let (bytes, pieces, pause) = match self {
            Self::Late(pause) => (3, 1, pause),
            Self::Whole(bytes) => (bytes, 1, 0),
            Self::Chunked(bytes) => return send_chunks(stream, head, bytes).await,
            Self::Slow(bytes, pause) => (bytes, 4, pause),
        };
        send(stream, head.content_length(bytes)).await?;
        for _ in 0..pieces {
            sleep(Duration::from_millis(pause)).await;
            send(stream, vec![b'x'; bytes / pieces]).await?;
        }
        Ok(())
    }
}

async fn send_chunks(stream: &mut impl Socket, head: Head, bytes: usize) -> std::io::Result<()> {
    send(stream, head.chunked()).await?;
    let one = chunk(&"x".repeat(1000));
    for _ in 0..bytes / 1000 {
        send(stream, one.as_str()).await?;
    }
    send(stream, "0\r\n\r\n").await
}

async fn send(stream: &mut impl Socket, bytes: impl Into<Vec<u8>>) -> std::io::Result<()> {
    stream.write_all(&bytes.into()).await?;
    stream.flush().await
}

/// Reads one answer: its status, and whether it says that the connection will close.
async fn read_answer(stream: &mut impl Socket) -> std::io::Result<(u16, bool)> {
    let mut answer = Vec::new();
    loop {
        if stream.read_buf(&mut answer).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let seen = text(&answer).to_ascii_lowercase();
        let Some((head, body)) = seen.split_once("\r\n\r\n") else {
            continue;
        };
        let field = |name: &str| head.lines().find_map(|line| line.strip_prefix(name));
        let length = field("content-length: ").and_then(|value| value.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            let status = head
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok());
            let closes = field("connection: ") == Some("close");
            return Ok((status.expect("a status"), closes));
        }
    }
}

/// What a client holds.
trait Socket: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Socket for S {}

/// A client that keeps its connection as long as it may, or never.
struct Asker<'a> {
    hone: &'a Hone,
    keeps: bool,
    kept: Option<TcpStream>,
}

impl Asker<'_> {
    /// The status of an answer, or what became of it.
    async fn ask(&mut self, head: Head, sending: Sending) -> Result<u16, String> {
        let mut stream = match self.kept.take() {
            Some(kept) => kept,
            None => self.hone.connect().await,
        };
        let sent = in_time(sending.send(&mut stream, head)).await;
        sent.map_err(|error| format!("while sending: {error}"))?;
        let answer = in_time(read_answer(&mut stream)).await;
        let (status, closes) = answer.map_err(|error| format!("while reading: {error}"))?;
        if self.keeps && !closes {
            self.kept = Some(stream);
        }
        Ok(status)
    }
}

/// Asks as often as it takes, ten at a time, and counts what is lost.
async fn none_is_lost(hone: &Hone, early: &Early, sending: Sending) {
    for keeps in [false, true] {
        let askers = (0..10).map(async |_| {
            let mut asker = Asker {
                hone,
                keeps,
                kept: None,
            };
            let mut lost = Vec::new();
            for _ in 0..rounds().div_ceil(10) {
                let answer = asker.ask(early.head.clone(), sending).await;
                if answer != Ok(early.status) {
                    lost.push(answer);
                }
            }
            lost
        });
        let lost = join_all(askers).await.concat();
        assert!(lost.is_empty(), "{early:?} {sending:?} {keeps}: {lost:?}");
    }
}

async fn start() -> (SimHandle, Hone) {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .tenant("confined", |tenant| {
            tenant.provider_key("confined").models(&["small*"])
        })
        .tenant("full", |tenant| {
            let limits = toml::Table::from_iter([("requests_per_minute".to_owned(), 1.into())]);
            tenant.provider_key("full").set("limits", limits)
        })
        .bound("body_bytes", i64::try_from(LARGEST).expect("a size"))
        .bound("connections_per_address", 10_000)
        .bound("connections_per_minute", 1_000_000)
        .bound("rejected_keys_per_minute", 1_000_000)
        .start();
    hone.client("full").ask("sim-small").await.assert_ok();
    (upstream, hone)
}

#[tokio::test]
async fn none_is_lost_however_the_body_comes() {
    let (upstream, hone) = start().await;
    let all = early();
    for sending in [
        Sending::Late(50),
        Sending::Late(150),
        Sending::Whole(200_000),
        Sending::Whole(2_000_000),
        Sending::Chunked(200_000),
        Sending::Slow(200_000, 60),
    ] {
        join_all(all.iter().map(|early| none_is_lost(&hone, early, sending))).await;
    }
    assert_eq!(calls([&upstream]), [1], "only the one that filled a limit");
}

#[tokio::test]
async fn none_is_lost_of_bodies_that_are_too_large() {
    let (_upstream, hone) = start().await;
    let head = post_chat("k");
    let early = Early { head, status: 413 };
    for sending in [
        Sending::Whole(2_000_000),
        Sending::Chunked(2_000_000),
        Sending::Slow(2_000_000, 60),
    ] {
        none_is_lost(&hone, &early, sending).await;
    }
}

#[tokio::test]
async fn none_is_lost_of_bodies_that_stop_for_too_long_and_go_on() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .bound("body_idle", "100ms")
        .bound("connections_per_minute", 1_000_000)
        .start();
    let head = post_chat("k");
    let early = Early { head, status: 408 };
    for sending in [Sending::Late(250), Sending::Slow(200_000, 150)] {
        none_is_lost(&hone, &early, sending).await;
    }
}

#[tokio::test]
async fn none_is_lost_where_there_is_no_room_for_a_body() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .bound("body_bytes", 100_000)
        .bound("buffered_bytes", 100_000)
        .bound("connections_per_minute", 1_000_000)
        .start();
    let _holds = hone
        .dial(post_chat("holds").content_length(90_000).then("{"))
        .await;
    sleep(Duration::from_millis(100)).await;
    let head = post_chat("k");
    let early = Early { head, status: 429 };
    for sending in [Sending::Whole(90_000), Sending::Slow(90_000, 60)] {
        none_is_lost(&hone, &early, sending).await;
    }
}

#[tokio::test]
async fn a_body_that_never_comes_has_its_answer_and_is_told_of_the_end() {
    let (_upstream, hone) = start().await;
    for Early { head, status } in early() {
        for head in [head.clone(), head.clone().header("expect", "100-continue")] {
            let head = head.content_length(1000);
            let answer = read_to_end(hone.dial(head.clone()).await).await;
            let begin = format!("HTTP/1.1 {status}");
            assert!(answer.starts_with(&begin), "{head:?}: {answer}");
            assert!(answer.contains("connection: close"), "{head:?}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_wanted_is_asked_for() {
    let (_upstream, hone) = start().await;
    let body = chat_body("sim-small").to_string();
    let head = post_chat("k").header("expect", "100-continue");
    let mut stream = hone.dial(head.content_length(body.len())).await;
    let mut asked = [0; 25];
    in_time(stream.read_exact(&mut asked)).await.expect("asked");
    assert_eq!(text(asked), "HTTP/1.1 100 Continue\r\n\r\n");
    send(&mut stream, body).await.expect("sends");
    let answer = in_time(read_answer(&mut stream)).await;
    assert_eq!(answer.expect("an answer"), (200, false));
}

#[tokio::test]
async fn a_connection_whose_body_follows_its_head_is_kept() {
    let (_upstream, hone) = start().await;
    let mut kept = Vec::new();
    for Early { head, status } in early() {
        for sending in [Sending::Late(0), Sending::Late(5), Sending::Chunked(2000)] {
            let mut asker = Asker {
                hone: &hone,
                keeps: true,
                kept: None,
            };
            for _ in 0..2 {
                assert_eq!(
                    asker.ask(head.clone(), sending).await,
                    Ok(status),
                    "{head:?}"
                );
                kept.push(asker.kept.is_some());
            }
        }
    }
    // A busy machine may take its time with one or the other.
    let closed = kept.iter().filter(|kept| !**kept).count();
    assert!(closed * 10 <= kept.len(), "{closed} of {}", kept.len());
}

#[tokio::test]
async fn none_is_lost_over_tls() {
    let (upstream, identity) = (upstream().await, Identity::new());
    let hone = hone()
        .upstream(&upstream)
        .tls(&identity)
        .bound("connections_per_minute", 1_000_000)
        .start();
    let head = post("/nothing");
    for sending in [
        Sending::Late(150),
        Sending::Whole(2_000_000),
        Sending::Slow(200_000, 50),
    ] {
        for _ in 0..rounds().div_ceil(5) {
            let mut stream = identity.connect(hone.address(), "http/1.1").await;
            let sent = in_time(sending.send(&mut stream, head.clone())).await;
            sent.unwrap_or_else(|error| panic!("{sending:?}: {error}"));
            let answer = in_time(read_answer(&mut stream)).await;
            assert_eq!(answer.expect("an answer").0, 404);
        }
    }
}

#[tokio::test]
async fn what_stands_behind_a_head_that_is_refused_takes_no_answer_away() {
    let (_upstream, hone) = start().await;
    let rest = "x".repeat(1_000_000);
    for (head, status) in [
        (get("/livez").header("x-big", "x".repeat(100_000)), 431),
        (get("/livez").line("no field"), 400),
        (post_chat("k").header("content-length", "+5"), 400),
    ] {
        for _ in 0..rounds().div_ceil(5) {
            let mut stream = hone.dial(head.clone().then(&rest)).await;
            let answer = in_time(read_answer(&mut stream)).await;
            assert_eq!(answer.expect("an answer"), (status, true));
        }
    }
}

/// An upstream that answers before it has read a body, and reads none of it.
async fn hasty() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    tokio::task::spawn(async move {
        let mut held = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _head = stream.read(&mut [0; 1000]).await;
            let refusal = head::answer("413 Payload Too Large").json().body("{}");
            let _sent = stream.write_all(&refusal).await;
            held.push(stream);
        }
    });
    address
}

#[tokio::test]
async fn none_is_lost_that_an_upstream_gives_before_it_has_read_an_upload() {
    let upstream = hasty().await;
    let hone = hone()
        .upstream(&upstream)
        .bound("connections_per_minute", 1_000_000)
        .start();
    let early = Early {
        head: post("/v1/files")
            .key("k")
            .header("content-type", "text/plain"),
        status: 413,
    };
    for sending in [
        Sending::Late(150),
        Sending::Whole(20_000_000),
        Sending::Slow(200_000, 50),
    ] {
        none_is_lost(&hone, &early, sending).await;
    }
}
