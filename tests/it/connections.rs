//! How many connections, from where, and how long without a request.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::support::frames::{
    Connection, Frame, GOAWAY, HEADERS, PING, PREFACE, SETTINGS, request,
};
use crate::support::head::{get, post_chat};
use crate::support::raw::{read_to_end, send};
use crate::support::setup::Setup;
use crate::support::sim::slow;
use crate::support::tls::Identity;
use crate::support::{Hone, PATIENCE, hone, in_time, upstream};

/// A connection from another address of this machine.
async fn connect_from(source: &str, hone: &Hone) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("fixture: a socket");
    let source = source.parse().expect("fixture: an address");
    let bound = socket.bind(SocketAddr::new(source, 0));
    bound.expect("fixture: binds");
    socket.connect(hone.address()).await.expect("connects")
}

/// Whether a request on this connection is answered, rather than the connection closed.
async fn is_served(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 4096];
    let _closed_already = stream.write_all(&Vec::from(get("/livez"))).await;
    let read = in_time(stream.read(&mut answer)).await;
    read.is_ok_and(|length| answer[..length].starts_with(b"HTTP/1.1 200"))
}

/// Whether a request on a new connection from this address is answered.
async fn serves(hone: &Hone, source: &str) -> bool {
    is_served(&mut connect_from(source, hone).await).await
}

/// So many connections from this address that are served and stay open.
async fn hold(hone: &Hone, source: &str, connections: usize) -> Vec<TcpStream> {
    let mut held = Vec::new();
    for _ in 0..connections {
        let mut stream = connect_from(source, hone).await;
        assert!(is_served(&mut stream).await);
        held.push(stream);
    }
    held
}

/// Whether the metrics tell of a connection that was refused or closed, and why.
async fn is_told(hone: &Hone, event: &str, reason: &str) -> bool {
    let series = format!(r#"hone_connections_{event}_total{{reason="{reason}"}}"#);
    hone.metric(&series).await > 0.0
}

/// A request and what comes back until the connection is closed.
async fn exchange_from(source: &str, hone: &Hone, request: Vec<u8>) -> String {
    let mut stream = connect_from(source, hone).await;
    send(&mut stream, request).await;
    in_time(read_to_end(stream)).await
}

#[tokio::test]
async fn a_hostile_address_cannot_use_up_the_connections() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .admin()
        .bound("connections", 6)
        .bound("connections_per_address", 3)
        .start();
    let held = hold(&hone, "127.0.0.66", 3).await;
    for _ in 0..20 {
        assert!(!serves(&hone, "127.0.0.66").await, "one too many");
    }
    assert!(serves(&hone, "127.0.0.67").await);
    assert!(is_told(&hone, "refused", "too_many").await);
    drop(held);
    // Whoever closes its connections may open others.
    in_time(async {
        while !serves(&hone, "127.0.0.66").await {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_address_that_is_alone_has_most_connections_and_others_still_get_theirs() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).bound("connections", 80).start();
    let _held = hold(&hone, "127.0.0.66", 60).await;
    assert!(!serves(&hone, "127.0.0.66").await, "twenty are left");
    let _others = hold(&hone, "127.0.0.67", 10).await;
    assert!(!serves(&hone, "127.0.0.67").await, "ten are left");
    let _more = hold(&hone, "127.0.0.68", 5).await;
    assert!(!serves(&hone, "127.0.0.68").await, "five are left");
    let _late = hold(&hone, "127.0.0.69", 1).await;
}

/// A hone whose only connection of 127.0.0.66 is taken.
async fn full(setup: Setup) -> (Hone, TcpStream) {
    let hone = setup.bound("connections_per_address", 1).start();
    let mut held = connect_from("127.0.0.66", &hone).await;
    assert!(is_served(&mut held).await);
    (hone, held)
}

#[tokio::test]
async fn who_is_refused_is_told_why_and_when_to_come_back() {
    let upstream = upstream().await;
    let (hone, _held) = full(hone().upstream(&upstream)).await;
    let upload = post_chat("k").body("x".repeat(200_000));
    for request in [Vec::from(get("/livez")), upload] {
        let answer = exchange_from("127.0.0.66", &hone, request).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        let head = head.to_ascii_lowercase();
        assert!(head.starts_with("http/1.1 503 "), "{head}");
        for header in [
            "connection: close",
            "retry-after: 1",
            "x-hone-error: too_many_connections",
            "x-hone-limit-source: hone",
            "x-hone-request-id: req_",
        ] {
            assert!(head.contains(header), "{header}: {head}");
        }
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body["error"]["code"], "too_many_connections");
    }
}

/// `:status` by its index, and 503 in Huffman's code (RFC 7541).
const STATUS_503: [u8; 5] = [0x48, 0x83, 0x6c, 0x0c, 0xff];

#[tokio::test]
async fn who_is_refused_over_http2_is_told_on_the_stream() {
    let upstream = upstream().await;
    let (hone, _held) = full(hone().upstream(&upstream)).await;
    let stream = connect_from("127.0.0.66", &hone).await;
    let mut connection = Connection::over(stream).await;
    assert!(connection.send(&Frame::get(1, "/livez")).await);
    let head = connection.until(HEADERS).await.expect("an answer");
    assert!(head.payload.starts_with(&STATUS_503), "{head:?}");
    assert!(connection.is_closed_at_last().await);
}

#[tokio::test]
async fn who_is_refused_over_tls_is_told_after_the_handshake() {
    let (upstream, identity) = (upstream().await, Identity::new());
    let hone = hone()
        .upstream(&upstream)
        .tls(&identity)
        .bound("connections_per_minute", 1);
    let hone = hone.start();
    let mut first = identity.connect(hone.address(), "http/1.1").await;
    send(&mut first, get("/livez")).await;
    let mut second = identity.connect(hone.address(), "http/1.1").await;
    send(&mut second, get("/livez")).await;
    let answer = in_time(read_to_end(second)).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("too fast"), "{answer}");
}

