use std::convert::Infallible;

use futures_util::FutureExt;
use http::Response;
use http_body_util::{BodyExt, Full};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};

use super::*;
use crate::admission::TenantKey;
use crate::upstream::http1;
use crate::upstream::negotiated::{Agreement, Negotiated};

const KEEP: Duration = Duration::from_secs(50);

/// An upstream that speaks HTTP/2, and what is connected to it.
struct Upstream {
    listener: TcpListener,
    queue: Arc<FairQueue>,
    pool: Negotiated,
}

impl Upstream {
    /// At most so many connections.
    async fn new(most: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target: Uri = format!("http://{}/v1", listener.local_addr().unwrap())
            .parse()
            .unwrap();
        let queue = Arc::new(FairQueue::new(None, 1.0, 100, KEEP));
        let most = NonZeroU32::new(most).unwrap();
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        let tcp = tcp.map_response(hyper_rustls::MaybeHttpsStream::Http);
        let pool = Negotiated {
            connector: BoxCloneSyncService::new(tcp.map_err(BoxError::from)),
            agreement: Agreement::PriorKnowledge,
            http1: http1::Connections::new(&target, KEEP, 64 * 1024).unwrap(),
            http2: Arc::new(Http2::new(target.clone(), KEEP, most, Arc::clone(&queue))),
            target,
        };
        Self {
            listener,
            queue,
            pool,
        }
    }

    async fn accept(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    fn open(&self) -> usize {
        self.pool.http2.state().open.len()
    }

    async fn ask(&self) -> String {
        let answer = self.pool.send(request()).await.unwrap();
        let body = answer.into_body().collect().await.unwrap();
        String::from_utf8(body.to_bytes().to_vec()).unwrap()
    }

    /// Whether so many calls, and no more, have a place.
    fn has_places(&self, expected: usize) -> bool {
        let key = TenantKey::from("a");
        let mut held = Vec::new();
        while held.len() <= expected {
            match self.queue.acquire(&key, 1).now_or_never() {
                Some(place) => held.push(place.unwrap()),
                None => break,
            }
        }
        held.len() == expected
    }
}

fn request() -> Outbound {
    let request = Request::get("/v1/models")
        .body(OutBody::buffered("body".into()))
        .unwrap();
    Box::new(request)
}

/// Answers on one connection, with the address that each request names, until `closes` is done;
/// then finishes what runs.
async fn serve(stream: TcpStream, streams: u32, closes: impl Future<Output = ()>) {
    let answer = service_fn(|request: Request<hyper::body::Incoming>| async move {
        let authority = request.uri().authority().unwrap().to_string();
        assert_eq!(request.version(), Version::HTTP_2);
        request.into_body().collect().await.unwrap();
        Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::from(authority)))
    });
    let mut connection = std::pin::pin!(
        http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(streams)
            .serve_connection(TokioIo::new(stream), answer)
    );
    tokio::select! {
        _ = connection.as_mut() => return,
        () = closes => connection.as_mut().graceful_shutdown(),
    }
    drop(connection.await);
}

#[tokio::test]
async fn a_connection_is_used_again_and_its_peers_limit_becomes_the_queues() {
    let upstream = Upstream::new(3).await;
    let server = async { serve(upstream.accept().await, 7, std::future::pending()).await };
    let client = async {
        for _ in 0..3 {
            let authority = upstream.listener.local_addr().unwrap().to_string();
            assert_eq!(upstream.ask().await, authority);
        }
    };
    tokio::select! {
        () = server => panic!("it is kept"),
        () = client => {}
    }
    assert_eq!(upstream.open(), 1);
    assert!(upstream.has_places(3 * 7));
}

#[tokio::test]
async fn a_peer_that_allows_more_than_a_connection_should_carry_is_not_taken_at_its_word() {
    let upstream = Upstream::new(2).await;
    let server = async { serve(upstream.accept().await, u32::MAX, std::future::pending()).await };
    tokio::select! {
        () = server => panic!("it is kept"),
        _ = upstream.ask() => {}
    }
    assert!(upstream.has_places(2 * MOST_STREAMS as usize));
}

