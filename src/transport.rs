//! Listeners: connections in, requests to a service, drain at the end.
//!
//! Each connection is one task, here or on a worker. Drain tracks all of them, so none outlives it.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::BytesMut;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use crate::config::Bounds;
use crate::telemetry::connections;
use crate::telemetry::inflight::{InFlight, Kind};
use crate::workers::Workers;

pub(crate) mod activity;
mod body;
pub(crate) mod cap;
pub mod drain;
mod drive;
mod linger;
mod place;
mod progress;
pub(crate) mod protocol;
mod refusal;
mod requests;
pub(crate) mod stall;
#[cfg(test)]
mod tests;
pub(crate) mod tls;
pub(crate) mod windows;

pub(crate) use body::RequestBody;
pub(crate) use cap::Cap;
pub(crate) use drain::Drain;
pub(crate) use refusal::ConnectionRefused;
pub(crate) use requests::{Answer, ConnectionAddrs};
pub(crate) use tls::Tls;

use activity::{Activity, Expired, StreamTasks};
pub(crate) use activity::{Close, Closing};
use cap::ConnectionPermit;
use drive::{BoxError, LATE, drive};
use linger::Linger;
use protocol::Protocol;
use refusal::{Refusal, Refusals, say_at_once};
use requests::Requests;
use stall::Stall;
use windows::{STREAMS, Window, Windows};

/// Streams that a peer may reset before they could even be looked at: all that it may have open. A
/// client that gives up a page of requests, or a balancer whose backend changes, does that once;
/// beyond it the connection ends (rapid reset, CVE-2023-44487). One reading of a socket takes 128
/// pieces of 16 KiB, or 60,000 such streams of 35 bytes, if nothing ends it. What is looked at
/// before its reset comes is counted by [`Activity`], and so are these.
const MOST_EARLY_RESETS: usize = STREAMS as usize;
/// Streams that one connection may lose by breaking the protocol.
const MOST_BROKEN_STREAMS: usize = 128;
/// Bytes of a frame: with the bound on header bytes, that bounds how many CONTINUATION frames a
/// head may have.
const HTTP2_FRAME: u32 = 16 * 1024;
/// A smaller read buffer would slow large bodies down.
const MIN_READ_BUFFER: usize = 128 * 1024;

/// One listener and what it needs to serve.
pub(crate) struct Server<A> {
    /// Held by the task that accepts, and by no connection: once that ends, nothing listens.
    listener: Option<TcpListener>,
    address: SocketAddr,
    tls: Option<Tls>,
    answer: Arc<A>,
    bounds: Arc<ArcSwap<Bounds>>,
    cap: Arc<Cap>,
    refusals: Refusals,
    workers: Option<Arc<Workers>>,
    windows: Arc<Windows>,
    drain: Drain,
}

impl<A> fmt::Debug for Server<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server")
            .field("listener", &self.listener)
            .finish_non_exhaustive()
    }
}

impl<A: Answer> Server<A> {
    /// Serves `answer` on `listener`, which is bound to `address`, until `drain` begins. A
    /// connection keeps the bounds that hold when it comes.
    pub(crate) fn new(
        (listener, address): (TcpListener, SocketAddr),
        answer: Arc<A>,
        bounds: Arc<ArcSwap<Bounds>>,
        drain: Drain,
    ) -> Self {
        Self {
            listener: Some(listener),
            address,
            tls: None,
            answer,
            bounds,
            cap: Arc::new(Cap::unlimited()),
            refusals: Refusals::beside(0),
            workers: None,
            windows: Arc::default(),
            drain,
        }
    }

