//! Many requests on HTTP/2 connections: each beside the first counts as a connection, so memory
//! holds over HTTP/2, too.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{Duration, Instant, sleep};

use super::process::{MIB, Process, bounded};
use crate::support::frames::{
    Connection, DATA, END_HEADERS, END_STREAM, Frame, HEADERS, RST_STREAM, SETTINGS, WINDOW_UPDATE,
    request_with_key,
};
use crate::support::head::answer;
use crate::support::raw::{RawUpstream, Then};
use crate::support::sim::{calls, idle, stuck};
use crate::support::{hone, in_time, text, upstream};

/// Asks for a model, which is answered as the upstream says.
fn ask(stream: u32) -> Frame {
    let flags = END_HEADERS | END_STREAM;
    Frame::new(HEADERS, flags, stream, request_with_key("/v1/models/x"))
}

async fn connect_from(source: [u8; 4], to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("fixture: a socket");
    let bound = socket.bind(SocketAddr::from((source, 0)));
    bound.expect("fixture: binds");
    socket.connect(to).await.expect("connects")
}

/// The streams that are refused, of so many whose answers come.
async fn refused(connection: &mut Connection, answers: usize) -> Vec<u32> {
    let mut refused = Vec::new();
    for _ in 0..answers {
        let data = connection.until(DATA).await.expect("an answer");
        assert!(
            text(&data.payload).contains("too_many_connections"),
            "{data:?}"
        );
        refused.push(data.stream);
    }
    refused
}

#[tokio::test]
async fn a_request_beside_another_on_its_connection_takes_the_place_of_a_connection() {
    let upstream = upstream().await;
    upstream.set(stuck());
    let hone = hone()
        .upstream(&upstream)
        .admin()
        .bound("connections", 8)
        .start();
    let stream = connect_from([127, 0, 0, 66], hone.address()).await;
    let mut greedy = Connection::over(stream).await;
    for index in 0..12 {
        assert!(greedy.send(&ask(2 * index + 1)).await);
    }
    // Of eight places one waits for the next connection, and an address has five, if it is alone.
    let refused = refused(&mut greedy, 7).await;
    let last = [11, 13, 15, 17, 19, 21, 23];
    assert_eq!(refused, last, "those that came last");
    let told = r#"hone_connections_refused_total{reason="too_many_streams"}"#;
    assert!(hone.metric(told).await >= 7.0);
    hone.keyless().get("/livez").await.assert_ok();
    // Who gives places back may have them again.
    let before = calls([&upstream])[0];
    for stream in [1, 3, 5, 7, 9] {
        let reset = Frame::new(RST_STREAM, 0, stream, 8_u32.to_be_bytes());
        assert!(greedy.send(&reset).await);
    }
    idle(&upstream).await;
    for index in 20..25 {
        assert!(greedy.send(&ask(2 * index + 1)).await);
    }
    let all_run = async {
        while calls([&upstream])[0] < before + 5 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    in_time(all_run).await;
}

#[tokio::test]
async fn a_trusted_proxy_has_all_places_for_its_requests_and_no_more() {
    let upstream = upstream().await;
    upstream.set(stuck());
    let hone = hone()
        .set("trusted_proxies", vec!["127.0.0.66"])
        .upstream(&upstream)
        .bound("connections", 8)
        .start();
    let stream = connect_from([127, 0, 0, 66], hone.address()).await;
    let mut proxy = Connection::over(stream).await;
    for index in 0..12 {
        assert!(proxy.send(&ask(2 * index + 1)).await);
    }
    // The next connection has a place, too.
    assert_eq!(refused(&mut proxy, 5).await, [15, 17, 19, 21, 23]);
}

/// The same of a client that a proxy names.
fn ask_of(stream: u32, client: &str) -> Frame {
    let name = b"x-forwarded-for";
    let length = |text: &[u8]| [u8::try_from(text.len()).expect("fixture: a short text")];
    let mut block = request_with_key("/v1/models/x");
    for part in [
        &[0],
        &length(name)[..],
        name,
        &length(client.as_bytes()),
        client.as_bytes(),
    ] {
        block.extend(part);
    }
    Frame::new(HEADERS, END_HEADERS | END_STREAM, stream, block)
}

#[tokio::test]
async fn a_client_behind_a_trusted_proxy_leaves_places_to_the_others_there() {
    let upstream = upstream().await;
    upstream.set(stuck());
    let hone = hone()
        .set("trusted_proxies", vec!["127.0.0.66"])
        .upstream(&upstream)
        .bound("connections", 16)
        .start();
    let stream = connect_from([127, 0, 0, 66], hone.address()).await;
    let mut proxy = Connection::over(stream).await;
    for index in 0..16 {
        assert!(proxy.send(&ask_of(2 * index + 1, "203.0.113.1")).await);
    }
    // Above three quarters of sixteen places nobody has more than are left.
    assert_eq!(refused(&mut proxy, 5).await, [23, 25, 27, 29, 31]);
    let before = calls([&upstream])[0];
    for stream in [41, 43] {
        assert!(proxy.send(&ask_of(stream, "203.0.113.2")).await);
    }
    let both_run = async {
        while calls([&upstream])[0] < before + 2 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    in_time(both_run).await;
    hone.keyless().get("/livez").await.assert_ok();
}

/// An upstream of answers of this length, one on each connection.
async fn upstream_of(length: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("binds");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(send_body(stream, length));
        }
    });
    address
}