#[tokio::test]
async fn a_connection_that_its_peer_ends_between_two_requests_is_replaced() {
    let upstream = Upstream::new(1).await;
    let (close, closes) = tokio::sync::oneshot::channel();
    let server = async {
        let first = upstream.accept().await;
        serve(first, 7, async { drop(closes.await) }).await;
        serve(upstream.accept().await, 7, std::future::pending()).await;
    };
    let client = async {
        upstream.ask().await;
        close.send(()).unwrap();
        while upstream.open() > 0 {
            tokio::task::yield_now().await;
        }
        upstream.ask().await;
    };
    tokio::select! {
        () = server => panic!("the second is kept"),
        () = client => {}
    }
}

#[tokio::test]
async fn others_wait_for_a_connection_that_is_being_made() {
    let upstream = Upstream::new(10).await;
    let asking = futures_util::future::join_all((0..7).map(|_| upstream.ask()));
    let server = async { serve(upstream.accept().await, 7, std::future::pending()).await };
    tokio::select! {
        () = server => panic!("it is kept"),
        _ = asking => {}
    }
    assert_eq!(upstream.open(), 1);
}

#[tokio::test]
async fn a_full_connection_has_others_beside_it_up_to_the_bound_and_then_calls_wait() {
    let upstream = Upstream::new(2).await;
    let hold = || upstream.pool.http2.place();
    let server = async {
        let one = upstream.accept().await;
        let one = serve(one, 2, std::future::pending());
        let other = async { serve(upstream.accept().await, 2, std::future::pending()).await };
        tokio::join!(one, other);
    };
    let client = async {
        upstream.ask().await;
        let mut places = vec![hold().unwrap(), hold().unwrap()];
        assert!(hold().is_none());
        upstream.ask().await;
        assert_eq!(upstream.open(), 2);
        places.extend([hold().unwrap(), hold().unwrap()]);
        let mut waits = std::pin::pin!(upstream.ask());
        assert!(futures_util::poll!(waits.as_mut()).is_pending());
        drop(places.pop());
        waits.await;
    };
    tokio::select! {
        () = server => panic!("both are kept"),
        () = client => {}
    }
}

#[tokio::test]
async fn nobody_waits_for_tries_that_are_in_vain_one_after_the_other() {
    let upstream = Upstream::new(10).await;
    let silent = async {
        // Never a word of HTTP/2.
        let mut first = upstream.accept().await;
        first.read_exact(&mut [0; 24]).await.unwrap();
        drop(first);
        let mut others = Vec::new();
        for _ in 0..4 {
            others.push(upstream.accept().await);
        }
    };
    let asking = futures_util::future::join_all((0..5).map(|_| upstream.pool.send(request())));
    tokio::select! {
        () = silent => {}
        _ = asking => panic!("four hear nothing"),
    }
}

#[tokio::test]
async fn a_connection_that_is_not_used_for_long_is_closed() {
    let upstream = Upstream::new(1).await;
    let (closed, was_closed) = tokio::sync::oneshot::channel();
    let server = async {
        let stream = upstream.accept().await;
        serve(stream, 7, std::future::pending()).await;
        closed.send(()).unwrap();
    };
    let client = async {
        upstream.ask().await;
        let tidy = || upstream.pool.tidy();
        tokio::time::pause();
        let place = upstream.pool.http2.place().unwrap();
        tidy();
        tokio::time::advance(KEEP).await;
        tidy();
        assert_eq!(upstream.open(), 1, "in use");
        drop(place);
        tidy();
        tokio::time::advance(KEEP.saturating_sub(Duration::from_millis(1))).await;
        tidy();
        assert_eq!(upstream.open(), 1);
        tokio::time::advance(Duration::from_millis(1)).await;
        tidy();
        assert_eq!(upstream.open(), 0);
        tokio::time::resume();
        was_closed.await.unwrap();
    };
    tokio::join!(server, client);
}
