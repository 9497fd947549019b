//! Frames of HTTP/2 that cost their sender nothing and could cost hone much: each flood ends, and
//! others are served meanwhile.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::support::frames::{
    CONTINUATION, Connection, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, RST_STREAM,
    SETTINGS, request, request_with_key,
};
use crate::support::head::answer;
use crate::support::raw::{RawUpstream, Then};
use crate::support::sim::{calls, idle, stuck};
use crate::support::{Hone, hone, in_time, upstream};

/// Others are served, all the time that `flood` lasts.
async fn while_others_are_served<T>(hone: &Hone, flood: impl Future<Output = T>) -> T {
    let others = async {
        loop {
            let client = hone.keyless();
            let served = timeout(Duration::from_secs(5), client.get("/livez")).await;
            served.expect("others do not wait").assert_ok();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        flooded = flood => flooded,
        () = others => unreachable!("it never ends"),
    }
}

/// `GET path` with a key, whole.
fn get_with_key(stream: u32, path: &str) -> Frame {
    let flags = END_HEADERS | END_STREAM;
    Frame::new(HEADERS, flags, stream, request_with_key(path))
}

fn list_models(stream: u32) -> Frame {
    get_with_key(stream, "/v1/models")
}

fn reset(stream: u32) -> Frame {
    Frame::new(RST_STREAM, 0, stream, 8_u32.to_be_bytes())
}

fn ping() -> Frame {
    Frame::new(PING, 0, 0, [0; 8])
}

/// The indices of a client's streams, a hundred thousand of them.
fn streams() -> impl Iterator<Item = u32> {
    (0..100_000_u32).map(|index| 2 * index + 1)
}

#[tokio::test]
async fn a_head_without_end_ends_the_connection() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let large = [
        &[0x00, 0x03],
        b"x-a".as_slice(),
        &[0x7f, 0xf1, 0x7d],
        &[b'x'; 16_000],
    ]
    .concat();
    // The large ones are 160 MB.
    for (piece, times) in [(large, 10_000), (Vec::new(), 1_000_000)] {
        let mut connection = Connection::open(hone.address()).await;
        let begin = Frame::new(HEADERS, END_STREAM, 1, request("/livez"));
        let more = Frame::new(CONTINUATION, 0, 1, piece);
        let frames = std::iter::once(begin).chain(std::iter::repeat_n(more, times));
        let all_taken = while_others_are_served(&hone, connection.flood(frames)).await;
        assert!(!all_taken, "cut long before {times} pieces");
    }
}

#[tokio::test]
async fn rapid_resets_end_the_connection_and_leave_nothing_behind() {
    let upstream = upstream().await;
    upstream.set(stuck());
    let hone = hone().upstream(&upstream).start();
    let mut connection = Connection::open(hone.address()).await;
    let pairs = streams().flat_map(|stream| [list_models(stream), reset(stream)]);
    let all_taken = while_others_are_served(&hone, connection.flood(pairs)).await;
    assert!(!all_taken, "cut before 100,000 streams");
    idle(&upstream).await;
}

/// Resets each request once it has been looked at; the stream at which the peer says that it is
/// enough.
async fn reset_after_a_look(connection: &mut Connection) -> u32 {
    for stream in streams() {
        if !connection.send(&list_models(stream)).await {
            return stream;
        }
        // Its PING is answered in order: the request has been looked at by then.
        connection.send(&ping()).await;
        let told = connection.until_either(PING, GOAWAY).await;
        if told.is_none_or(|frame| frame.kind == GOAWAY) {
            return stream;
        }
        connection.send(&reset(stream)).await;
    }
    u32::MAX
}

#[tokio::test]
async fn resets_after_a_look_end_the_connection_too() {
    let upstream = upstream().await;
    upstream.set(stuck());
    let hone = hone().upstream(&upstream).start();
    let mut connection = Connection::open(hone.address()).await;
    let last = while_others_are_served(&hone, reset_after_a_look(&mut connection)).await;
    assert!(
        (1_000..20_000).contains(&last),
        "told to go after about a thousand: {last}"
    );
    drop(connection);
    idle(&upstream).await;
}

