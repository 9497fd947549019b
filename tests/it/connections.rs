//! How many connections, from where, and how long without a request.

use std::net::SocketAddr;
use std::time::Duration;

use hone::app::App;
use hone_sim::{Knobs, Latency};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::support::client::PATIENCE;
use crate::support::frames::{Connection, Frame, GOAWAY, HEADERS, PING, SETTINGS};
use crate::support::raw::read_to_end;
use crate::support::tls::Identity;
use crate::support::{Client, chat_body, hone, table, upstream};

const LIVE: &[u8] = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n";
const ADMIN: &str = "[admin]\nlisten = \"127.0.0.1:0\"\n";

/// A connection to hone from another address of this machine.
async fn connect_from(source: &str, address: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().expect("fixture: a socket");
    socket
        .bind(SocketAddr::new(
            source.parse().expect("fixture: an address"),
            0,
        ))
        .expect("fixture: binds");
    socket.connect(address).await.expect("connects")
}

/// Whether a request on this connection is answered, rather than the connection closed.
async fn is_served(stream: &mut TcpStream) -> bool {
    let mut answer = [0; 4096];
    let _closed_already = stream.write_all(LIVE).await;
    let read = timeout(PATIENCE, stream.read(&mut answer))
        .await
        .expect("an answer or an end in time");
    read.is_ok_and(|length| answer[..length].starts_with(b"HTTP/1.1 200"))
}

async fn metrics(hone: &App) -> String {
    Client::new(hone.admin_address().expect("an admin listener"))
        .get("/metrics")
        .await
        .text()
}

#[tokio::test]
async fn a_hostile_address_cannot_use_up_the_connections() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}{ADMIN}[bounds]\nconnections = 6\nconnections_per_address = 3\n",
        table(&upstream)
    ));
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = connect_from("127.0.0.66", hone.address()).await;
        assert!(is_served(&mut stream).await);
        held.push(stream);
    }
    for _ in 0..20 {
        assert!(
            !is_served(&mut connect_from("127.0.0.66", hone.address()).await).await,
            "one too many"
        );
    }
    assert!(is_served(&mut connect_from("127.0.0.67", hone.address()).await).await);
    assert!(
        metrics(&hone)
            .await
            .contains("hone_connections_refused_total{reason=\"too_many\"}")
    );
    drop(held);
    let comes_back = async {
        while !is_served(&mut connect_from("127.0.0.66", hone.address()).await).await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, comes_back)
        .await
        .expect("whoever closes its connections may open others");
}

#[tokio::test]
async fn an_address_has_a_quarter_of_all_connections_unless_the_operator_says() {
    let upstream = upstream().await;
    let hone = hone(&format!("{}[bounds]\nconnections = 80\n", table(&upstream)));
    let mut held = Vec::new();
    for _ in 0..20 {
        let mut stream = connect_from("127.0.0.66", hone.address()).await;
        assert!(is_served(&mut stream).await);
        held.push(stream);
    }
    assert!(!is_served(&mut connect_from("127.0.0.66", hone.address()).await).await);
}

#[tokio::test]
async fn connections_of_a_trusted_proxy_are_not_counted() {
    let upstream = upstream().await;
    let bounds = "[bounds]\nconnections_per_address = 1\nconnections_per_minute = 1\n";
    let hone = hone(&format!(
        "trusted_proxies = [\"127.0.0.66\"]\n{}{bounds}",
        table(&upstream)
    ));
    let mut held = Vec::new();
    for _ in 0..5 {
        let mut stream = connect_from("127.0.0.66", hone.address()).await;
        assert!(is_served(&mut stream).await);
        held.push(stream);
    }
    assert!(is_served(&mut connect_from("127.0.0.67", hone.address()).await).await);
    assert!(
        !is_served(&mut connect_from("127.0.0.67", hone.address()).await).await,
        "others' are"
    );
}

#[tokio::test]
async fn an_address_that_connects_too_often_is_refused() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}{ADMIN}[bounds]\nconnections_per_minute = 2\n",
        table(&upstream)
    ));
    for expected in [true, true, false] {
        assert_eq!(
            is_served(&mut connect_from("127.0.0.66", hone.address()).await).await,
            expected
        );
    }
    assert!(is_served(&mut connect_from("127.0.0.67", hone.address()).await).await);
    assert!(
        metrics(&hone)
            .await
            .contains("hone_connections_refused_total{reason=\"too_often\"}")
    );
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed_with_goaway_whatever_else_it_says() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}{ADMIN}[bounds]\nconnection_idle = \"300ms\"\n",
        table(&upstream)
    ));
    let mut connection = Connection::open(hone.address()).await;
    assert!(connection.send(&Frame::get(1, "/livez")).await);
    assert!(connection.until(HEADERS).await.is_some(), "served");
    let start = Instant::now();
    let goaway = loop {
        connection.send(&Frame::new(PING, 0, 0, [0; 8])).await;
        match timeout(Duration::from_millis(20), connection.until(GOAWAY)).await {
            Ok(goaway) => break goaway,
            Err(_not_yet) => assert!(start.elapsed() < PATIENCE, "pings keep it alive"),
        }
    };
    assert_eq!(
        goaway.expect("a GOAWAY").payload[4..8],
        [0; 4],
        "not an error"
    );
    assert!(connection.is_closed_at_last().await);
    assert!(
        metrics(&hone)
            .await
            .contains("hone_connections_closed_total{reason=\"idle\"}")
    );
}