#[tokio::test]
async fn many_that_are_refused_at_once_are_all_told() {
    let upstream = upstream().await;
    let (hone, _held) = full(hone().upstream(&upstream)).await;
    // More than are told with patience: these have not even asked.
    let mut mute = Vec::new();
    for _ in 0..2000 {
        mute.push(connect_from("127.0.0.66", &hone).await);
    }
    let answer = exchange_from("127.0.0.66", &hone, get("/livez").into()).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    let mut told = 0;
    for stream in mute {
        let answer = in_time(read_to_end(stream)).await;
        told += usize::from(answer.contains("too_many_connections"));
    }
    assert!(told > 500, "{told}");
    assert!(serves(&hone, "127.0.0.67").await);
}

#[tokio::test]
async fn connections_of_a_trusted_proxy_are_not_counted() {
    let upstream = upstream().await;
    let hone = hone()
        .set("trusted_proxies", vec!["127.0.0.66"])
        .upstream(&upstream)
        .bound("connections_per_address", 1)
        .bound("connections_per_minute", 1)
        .start();
    let _held = hold(&hone, "127.0.0.66", 5).await;
    assert!(serves(&hone, "127.0.0.67").await);
    assert!(!serves(&hone, "127.0.0.67").await, "others' are");
}

#[tokio::test]
async fn an_address_that_connects_too_often_is_refused() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .admin()
        .bound("connections_per_minute", 2)
        .start();
    for expected in [true, true, false] {
        assert_eq!(serves(&hone, "127.0.0.66").await, expected);
    }
    assert!(serves(&hone, "127.0.0.67").await);
    assert!(is_told(&hone, "refused", "too_often").await);
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed_with_goaway_whatever_else_it_says() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .admin()
        .bound("connection_idle", "300ms")
        .start();
    let mut connection = Connection::open(hone.address()).await;
    assert!(connection.send(&Frame::get(1, "/livez")).await);
    assert!(connection.until(HEADERS).await.is_some(), "served");
    let start = Instant::now();
    let goaway = loop {
        connection.send(&Frame::new(PING, 0, 0, [0; 8])).await;
        match timeout(Duration::from_millis(20), connection.until(GOAWAY)).await {
            Ok(goaway) => break goaway.expect("a GOAWAY"),
            Err(_not_yet) => assert!(start.elapsed() < PATIENCE, "pings keep it alive"),
        }
    };
    assert_eq!(goaway.payload[4..8], [0; 4], "not an error");
    assert!(connection.is_closed_at_last().await);
    assert!(is_told(&hone, "closed", "idle").await);
}

