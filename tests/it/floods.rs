//! Frames of HTTP/2 that cost their sender nothing and could cost hone much: each flood ends, and
//! others are served meanwhile.

use std::time::Duration;

use hone::app::App;
use hone_sim::{Knobs, Latency};
use tokio::time::timeout;

use crate::support::client::PATIENCE;
use crate::support::frames::{
    CONTINUATION, Connection, END_HEADERS, END_STREAM, Frame, GOAWAY, HEADERS, PING, RST_STREAM,
    SETTINGS, request,
};
use crate::support::raw::{RawUpstream, Then};
use crate::support::{Client, chat_body, hone, hone_before, table_at, upstream};

/// Others are served, all the time that `flood` lasts.
async fn while_others_are_served<T>(hone: &App, flood: impl Future<Output = T>) -> T {
    let others = async {
        loop {
            let served = timeout(
                Duration::from_secs(5),
                Client::new(hone.address()).get("/livez"),
            )
            .await;
            assert_eq!(served.expect("others do not wait").status, 200);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        flooded = flood => flooded,
        () = others => unreachable!("it never ends"),
    }
}

#[tokio::test]
async fn a_head_without_end_ends_the_connection() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let mut connection = Connection::open(hone.address()).await;
    let piece = [
        &[0x00, 0x03],
        b"x-a".as_slice(),
        &[0x7f, 0xf1, 0x7d],
        &[b'x'; 16_000],
    ]
    .concat();
    let flood = async {
        connection
            .send(&Frame::new(HEADERS, END_STREAM, 1, request("/livez")))
            .await;
        connection
            .flood((0..10_000).map(|_| Frame::new(CONTINUATION, 0, 1, piece.clone())))
            .await
    };
    assert!(
        !while_others_are_served(&hone, flood).await,
        "cut long before 160 MB"
    );
    let mut empty = Connection::open(hone.address()).await;
    let flood = async {
        empty
            .send(&Frame::new(HEADERS, END_STREAM, 1, request("/livez")))
            .await;
        empty
            .flood((0..1_000_000).map(|_| Frame::new(CONTINUATION, 0, 1, [])))
            .await
    };
    assert!(
        !while_others_are_served(&hone, flood).await,
        "empty frames, too"
    );
}

#[tokio::test]
async fn rapid_resets_end_the_connection_and_leave_nothing_behind() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        latency: Latency::Constant { ms: 60_000 },
        ..Knobs::default()
    });
    let hone = hone_before(&upstream);
    let mut connection = Connection::open(hone.address()).await;
    let key = [&[0x0f, 0x08, 0x08], b"Bearer k".as_slice()].concat();
    let block = [request("/v1/models"), key].concat();
    let pairs = (0..100_000_u32).flat_map(|index| {
        let stream = 2 * index + 1;
        let get = Frame::new(HEADERS, END_HEADERS | END_STREAM, stream, block.clone());
        [get, Frame::new(RST_STREAM, 0, stream, 8_u32.to_be_bytes())]
    });
    assert!(
        !while_others_are_served(&hone, connection.flood(pairs)).await,
        "cut before 100,000 streams"
    );
    timeout(PATIENCE, upstream.wait_until(|stats| stats.in_flight == 0))
        .await
        .expect("no call goes on");
}

#[tokio::test]
async fn resets_after_a_look_end_the_connection_too() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        latency: Latency::Constant { ms: 60_000 },
        ..Knobs::default()
    });
    let hone = hone_before(&upstream);
    let mut connection = Connection::open(hone.address()).await;
    let block = [
        request("/v1/models"),
        [&[0x0f, 0x08, 0x08], b"Bearer k".as_slice()].concat(),
    ]
    .concat();
    let flood = async {
        for index in 0..100_000_u32 {
            let stream = 2 * index + 1;
            let get = Frame::new(HEADERS, END_HEADERS | END_STREAM, stream, block.clone());
            if !connection.send(&get).await {
                return stream;
            }
            // Its PING is answered in order: the request has been looked at by then.
            connection.send(&Frame::new(PING, 0, 0, [0; 8])).await;
            if connection
                .until_either(PING, GOAWAY)
                .await
                .is_none_or(|frame| frame.kind == GOAWAY)
            {
                return stream;
            }
            connection
                .send(&Frame::new(RST_STREAM, 0, stream, 8_u32.to_be_bytes()))
                .await;
        }
        u32::MAX
    };
    let last = while_others_are_served(&hone, flood).await;
    assert!(
        (1_000..20_000).contains(&last),
        "told to go after about a thousand: {last}"
    );
    drop(connection);
    timeout(PATIENCE, upstream.wait_until(|stats| stats.in_flight == 0))
        .await
        .expect("no call goes on");
}

#[tokio::test]
async fn pings_and_settings_in_masses_keep_nobody_waiting() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    for frame in [
        Frame::new(PING, 0, 0, [7; 8]),
        Frame::new(SETTINGS, 0, 0, [0, 4, 0, 1, 0, 0]),
    ] {
        let mut connection = Connection::open(hone.address()).await;
        // Answers are not read, so hone must stop to read at some time, or to answer.
        let flood = timeout(
            Duration::from_secs(3),
            connection.flood((0..3_000_000).map(|_| frame.clone())),
        );
        let outcome = while_others_are_served(&hone, flood).await;
        assert!(
            !matches!(outcome, Ok(true)),
            "not all were taken while no answer could be sent"
        );
    }
    assert_eq!(
        Client::new(hone.address())
            .key("k")
            .chat(&chat_body("sim-small"))
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_client_that_answers_pings_and_makes_no_room_for_its_answer_gives_its_place_at_the_upstream_back()
 {
    let body = "x".repeat(1_000_000);
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let upstream = RawUpstream::start(answer, Then::Hang).await;
    let hone = hone(&format!(
        "{}concurrency = 1\n[bounds]\nstream_idle = \"500ms\"\n",
        table_at("raw", upstream.address)
    ));
    let mut connection = Connection::open(hone.address()).await;
    let block = [
        request("/v1/models/x"),
        [&[0x0f, 0x08, 0x08], b"Bearer k".as_slice()].concat(),
    ]
    .concat();
    assert!(
        connection
            .send(&Frame::new(HEADERS, END_HEADERS | END_STREAM, 1, block))
            .await
    );
    assert!(
        connection.until(HEADERS).await.is_some(),
        "the answer begins"
    );
    let pings = async {
        while connection.send(&Frame::new(PING, 0, 0, [0; 8])).await
            && connection.until(PING).await.is_some()
        {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let other = Client::new(hone.address()).key("another");
    let next = async {
        timeout(PATIENCE, other.chat(&chat_body("m")))
            .await
            .expect("a place is free in time")
    };
    let (cut, next) = tokio::join!(timeout(PATIENCE, pings), next);
    cut.expect("it is cut in time");
    assert_eq!((next.status.as_u16(), next.body.len()), (200, body.len()));
}
