//! Listeners: connections in, requests to a service, drain at the end.
//!
//! This is the only module that spawns: one task per connection, all of them tracked, none of which outlives a drain.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::Bounds;

pub mod admin;
pub mod drain;
pub mod protocol;
pub mod routes;
pub mod stall;
pub mod tls;

pub use drain::Drain;
pub use tls::Tls;

use protocol::Protocol;
use stall::Stall;

/// HTTP/2 streams of one connection at once.
const HTTP2_STREAMS: u32 = 256;
/// A smaller read buffer would slow large bodies down.
const MIN_READ_BUFFER: usize = 128 * 1024;
/// Header fields of one request.
const MAX_HEADERS: usize = 128;

/// The two ends of one accepted connection.
#[derive(Debug, Clone, Copy)]
pub struct Ends {
    /// The TCP peer.
    pub peer: SocketAddr,
    /// The address that the listener is bound to, which may be a wildcard.
    pub listener: SocketAddr,
}

/// What answers requests. It never fails: every error is a response.
pub trait Answer: Send + Sync + 'static {
    /// The body of its responses.
    type Body: http_body::Body<Data = bytes::Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static;

    /// Whether a new connection from this peer is welcome now.
    fn admits(&self, peer: SocketAddr) -> bool;

    /// Answers one request. Dropped when the client goes away, and everything done for the request with it.
    fn answer(self: Arc<Self>, request: Request<Incoming>, ends: Ends) -> impl Future<Output = Response<Self::Body>> + Send;
}

/// One listener and what it needs to serve.
pub struct Server<A> {
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<Tls>,
    answer: Arc<A>,
    bounds: Arc<Bounds>,
    connections: Arc<Semaphore>,
    drain: Drain,
}

impl<A> fmt::Debug for Server<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("listener", &self.listener).finish_non_exhaustive()
    }
}

impl<A: Answer> Server<A> {
    /// Serves `answer` on `listener`, which is bound to `address`, until `drain` begins.
    pub fn new((listener, address): (TcpListener, SocketAddr), answer: Arc<A>, bounds: Arc<Bounds>, drain: Drain) -> Self {
        Self { listener, address, tls: None, answer, bounds, connections: Arc::new(Semaphore::new(Semaphore::MAX_PERMITS)), drain }
    }

    /// Serves TLS instead of plain text.
    #[must_use]
    pub fn tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Keeps at most `connections` open at once; more wait in the system's queue.
    #[must_use]
    pub fn connections(self, connections: usize) -> Self {
        Self { connections: Arc::new(Semaphore::new(connections)), ..self }
    }

    /// Accepts connections until the drain begins. Connections go on in tasks of the drain's tracker.
    pub async fn run(self) {
        let server = Arc::new(self);
        let stop = server.drain.stopping().clone();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = server.accept() => accepted,
            };
            let Some((stream, ends, permit)) = accepted else { continue };
            let connection = Arc::clone(&server).connection(stream, ends, permit);
            server.drain.tasks().spawn(connection);
        }
    }

    /// The next connection that may stay: there is room for it, and its address does not come too often.
    async fn accept(&self) -> Option<(TcpStream, Ends, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.connections).acquire_owned().await.ok()?;
        let (stream, peer) = match self.listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Out of descriptors, most likely: give those that run time to finish.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return None;
            }
        };
        if !self.answer.admits(peer) {
            return None;
        }
        stream.set_nodelay(true).ok()?;
        Some((stream, Ends { peer, listener: self.address }, permit))
    }

    async fn connection(self: Arc<Self>, stream: TcpStream, ends: Ends, _permit: OwnedSemaphorePermit) {
        let force = self.drain.forced().clone();
        tokio::select! {
            result = self.serve(stream, ends) => {
                if let Err(error) = result {
                    tracing::debug!(peer = %ends.peer, %error, "connection ended early");
                }
            }
            () = force.cancelled() => {}
        }
    }

    async fn serve(&self, stream: TcpStream, ends: Ends) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        match &self.tls {
            None => {
                let protocol = timeout(self.bounds.header_read, protocol::detect(&stream)).await??;
                self.http(TokioIo::new(stream), protocol, ends).await
            }
            Some(tls) => {
                let stream = timeout(self.bounds.header_read, tls.accept(stream)).await??;
                let protocol = if stream.get_ref().1.alpn_protocol() == Some(b"h2") { Protocol::Http2 } else { Protocol::Http1 };
                self.http(TokioIo::new(stream), protocol, ends).await
            }
        }
    }

    async fn http<I>(&self, io: I, protocol: Protocol, ends: Ends) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
    where
        I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    {
        let io = Stall::new(io, self.bounds.stream_idle);
        let answer = Arc::clone(&self.answer);
        let service = service_fn(move |request| {
            let answer = Arc::clone(&answer);
            async move { Ok::<_, Infallible>(answer.answer(request, ends).await) }
        });
        let stop = self.drain.stopping();
        match protocol {
            Protocol::Http1 => {
                let connection = self.http1().serve_connection(io, service);
                tokio::pin!(connection);
                until_done_or(stop, connection.as_mut(), http1::Connection::graceful_shutdown).await?;
            }
            Protocol::Http2 => {
                let connection = self.http2().serve_connection(io, service);
                tokio::pin!(connection);
                until_done_or(stop, connection.as_mut(), http2::Connection::graceful_shutdown).await?;
            }
        }
        Ok(())
    }

    fn http1(&self) -> http1::Builder {
        let mut builder = http1::Builder::new();
        builder
            .timer(TokioTimer::new())
            .header_read_timeout(self.bounds.header_read)
            .max_header_size(self.bounds.header_bytes)
            .max_buf_size(self.bounds.header_bytes.max(MIN_READ_BUFFER))
            .max_headers(MAX_HEADERS);
        builder
    }

    fn http2(&self) -> http2::Builder<TokioExecutor> {
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .max_concurrent_streams(HTTP2_STREAMS)
            .max_header_list_size(u32::try_from(self.bounds.header_bytes).unwrap_or(u32::MAX))
            .max_send_buf_size(256 * 1024)
            .adaptive_window(true)
            .keep_alive_interval(Some(Duration::from_secs(30)))
            .keep_alive_timeout(self.bounds.header_read);
        builder
    }
}

/// Drives a connection; once `stop` is cancelled, asks it to finish what runs and take nothing new.
async fn until_done_or<C: Future>(
    stop: &CancellationToken,
    mut connection: std::pin::Pin<&mut C>,
    finish: impl FnOnce(std::pin::Pin<&mut C>),
) -> C::Output {
    tokio::select! {
        output = connection.as_mut() => output,
        () = stop.cancelled() => {
            finish(connection.as_mut());
            connection.await
        }
    }
}

/// Binds `address` with the options a proxy wants.
///
/// # Errors
///
/// When the address is taken or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = if address.is_ipv4() { socket2::Domain::IPV4 } else { socket2::Domain::IPV6 };
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    TcpListener::from_std(socket.into())
}
