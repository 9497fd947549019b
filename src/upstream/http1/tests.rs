use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const KEEP: Duration = Duration::from_secs(50);
const WHOLE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const BEGUN: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no";

/// An upstream that answers by hand.
struct Upstream(TcpListener);

impl Upstream {
    async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn pool(&self) -> Http1 {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        let target = format!("http://{}/v1", self.0.local_addr().unwrap())
            .parse()
            .unwrap();
        Http1::new(
            BoxCloneSyncService::new(tcp.map_err(BoxError::from)),
            target,
            KEEP,
            64 * 1024,
        )
        .unwrap()
    }

    async fn accept(&self) -> TcpStream {
        self.0.accept().await.unwrap().0
    }
}

/// Reads one request, which has no body, and answers it.
async fn answer(stream: &mut TcpStream, with: &str) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    stream.write_all(with.as_bytes()).await.unwrap();
    String::from_utf8(head).unwrap()
}

fn request() -> Outbound {
    let request = Request::get("http://elsewhere/v1/models?limit=2")
        .body(OutBody::buffered(Bytes::new()))
        .unwrap();
    Box::new(request)
}

async fn text(response: Response<AnswerBody>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

/// Lets the connections' own tasks run until so many of them wait for a request.
async fn waiting(pool: &Http1, connections: usize) {
    while pool
        .connections
        .idle
        .kept()
        .iter()
        .filter(|(connection, _)| connection.is_ready())
        .count()
        != connections
    {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let upstream = Upstream::new().await;
    let pool = upstream.pool();
    let server = async {
        let mut stream = upstream.accept().await;
        let first = answer(&mut stream, WHOLE).await;
        (first, answer(&mut stream, WHOLE).await, stream)
    };
    let client = async {
        for _ in 0..2 {
            assert_eq!(text(pool.send(request()).await.unwrap()).await, "ok");
            waiting(&pool, 1).await;
        }
    };
    let ((first, second, _open), ()) = tokio::join!(server, client);
    assert!(
        first.starts_with("GET /v1/models?limit=2 HTTP/1.1\r\n"),
        "{first}"
    );
    assert!(
        first.contains(&format!("host: {}\r\n", upstream.0.local_addr().unwrap())),
        "{first}"
    );
    assert_eq!(first, second);
}

#[tokio::test]
async fn a_connection_with_an_answer_under_way_is_nobody_elses() {
    let upstream = Upstream::new().await;
    let pool = upstream.pool();
    let server = async {
        let mut one = upstream.accept().await;
        answer(&mut one, BEGUN).await;
        let mut other = upstream.accept().await;
        answer(&mut other, WHOLE).await;
        one.write_all(b"k").await.unwrap();
        (answer(&mut one, WHOLE).await, other)
    };
    let client = async {
        let first = pool.send(request()).await.unwrap();
        let second = pool.send(request()).await.unwrap();
        // So that the first is the one used last.
        assert_eq!(text(second).await, "ok");
        waiting(&pool, 1).await;
        assert_eq!(text(first).await, "ok");
        waiting(&pool, 2).await;
        assert_eq!(text(pool.send(request()).await.unwrap()).await, "ok");
    };
    tokio::join!(server, client);
}

#[tokio::test]
async fn a_connection_that_the_upstream_has_closed_meanwhile_is_replaced() {
    let upstream = Upstream::new().await;
    let pool = upstream.pool();
    let server = async {
        for _ in 0..3 {
            answer(&mut upstream.accept().await, WHOLE).await;
        }
    };
    let client = async {
        for _ in 0..3 {
            assert_eq!(text(pool.send(request()).await.unwrap()).await, "ok");
            waiting(&pool, 0).await;
        }
    };
    tokio::join!(server, client);
    pool.tidy();
    assert_eq!(pool.connections.idle.kept().len(), 0);
}

#[tokio::test]
async fn an_answer_that_nobody_asked_for_is_never_the_next_callers() {
    const ANOTHERS: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nno";
    for comes_late in [false, true] {
        let upstream = Upstream::new().await;
        let pool = upstream.pool();
        let (read, was_read) = tokio::sync::oneshot::channel();
        let (closed, was_closed) = tokio::sync::oneshot::channel();
        let server = async {
            let mut one = upstream.accept().await;
            if comes_late {
                answer(&mut one, WHOLE).await;
                was_read.await.unwrap();
                one.write_all(ANOTHERS.as_bytes()).await.unwrap();
                assert_eq!(one.read(&mut [0]).await.unwrap_or(0), 0, "closed");
                closed.send(()).unwrap();
            } else {
                answer(&mut one, &format!("{WHOLE}{ANOTHERS}")).await;
            }
            answer(&mut upstream.accept().await, WHOLE).await;
        };
        let client = async {
            assert_eq!(text(pool.send(request()).await.unwrap()).await, "ok");
            if comes_late {
                read.send(()).unwrap();
                was_closed.await.unwrap();
            }
            assert_eq!(text(pool.send(request()).await.unwrap()).await, "ok");
        };
        tokio::join!(server, client);
    }
}

#[tokio::test]
async fn an_answer_that_its_client_gives_up_takes_its_connection_along() {
    let upstream = Upstream::new().await;
    let pool = upstream.pool();
    let (asked, heard) = tokio::sync::oneshot::channel();
    let server = async {
        let mut one = upstream.accept().await;
        answer(&mut one, BEGUN).await;
        assert_eq!(one.read(&mut [0]).await.unwrap(), 0, "closed");
        let mut silent = upstream.accept().await;
        answer(&mut silent, "").await;
        asked.send(()).unwrap();
        assert_eq!(silent.read(&mut [0]).await.unwrap(), 0, "closed");
    };
    let client = async {
        drop(pool.send(request()).await.unwrap());
        tokio::select! {
            _ = pool.send(request()) => panic!("nobody answers"),
            asked = heard => asked.unwrap(),
        }
    };
    tokio::join!(server, client);
    assert!(pool.connections.idle.take().is_none());
}

#[tokio::test]
async fn a_request_that_found_no_connection_comes_back_whole() {
    let upstream = Upstream::new().await;
    let pool = upstream.pool();
    drop(upstream);
    let mut request = request();
    *request.body_mut() = OutBody::buffered(Bytes::from("body"));
    let failed = pool.send(request).await.unwrap_err();
    assert!(matches!(failed.failure, Failure::Connect(_)));
    let unsent = failed.unsent.unwrap();
    assert_eq!(
        (unsent.method(), unsent.uri().path()),
        (&Method::GET, "/v1/models")
    );
    assert_eq!(
        unsent.into_body().collect().await.unwrap().to_bytes(),
        "body"
    );
}

/// A pool with one kept connection, and the upstream's end of that. From here on time stands still.
async fn kept() -> (Http1, TcpStream) {
    let upstream = Upstream::new().await;
    let pool = upstream.pool();
    let server = async {
        let mut stream = upstream.accept().await;
        answer(&mut stream, WHOLE).await;
        stream
    };
    let client = async {
        assert_eq!(text(pool.send(request()).await.unwrap()).await, "ok");
        waiting(&pool, 1).await;
    };
    let (stream, ()) = tokio::join!(server, client);
    tokio::time::pause();
    (pool, stream)
}

#[tokio::test]
async fn a_connection_that_is_not_used_for_long_is_closed() {
    let (pool, mut stream) = kept().await;
    tokio::time::advance(KEEP.saturating_sub(Duration::from_millis(1))).await;
    pool.tidy();
    assert_eq!(pool.connections.idle.kept().len(), 1);
    tokio::time::advance(Duration::from_millis(1)).await;
    pool.tidy();
    assert_eq!(pool.connections.idle.kept().len(), 0);
    assert_eq!(stream.read(&mut [0]).await.unwrap(), 0, "closed");
}

#[tokio::test]
async fn a_connection_that_has_waited_too_long_is_not_used_again() {
    let (pool, _stream) = kept().await;
    tokio::time::advance(KEEP).await;
    assert!(pool.connections.idle.take().is_none());
}

#[test]
fn a_host_is_named_without_its_default_port() {
    for (authority, named) in [
        ("a.example", "a.example"),
        ("a.example:80", "a.example"),
        ("u:p@a:8080", "a:8080"),
        ("[::1]:81", "[::1]:81"),
    ] {
        assert_eq!(host(&authority.parse().unwrap()).unwrap(), named);
    }
}