#[tokio::test]
async fn an_http2_connection_that_never_asks_for_anything_is_closed() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[bounds]\nheader_read = \"200ms\"\n",
        table(&upstream)
    ));
    let mut told = Connection::open(hone.address()).await;
    assert!(told.until(GOAWAY).await.is_some());
    assert!(told.is_closed_at_last().await);
    let mut mute = TcpStream::connect(hone.address()).await.expect("connects");
    mute.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        .await
        .expect("sends");
    drop(read_to_end(mute).await);
    let mut half = Connection::open(hone.address()).await;
    half.send(&Frame::new(
        HEADERS,
        0,
        1,
        crate::support::frames::request("/livez"),
    ))
    .await;
    assert!(half.is_closed_at_last().await, "a head without an end");
}

#[tokio::test]
async fn a_pause_between_two_requests_may_be_longer_than_a_head_but_not_for_ever() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[bounds]\nheader_read = \"100ms\"\nconnection_idle = \"900ms\"\n",
        table(&upstream)
    ));
    let mut stream = TcpStream::connect(hone.address()).await.expect("connects");
    assert!(is_served(&mut stream).await);
    sleep(Duration::from_millis(400)).await;
    assert!(is_served(&mut stream).await);
    let start = Instant::now();
    assert_eq!(read_to_end(stream).await, "");
    assert!(
        start.elapsed() >= Duration::from_millis(850),
        "closed after {:?}",
        start.elapsed()
    );
    let mut slow = TcpStream::connect(hone.address()).await.expect("connects");
    assert!(is_served(&mut slow).await);
    slow.write_all(b"GET /liv").await.expect("sends");
    let start = Instant::now();
    assert_eq!(read_to_end(slow).await, "");
    assert!(
        start.elapsed() < Duration::from_millis(700),
        "a head has less time than a pause: {:?}",
        start.elapsed()
    );
}

#[tokio::test]
async fn a_connection_is_not_idle_while_a_request_runs() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        latency: Latency::Constant { ms: 600 },
        ..Knobs::default()
    });
    let hone = hone(&format!(
        "{}[bounds]\nheader_read = \"50ms\"\nconnection_idle = \"50ms\"\n",
        table(&upstream)
    ));
    for client in [Client::new(hone.address()), Client::http2(hone.address())] {
        assert_eq!(
            client.key("k").chat(&chat_body("sim-small")).await.status,
            200
        );
    }
}

#[tokio::test]
async fn the_time_for_a_head_holds_for_tls_too() {
    let (upstream, identity) = (upstream().await, Identity::new());
    let hone = hone(&format!(
        "{}{}{ADMIN}[bounds]\nheader_read = \"200ms\"\n",
        table(&upstream),
        identity.table()
    ));
    let silent = TcpStream::connect(hone.address()).await.expect("connects");
    drop(read_to_end(silent).await);
    let mut half = TcpStream::connect(hone.address()).await.expect("connects");
    half.write_all(b"\x16\x03\x01\x02\x00\x01")
        .await
        .expect("sends the beginning of a handshake");
    drop(read_to_end(half).await);
    for beginning in ["", "GET /livez HTTP/1.1\r\nhost: x\r\n"] {
        let mut stream = identity.connect(hone.address(), "http/1.1").await;
        stream.write_all(beginning.as_bytes()).await.expect("sends");
        let mut answer = Vec::new();
        let _end = timeout(PATIENCE, stream.read_to_end(&mut answer))
            .await
            .expect("closed in time");
        assert_eq!(answer, b"", "{beginning:?}");
    }
    for sends_settings in [false, true] {
        let mut stream = identity.connect(hone.address(), "h2").await;
        stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .expect("sends");
        if sends_settings {
            stream
                .write_all(&Frame::new(SETTINGS, 0, 0, []).bytes())
                .await
                .expect("sends");
        }
        let _end = timeout(PATIENCE, stream.read_to_end(&mut Vec::new()))
            .await
            .expect("closed in time");
    }
    assert!(
        metrics(&hone)
            .await
            .contains("hone_connections_closed_total{reason=\"head_timeout\"}")
    );
}