#[tokio::test]
async fn an_http2_connection_that_never_asks_for_anything_is_closed() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .bound("header_read", "200ms")
        .start();
    let mut told = Connection::open(hone.address()).await;
    assert!(told.until(GOAWAY).await.is_some());
    assert!(told.is_closed_at_last().await);
    let mute = hone.dial(PREFACE).await;
    read_to_end(mute).await;
    let mut half = Connection::open(hone.address()).await;
    half.send(&Frame::new(HEADERS, 0, 1, request("/livez")))
        .await;
    assert!(half.is_closed_at_last().await, "a head without an end");
}

#[tokio::test]
async fn a_pause_between_two_requests_may_be_longer_than_a_head_but_not_for_ever() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .bound("header_read", "100ms")
        .bound("connection_idle", "900ms")
        .start();
    let mut stream = hone.connect().await;
    assert!(is_served(&mut stream).await);
    sleep(Duration::from_millis(400)).await;
    assert!(is_served(&mut stream).await);
    let start = Instant::now();
    assert_eq!(read_to_end(stream).await, "");
    let pause = start.elapsed();
    assert!(pause >= Duration::from_millis(850), "{pause:?}");
    let mut slow = hone.connect().await;
    assert!(is_served(&mut slow).await);
    send(&mut slow, "GET /liv").await;
    let start = Instant::now();
    assert_eq!(read_to_end(slow).await, "");
    let head = start.elapsed();
    assert!(head < Duration::from_millis(700), "less: {head:?}");
}

#[tokio::test]
async fn a_connection_is_not_idle_while_a_request_runs() {
    let upstream = upstream().await;
    upstream.set(slow(600));
    let hone = hone()
        .upstream(&upstream)
        .bound("header_read", "50ms")
        .bound("connection_idle", "50ms")
        .start();
    for client in [hone.keyless(), hone.http2()] {
        client.key("k").ask("sim-small").await.assert_ok();
    }
}

#[tokio::test]
async fn the_time_for_a_head_holds_for_tls_too() {
    let (upstream, identity) = (upstream().await, Identity::new());
    let hone = hone()
        .upstream(&upstream)
        .tls(&identity)
        .admin()
        .bound("header_read", "200ms")
        .start();
    // Nothing, and the beginning of a handshake.
    for beginning in [b"".as_slice(), b"\x16\x03\x01\x02\x00\x01"] {
        read_to_end(hone.dial(beginning).await).await;
    }
    for beginning in ["", "GET /livez HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = identity.connect(hone.address(), "http/1.1").await;
        send(&mut stream, beginning).await;
        assert_eq!(read_to_end(stream).await, "", "{beginning:?}");
    }
    for settings in [Vec::new(), Frame::new(SETTINGS, 0, 0, []).bytes()] {
        let mut stream = identity.connect(hone.address(), "h2").await;
        send(&mut stream, [PREFACE, &settings].concat()).await;
        read_to_end(stream).await;
    }
    assert!(is_told(&hone, "closed", "head_timeout").await);
}

#[tokio::test]
async fn a_preface_may_come_in_pieces_and_half_of_one_ends_with_its_client() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    for beginning in ["", "P", "PRI * HTTP/2.0\r\n"] {
        let mut half = hone.dial(beginning).await;
        sleep(Duration::from_millis(20)).await;
        half.shutdown().await.expect("shuts down");
        let end = timeout(Duration::from_secs(5), read_to_end(half)).await;
        assert_eq!(end.expect("it does not wait for more"), "");
    }
    let mut stream = hone.connect().await;
    for piece in PREFACE.chunks(5) {
        send(&mut stream, piece).await;
        sleep(Duration::from_millis(5)).await;
    }
    let settings = Frame::new(SETTINGS, 0, 0, []).bytes();
    send(
        &mut stream,
        [settings, Frame::get(1, "/livez").bytes()].concat(),
    )
    .await;
    let mut frame = [0; 9];
    in_time(stream.read_exact(&mut frame))
        .await
        .expect("a frame");
    assert_eq!(frame[3], SETTINGS);
    let mut post = hone.dial("P").await;
    sleep(Duration::from_millis(20)).await;
    send(&mut post, "OST /livez HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = [0; 12];
    in_time(post.read_exact(&mut answer))
        .await
        .expect("an answer");
    assert_eq!(&answer, b"HTTP/1.1 405");
}