    /// Serves TLS instead of plain text.
    #[must_use]
    pub(crate) fn tls(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// Keeps at most so many connections open at once; more wait in the system's queue. Requests on
    /// HTTP/2 connections count as such, but for one on each.
    #[must_use]
    pub(crate) fn cap(self, cap: Arc<Cap>) -> Self {
        let refusals = Refusals::beside(cap.limit());
        Self {
            cap,
            refusals,
            ..self
        }
    }

    /// Serves connections on `workers` instead of the runtime that [`Server::run`] runs on.
    #[must_use]
    pub(crate) fn workers(self, workers: Option<Arc<Workers>>) -> Self {
        Self { workers, ..self }
    }

    /// Accepts connections until the drain begins. Connections go on in tasks of the drain's
    /// tracker.
    pub(crate) async fn run(mut self) {
        let Some(listener) = self.listener.take() else {
            return;
        };
        let server = Arc::new(self);
        let stop = server.drain.stopping().clone();
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = server.accept(&listener) => accepted,
            };
            let Some((stream, addrs, held)) = accepted else {
                continue;
            };
            let task = Arc::clone(&server);
            server.spawn(stream, move |stream| task.connection(stream, addrs, held));
        }
    }

    /// The next connection that may stay: there is room for it, and its address has not too many
    /// and does not come too often.
    async fn accept(
        self: &Arc<Self>,
        listener: &TcpListener,
    ) -> Option<(TcpStream, ConnectionAddrs, (ConnectionPermit, A::Visit))> {
        let place = self.cap.place().await?;
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                // Most likely the process is out of descriptors: without a pause this would spin,
                // and nothing that runs would get to free one.
                tokio::time::sleep(Duration::from_millis(50)).await;
                return None;
            }
        };
        let addrs = ConnectionAddrs {
            peer,
            listener: self.address,
        };
        stream.set_nodelay(true).ok()?;
        match self.answer.admits(peer) {
            Ok(visit) => Some((stream, addrs, (place, visit))),
            Err(refused) => {
                // A place is for those who may stay.
                drop(place);
                self.refuse(stream, addrs, refused);
                None
            }
        }
    }

    /// Has a task of its own serve a connection.
    fn spawn<F>(&self, stream: TcpStream, serve: impl FnOnce(TcpStream) -> F + Send + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let tasks = self.drain.tasks();
        let Some(workers) = &self.workers else {
            drop(tasks.spawn(serve(stream)));
            return;
        };
        match stream.into_std() {
            Ok(stream) => workers.serve(stream, tasks, serve),
            Err(error) => tracing::warn!(%error, "cannot hand a connection over"),
        }
    }

    async fn connection(
        self: Arc<Self>,
        stream: TcpStream,
        addrs: ConnectionAddrs,
        _held: (ConnectionPermit, A::Visit),
    ) {
        let _open = InFlight::begin(Kind::Connections);
        let force = self.drain.forced().clone();
        tokio::select! {
            result = self.serve(stream, addrs, None) => {
                if let Err(error) = result {
                    tracing::debug!(peer = %addrs.peer, %error, "connection ended early");
                }
            }
            () = force.cancelled() => {}
        }
    }

    /// Tells a connection that it is refused, and closes it.
    fn refuse(self: &Arc<Self>, stream: TcpStream, addrs: ConnectionAddrs, why: ConnectionRefused) {
        connections::refused(why.as_str());
        tracing::debug!(peer = %addrs.peer, reason = why.as_str(), "connection refused");
        if let Some(place) = self.refusals.place() {
            let task = Arc::clone(self);
            self.spawn(stream, move |stream| {
                task.refused(stream, addrs, why, place)
            });
        } else if self.tls.is_none() {
            let said = say_at_once(stream, self.answer.refuse(why));
            drop(said.inspect_err(|error| tracing::debug!(%error, "refused without a word")));
        }
    }

    async fn refused(
        self: Arc<Self>,
        stream: TcpStream,
        addrs: ConnectionAddrs,
        why: ConnectionRefused,
        _place: OwnedSemaphorePermit,
    ) {
        let refusal = Refusal::new(why, self.drain.stopping());
        let force = self.drain.forced().clone();
        tokio::select! {
            // However it ends, it is over.
            _ = timeout(refusal::WHOLE, self.serve(stream, addrs, Some(refusal))) => {}
            () = force.cancelled() => {}
        }
    }

    async fn serve(
        &self,
        mut stream: TcpStream,
        addrs: ConnectionAddrs,
        refusal: Option<Refusal>,
    ) -> Result<(), BoxError> {
        let bounds = self.bounds.load_full();
        match &self.tls {
            None => {
                let detect = protocol::detect(&mut stream);
                let detected = in_time(bounds.header_read, detect).await?;
                let io = TokioIo::new(stream);
                self.http(io, detected, (addrs, refusal), &bounds).await
            }
            Some(tls) => {
                // Boxed, or every plain connection's task would have the size of a TLS session.
                let stream = in_time(bounds.header_read, Box::pin(tls.accept(stream))).await?;
                let protocol = if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                    Protocol::Http2
                } else {
                    Protocol::Http1
                };
                let io = TokioIo::new(stream);
                let detected = (protocol, BytesMut::new());
                Box::pin(self.http(io, detected, (addrs, refusal), &bounds)).await
            }
        }
    }

    async fn http<I>(
        &self,
        io: I,
        (protocol, begun): (Protocol, BytesMut),
        (addrs, refusal): (ConnectionAddrs, Option<Refusal>),
        bounds: &Bounds,
    ) -> Result<(), BoxError>
    where
        I: hyper::rt::Read + hyper::rt::Write + Unpin + Send + 'static,
    {
        let activity = Arc::new(Activity::new(protocol, bounds));
        let io = Stall::new(io, bounds.stream_idle, Arc::clone(&activity));
        let drained = refusal.as_ref().map_or(bounds.body_bytes, |_| 0);
        let io = Linger::new(io, begun, Arc::clone(&activity), drained);
        let stop = refusal.as_ref().map(|refusal| refusal.said.clone());
        let stop = stop.as_ref().unwrap_or_else(|| self.drain.stopping());
        let keeps_alive = refusal.is_none();
        let requests = Requests {
            answer: Arc::clone(&self.answer),
            cap: Arc::clone(&self.cap),
            activity: Arc::clone(&activity),
            protocol,
            addrs,
            refusal,
        };
        let service = service_fn(move |request| requests.serve(request));
        match protocol {
            Protocol::Http1 => {
                let http1 = http1(bounds).keep_alive(keeps_alive).clone();
                let mut connection = Box::pin(http1.serve_connection(io, service));
                drive(
                    &mut connection,
                    http1::Connection::graceful_shutdown,
                    protocol,
                    &activity,
                    (stop, &self.drain),
                )
                .await?;
                // Behind a request for an upgrade hyper leaves the close to its caller.
                let parts = Pin::into_inner(connection).into_parts();
                Ok(linger::close(parts.io).await?)
            }
            Protocol::Http2 => {
                let tasks = StreamTasks(Arc::clone(&activity));
                let window = self.windows.open(bounds);
                let http2 = http2(bounds, tasks, &window);
                let mut connection = Box::pin(http2.serve_connection(io, service));
                drive(
                    &mut connection,
                    http2::Connection::graceful_shutdown,
                    protocol,
                    &activity,
                    (stop, &self.drain),
                )
                .await
            }
        }
    }
}