/// Frames in one piece, so that all of them are read at once.
async fn send_at_once(connection: &mut Connection, frames: impl Iterator<Item = Frame>) {
    let bytes: Vec<u8> = frames.flat_map(|frame| frame.bytes()).collect();
    connection.0.write_all(&bytes).await.expect("sends");
}

/// As a program does that gives up many requests at once.
#[tokio::test]
async fn a_client_may_take_back_all_that_it_has_open_and_ask_again() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let mut connection = Connection::open(hone.address()).await;
    for times in 0..4 {
        let open = || streams().skip(times * 256).take(250);
        let pairs = open().map(list_models).chain(open().map(reset));
        send_at_once(&mut connection, pairs).await;
        let next = 2 * u32::try_from(times * 256 + 255).expect("fixture: few") + 1;
        assert!(connection.send(&Frame::get(next, "/livez")).await);
        let answer = connection.until_either(HEADERS, GOAWAY).await;
        let answer = answer.expect("it stays open");
        assert_eq!((answer.kind, answer.stream), (HEADERS, next), "{times}");
    }
}

#[tokio::test]
async fn what_is_begun_and_reset_costs_its_tenant_what_whole_answers_do() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("requests_per_minute", 5)
        .start();
    let mut connection = Connection::open(hone.address()).await;
    for stream in streams().take(40) {
        let path = "/v1/models/sim-small";
        assert!(connection.send(&get_with_key(stream, path)).await);
        let head = connection.until(HEADERS).await.expect("an answer");
        assert_eq!(head.stream, stream);
        assert!(connection.send(&reset(stream)).await);
    }
    assert_eq!(calls([&upstream]), [5], "the others were refused");
    let other = hone.client("another").ask("sim-small").await;
    other.assert_ok();
}

#[tokio::test]
async fn pings_and_settings_in_masses_keep_nobody_waiting() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    for frame in [
        Frame::new(PING, 0, 0, [7; 8]),
        Frame::new(SETTINGS, 0, 0, [0, 4, 0, 1, 0, 0]),
    ] {
        let mut connection = Connection::open(hone.address()).await;
        // Answers are not read, so hone must stop to read at some time, or to answer.
        let frames = std::iter::repeat_n(frame, 3_000_000);
        let flood = timeout(Duration::from_secs(3), connection.flood(frames));
        let outcome = while_others_are_served(&hone, flood).await;
        assert!(
            !matches!(outcome, Ok(true)),
            "not all were taken while no answer could be sent"
        );
    }
    hone.client("k").ask("sim-small").await.assert_ok();
}

#[tokio::test]
async fn a_client_that_pings_and_takes_no_answer_gives_its_place_at_the_upstream_back() {
    let body = "x".repeat(1_000_000);
    let upstream = RawUpstream::start(answer("200 OK").body(&body), Then::Hang).await;
    let hone = hone()
        .upstream_with(&upstream, |upstream| upstream.set("concurrency", 1))
        .bound("stream_idle", "500ms")
        .start();
    let mut connection = Connection::open(hone.address()).await;
    assert!(connection.send(&get_with_key(1, "/v1/models/x")).await);
    let begins = connection.until(HEADERS).await;
    assert!(begins.is_some(), "the answer begins");
    let pings = async {
        loop {
            assert!(connection.send(&ping()).await);
            let told = connection.until_either(PING, RST_STREAM).await;
            if told.expect("a frame").kind == RST_STREAM {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    // It is reset, and then a place is free.
    let client = hone.client("another");
    let ((), next) = tokio::join!(in_time(pings), in_time(client.ask("m")));
    next.assert_ok();
    assert_eq!(next.body.len(), body.len());
    // Other streams of the connection are other clients', behind a load balancer.
    assert!(connection.send(&Frame::get(3, "/livez")).await);
    let head = connection.until(HEADERS).await.expect("an answer");
    assert_eq!(head.stream, 3);
}