async fn send_body(mut stream: TcpStream, length: usize) {
    let head = answer("200 OK").json().content_length(length).close();
    let _asked = stream.read(&mut [0; 4096]).await;
    let _begun = stream.write_all(&head.then("")).await;
    let piece = vec![b'x'; 65_536];
    let mut left = length;
    while left > 0 {
        let next = &piece[..left.min(piece.len())];
        if stream.write_all(next).await.is_err() {
            return;
        }
        left -= next.len();
    }
}

/// A client with windows for all that there is, which asks so often and never reads.
async fn never_reads(address: SocketAddr, times: u32) -> Connection {
    let socket = TcpSocket::new_v4().expect("fixture: a socket");
    let small = socket.set_recv_buffer_size(8192);
    small.expect("fixture: a small buffer");
    let stream = socket.connect(address).await.expect("connects");
    let mut connection = Connection::over(stream).await;
    let windows = [&[0, 4], &(1_u32 << 30).to_be_bytes()[..]].concat();
    let settings = Frame::new(SETTINGS, 0, 0, windows);
    let window = Frame::new(WINDOW_UPDATE, 0, 0, (1_u32 << 30).to_be_bytes());
    let asks = (0..times).map(|index| ask(2 * index + 1));
    let frames = [settings, window].into_iter().chain(asks);
    assert!(connection.flood(frames).await);
    connection
}

/// Answers that h2 takes whole, and answers that it does not.
#[tokio::test]
async fn answers_over_http2_that_nobody_reads_take_no_more_than_is_counted() {
    for length in [MIB / 4, 64 * MIB] {
        let setup = bounded(upstream_of(length).await);
        let mut process = Process::start(&setup).await;
        let mut stuck = Vec::new();
        for _ in 0..8 {
            stuck.push(never_reads(process.address, 256).await);
        }
        let mut peak = 0;
        let mut rose = Instant::now();
        while rose.elapsed() < Duration::from_secs(1) {
            sleep(Duration::from_millis(50)).await;
            if process.peak() > peak {
                (peak, rose) = (process.peak(), Instant::now());
            }
        }
        process.assert_small(&format!("8 times 256 answers of {length} bytes"));
    }
}

/// Answers that together are more than two sockets and the places hold.
const STUCK: u32 = 100;

#[tokio::test]
async fn an_answer_that_is_not_written_yet_keeps_its_place() {
    // h2 takes each whole.
    let body = "x".repeat(240_000);
    let upstream = RawUpstream::start(answer("200 OK").body(&body), Then::Close).await;
    let hone = hone().upstream(&upstream).bound("connections", 32).start();
    let mut stuck = never_reads(hone.address(), 0).await;
    // One after the other: none is refused for those that are under way.
    for index in 0..STUCK {
        let before = upstream.heard().len();
        assert!(stuck.send(&ask(2 * index + 1)).await);
        let sent = Instant::now();
        while upstream.heard().len() == before && sent.elapsed() < Duration::from_millis(200) {
            sleep(Duration::from_millis(5)).await;
        }
        sleep(Duration::from_millis(10)).await;
    }
    let (mut refused, mut ended) = (Vec::new(), 0);
    while ended < STUCK {
        let data = stuck.until(DATA).await.expect("answers to all");
        ended += u32::from(data.flags & END_STREAM != 0);
        if text(&data.payload).contains("too_many_connections") {
            refused.push(data.stream);
        }
    }
    let first = refused.first().expect("some find no place");
    assert!(*first > 21, "{refused:?}");
}