/// What a new connection has to do before its first request.
async fn in_time<T>(
    limit: Duration,
    step: impl Future<Output = io::Result<T>>,
) -> Result<T, BoxError> {
    match timeout(limit, step).await {
        Ok(done) => Ok(done?),
        Err(_elapsed) => {
            connections::expired(Expired::Head.as_str());
            Err(LATE.into())
        }
    }
}

/// Without a time for heads: [`Activity`] has it. A head may have 100 fields, hyper's own bound;
/// said once more, hyper would clear the room for so many before each head.
fn http1(bounds: &Bounds) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .max_header_size(bounds.header_bytes)
        .max_buf_size(bounds.header_bytes.max(MIN_READ_BUFFER));
    builder
}

fn http2(bounds: &Bounds, tasks: StreamTasks, window: &Window) -> http2::Builder<StreamTasks> {
    let mut builder = http2::Builder::new(tasks);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_pending_accept_reset_streams(MOST_EARLY_RESETS)
        .max_local_error_reset_streams(MOST_BROKEN_STREAMS)
        .max_frame_size(HTTP2_FRAME)
        .max_header_list_size(u32::try_from(bounds.header_bytes).unwrap_or(u32::MAX))
        .max_send_buf_size(256 * 1024)
        .initial_stream_window_size(window.of_stream())
        .initial_connection_window_size(window.of_connection())
        .keep_alive_interval(Some(Duration::from_secs(30)))
        .keep_alive_timeout(bounds.header_read);
    builder
}

/// Binds `address` with the options a proxy wants.
///
/// # Errors
///
/// When the address is taken or not ours.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = if address.is_ipv4() {
        socket2::Domain::IPV4
    } else {
        socket2::Domain::IPV6
    };
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(4096)?;
    TcpListener::from_std(socket.into())
}
