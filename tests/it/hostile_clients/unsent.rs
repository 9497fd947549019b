//! Upstreams that do not read: of a request that is not sent whole nothing stays behind its client.

use serde_json::json;
use socket2::{Domain, Socket, Type};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::support::head::{answer, chunk, post_chat};
use crate::support::parts::SimHandle;
use crate::support::raw::send;
use crate::support::{Hone, chat_with, hone, in_time, upstream};

/// More than the buffers of two sockets take.
const BODY: usize = 24_000_000;

/// An upstream that reads no body.
struct Unreading {
    address: std::net::SocketAddr,
    /// Its connections, each with a request's head read and some of its body.
    connections: mpsc::UnboundedReceiver<TcpStream>,
    task: JoinHandle<()>,
}

impl Unreading {
    /// One that begins to answer each request with `early`.
    fn start(early: Vec<u8>) -> Self {
        let listener = listener();
        let address = listener.local_addr().expect("fixture: an address");
        let (found, connections) = mpsc::unbounded_channel();
        let task = tokio::task::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await.expect("fixture: a head"));
                }
                send(&mut stream, early.clone()).await;
                found.send(stream).expect("fixture: it is waited for");
            }
        });
        Self {
            address,
            connections,
            task,
        }
    }

    async fn next(&mut self) -> TcpStream {
        let next = in_time(self.connections.recv()).await;
        next.expect("fixture: it listens")
    }
}

impl Drop for Unreading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Of small buffers, which its connections inherit.
fn listener() -> TcpListener {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("fixture: a socket");
    let ready = socket
        .set_nonblocking(true)
        .and_then(|()| socket.set_recv_buffer_size(4096))
        .and_then(|()| socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()))
        .and_then(|()| socket.listen(100));
    ready.expect("fixture: binds");
    TcpListener::from_std(socket.into()).expect("fixture: in a runtime")
}

/// Reads what there still is. It has to end.
async fn read_rest(mut stream: TcpStream) -> usize {
    let mut buffer = vec![0; 65_536];
    let mut bytes = 0;
    in_time(async {
        // A reset is an end, too.
        while let Ok(length @ 1..) = stream.read(&mut buffer).await {
            bytes += length;
        }
    })
    .await;
    bytes
}

/// A chat request as long as [`BODY`], for `model`.
fn request(model: &str) -> Vec<u8> {
    let text = "x".repeat(BODY);
    let body = chat_with(
        model,
        json!({"stream": true, "messages": [{"role": "user", "content": text}]}),
    );
    post_chat("k").body(body.to_string())
}

/// A stream's head and first event.
fn begun() -> Vec<u8> {
    let head = answer("200 OK").event_stream().chunked();
    head.then(chunk("data: {}\n\n"))
}

/// A hone that runs one request of a caller at once.
struct One {
    hone: Hone,
    _other: SimHandle,
}

impl One {
    async fn start(unreading: &Unreading, workers: bool) -> Self {
        let other = upstream().await;
        let setup = hone()
            .upstream_with(&unreading.address, |upstream| {
                upstream.models(&["m", "bon-m"])
            })
            .upstream_with(&other, |upstream| {
                upstream.named("other").takes_client_keys()
            })
            .limit("concurrent_requests", 1);
        let hone = if workers {
            setup.start_with_workers()
        } else {
            setup.start()
        };
        Self {
            hone,
            _other: other,
        }
    }

    /// Waits until the caller may ask for something else.
    async fn has_let_go(&self) {
        let client = self.hone.client("k");
        in_time(async {
            while client.ask("sim-small").await.status != 200 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_its_unsent_body_along() {
    for (early, workers) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut upstream = Unreading::start(if early { begun() } else { Vec::new() });
        let one = One::start(&upstream, workers).await;
        let mut client = one.hone.dial(request("m")).await;
        let connection = upstream.next().await;
        if early {
            client.read_u8().await.expect("the answer begins");
        }
        drop(client);
        one.has_let_go().await;
        let read = read_rest(connection).await;
        assert!(
            read < BODY / 2,
            "early: {early}, workers: {workers}, {read}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_of_a_strategy_that_leaves_takes_the_unsent_bodies_of_its_calls_along() {
    let mut upstream = Unreading::start(Vec::new());
    let one = One::start(&upstream, true).await;
    let client = one.hone.dial(request("bon-m")).await;
    let connection = upstream.next().await;
    drop(client);
    one.has_let_go().await;
    assert!(read_rest(connection).await < BODY / 2);
}

#[tokio::test]
async fn an_answer_that_is_whole_before_its_request_is_ends_both() {
    let whole = answer("413 Content Too Large").json().body("{}");
    let mut upstream = Unreading::start(whole);
    let one = One::start(&upstream, false).await;
    let mut client = one.hone.dial(request("m")).await;
    let connection = upstream.next().await;
    client.read_u8().await.expect("the answer");
    one.has_let_go().await;
    assert!(read_rest(connection).await < BODY / 2);
}

#[tokio::test]
async fn a_body_has_its_memory_for_as_long_as_it_is_unsent() {
    let (mut unreading, other) = (Unreading::start(begun()), upstream().await);
    let hone = hone()
        .upstream_with(&unreading.address, |upstream| upstream.models(&["m"]))
        .upstream_with(&other, |upstream| {
            upstream.named("other").takes_client_keys()
        })
        .bound("body_bytes", 25_000_000)
        .bound("buffered_bytes", 25_000_000)
        .bound("tenant_buffered_bytes", 25_000_000)
        .start();
    let mut client = hone.dial(request("m")).await;
    let connection = unreading.next().await;
    client.read_u8().await.expect("the answer begins");
    let next = chat_with(
        "sim-small",
        json!({"messages": [{"role": "user", "content": "x".repeat(2_000_000)}]}),
    );
    let another = hone.client("another");
    let refused = another.chat(&next).await;
    refused.assert_refused(429, "concurrency_limit_exceeded");
    drop(client);
    in_time(async {
        while another.chat(&next).await.status != 200 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(read_rest(connection).await < BODY / 2);
}
