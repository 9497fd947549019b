//! A provider that speaks HTTP/2 and allows so many streams on a connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use http_body::Frame;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::setup::{Listens, Upstream};
use super::tls::Identity;
use super::{in_time, text};

/// A model whose answers wait until they are let go.
pub const HOLD: &str = "hold";
/// A model whose answers are [`LARGE`] bytes.
pub const LARGE_MODEL: &str = "large";
pub const LARGE: usize = 8_000_000;
/// A model whose answers have no end.
pub const ENDLESS: &str = "endless";

/// A model whose answers have fields behind their bodies.
pub const TRAILERS: &str = "trailers";

/// Models whose answers have as many fields of 300 bytes as the number behind this says.
pub const FIELDS: &str = "fields-";
const COMPLETION: &[u8] = br#"{"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},
    "finish_reason":"stop"}]}"#;

/// The provider. Its TLS, if it has any, is as its identity says.
pub struct Multiplexed<'a> {
    address: SocketAddr,
    identity: Option<&'a Identity>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    seen: watch::Sender<Seen>,
    let_go: Semaphore,
}

/// What the provider has seen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// Connections so far.
    pub connections: usize,
    /// Requests so far.
    pub requests: usize,
    /// Those of them that had fields behind their bodies.
    pub with_trailers: usize,
    /// Requests so far that wait or have waited.
    pub held: usize,
}

impl<'a> Multiplexed<'a> {
    pub async fn start(identity: Option<&'a Identity>, streams: u32) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("fixture: binds");
        let address = listener.local_addr().expect("fixture: an address");
        let shared = Arc::new(Shared {
            seen: watch::Sender::default(),
            let_go: Semaphore::new(0),
        });
        let acceptor = identity.map(Identity::acceptor);
        let serving = Arc::clone(&shared);
        let task = tokio::task::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, acceptor) = (Arc::clone(&serving), acceptor.clone());
                connections.spawn(accept(acceptor, stream, streams, shared));
            }
        });
        Self {
            address,
            identity,
            shared,
            task,
        }
    }

    /// What hone must know to speak to it.
    pub fn spoken(&self, upstream: Upstream) -> Upstream {
        match self.identity {
            None => upstream.set("http2_prior_knowledge", true),
            Some(identity) => upstream.set("ca_file", identity.certificate()),
        }
    }

    /// Waits until so many requests wait here, or have waited.
    pub async fn holds(&self, requests: usize) {
        let mut seen = self.shared.seen.subscribe();
        let reached = in_time(seen.wait_for(|seen| seen.held >= requests)).await;
        reached.expect("fixture: it runs");
    }

    pub fn seen(&self) -> Seen {
        *self.shared.seen.borrow()
    }

    /// Answers so many of those that wait.
    pub fn let_go(&self, requests: usize) {
        self.shared.let_go.add_permits(requests);
    }
}

impl Listens for Multiplexed<'_> {
    fn base_url(&self) -> String {
        match self.identity {
            None => self.address.base_url(),
            Some(_) => format!("https://localhost:{}/v1", self.address.port()),
        }
    }
}

impl Drop for Multiplexed<'_> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    acceptor: Option<TlsAcceptor>,
    stream: TcpStream,
    streams: u32,
    shared: Arc<Shared>,
) {
    let Some(acceptor) = acceptor else {
        return serve(TokioIo::new(stream), streams, shared).await;
    };
    if let Ok(stream) = acceptor.accept(stream).await {
        serve(TokioIo::new(stream), streams, shared).await;
    }
}

async fn serve<I>(io: I, streams: u32, shared: Arc<Shared>)
where
    I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
{
    shared.seen.send_modify(|seen| seen.connections += 1);
    let service = service_fn(|request| {
        let shared = Arc::clone(&shared);
        async move { Ok::<_, Infallible>(answer(request, &shared).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(streams)
        .serve_connection(io, service);
    // However it ends.
    let _end = connection.await;
}

async fn answer(
    request: Request<Incoming>,
    shared: &Shared,
) -> Response<BoxBody<Bytes, Infallible>> {
    let Ok(body) = request.into_body().collect().await else {
        return Response::default();
    };
    shared.seen.send_modify(|seen| {
        seen.requests += 1;
        seen.with_trailers += usize::from(body.trailers().is_some());
    });
    let body = text(body.to_bytes());
    let asks = |model: &str| body.contains(&format!(r#""model":"{model}""#));
    if asks(ENDLESS) {
        return Response::new(Endless.boxed());
    }
    if asks(HOLD) {
        shared.seen.send_modify(|seen| seen.held += 1);
        let let_go = shared.let_go.acquire().await;
        let_go.expect("fixture: it runs").forget();
    }
    if asks(TRAILERS) {
        let fields = HeaderMap::from_iter([(SET_COOKIE, HeaderValue::from_static("a=b"))]);
        let body = Full::new(Bytes::from_static(b"ok"));
        let body = body.with_trailers(std::future::ready(Some(Ok(fields))));
        return Response::new(body.boxed());
    }
    if let Some((_, count)) = body.split_once(FIELDS) {
        let count = count.chars().map_while(|digit| digit.to_digit(10));
        return with_fields(count.fold(0, |count, digit| 10 * count + digit));
    }
    let length = if asks(LARGE_MODEL) { LARGE } else { 2 };
    let body = Bytes::from(vec![b'x'; length]);
    Response::new(Full::new(body).boxed())
}

/// A chat completion with so many fields of 300 bytes in its head.
fn with_fields(count: u32) -> Response<BoxBody<Bytes, Infallible>> {
    let mut response = Response::new(Full::new(Bytes::from_static(COMPLETION)).boxed());
    let fields = response.headers_mut();
    fields.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for number in 0..count {
        let name = format!("x-field-{number}").parse::<HeaderName>();
        let value = HeaderValue::try_from("v".repeat(300));
        fields.insert(
            name.expect("fixture: a name"),
            value.expect("fixture: a value"),
        );
    }
    response
}

/// A body without an end.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16_384])))))
    }
}
