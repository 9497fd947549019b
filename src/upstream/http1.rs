//! Kept connections to one upstream that speaks HTTP/1 without TLS: most often an inference server
//! nearby.
//!
//! hyper-util's pool keeps connections to many hosts in either protocol, and a request pays for
//! finding its own among them. Here there is one host and one protocol, and what is left is a list
//! of connections, the last used on top.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};

use super::failure::{Failed, Failure, MOST_FIELDS, Sent};
use crate::upstream::body::AnswerBody;
use crate::upstream::out_body::{OutBody, Outbound};

mod again;
mod connection;

use connection::{Connection, Exchange};

/// What makes connections.
pub(super) type Connector = BoxCloneSyncService<Uri, TokioIo<TcpStream>, BoxError>;

/// The connections of one worker to one upstream.
pub(super) struct Http1 {
    connector: Connector,
    target: Uri,
    connections: Connections,
}

impl Http1 {
    /// An empty pool for the upstream at `target`, whose unused connections are kept for `keep`.
    /// `None` if `target` cannot stand in a `Host` field.
    pub(super) fn new(
        connector: Connector,
        target: Uri,
        keep: Duration,
        max_buffer: usize,
    ) -> Option<Self> {
        let connections = Connections::new(&target, keep, max_buffer)?;
        Some(Self {
            connector,
            target,
            connections,
        })
    }

    /// Sends one request over a kept or new connection and waits for the response's head.
    pub(super) async fn send(&self, request: Outbound) -> Sent {
        match self.connections.send(request).await {
            Ok(sent) => sent,
            // Boxed: every request would have room for what few do.
            Err(unsent) => Box::pin(self.send_over_new(unsent)).await,
        }
    }

    async fn send_over_new(&self, request: Outbound) -> Sent {
        let connecting = self.connector.clone().oneshot(self.target.clone());
        match connecting.await {
            Ok(stream) => self.connections.send_over(stream, request).await,
            Err(error) => Err(Failed::unsent(error, request)),
        }
    }

    /// Closes what has not been used for long.
    pub(super) fn tidy(&self) {
        self.connections.tidy();
    }
}

/// Connections that are open, whatever carries them.
pub(super) struct Connections {
    /// What the upstream is called in each request.
    host: HeaderValue,
    builders: Builders,
    idle: Arc<Idle>,
}

impl Connections {
    /// None yet, for the upstream at `target`. `None` if that cannot stand in a `Host` field.
    pub(super) fn new(target: &Uri, keep: Duration, max_buffer: usize) -> Option<Self> {
        let host = host(target.authority()?)?;
        Some(Self {
            host,
            builders: Builders::new(max_buffer),
            idle: Arc::new(Idle {
                keep,
                kept: Mutex::default(),
            }),
        })
    }

    /// Sends one request over a kept connection and waits for the response's head. One that turns
    /// out to be closed before anything of the request was written is replaced.
    ///
    /// # Errors
    ///
    /// The request, if none is kept that takes it.
    pub(super) async fn send(&self, mut request: Outbound) -> Result<Sent, Outbound> {
        while let Some(mut connection) = self.idle.take() {
            self.address(&mut request);
            match connection.send(request).await {
                Ok(response) => return Ok(Ok(self.keep(connection, response))),
                Err(unanswered) => match unanswered.unsent {
                    Some(unsent) => request = unsent,
                    None => return Ok(Err(Failure::of_connection(unanswered.error).into())),
                },
            }
        }
        Err(request)
    }

    /// Sends one request over a new connection, which is kept, and waits for the response's head.
    pub(super) async fn send_over<I>(&self, stream: I, mut request: Outbound) -> Sent
    where
        I: Read + Write + Unpin + Send + 'static,
    {
        let opened = Connection::open(&self.builders, stream).await;
        let mut connection = opened.map_err(Failure::Broken)?;
        self.address(&mut request);
        match connection.send(request).await {
            Ok(response) => Ok(self.keep(connection, response)),
            Err(unanswered) => Err(Failure::of_connection(unanswered.error).into()),
        }
    }

    fn address(&self, request: &mut Request<OutBody>) {
        to_origin_form(request.uri_mut());
        request.headers_mut().insert(HOST, self.host.clone());
        *request.version_mut() = Version::HTTP_11;
    }

    /// Keeps the connection for another request, at once if all of `response` has arrived, else
    /// when it has.
    fn keep(&self, connection: Connection, response: Response<Incoming>) -> Response<AnswerBody> {
        if connection.is_ready() {
            self.idle.put(connection);
            return response.map(AnswerBody::new);
        }
        let exchange = Box::new(Exchange::new(connection, &self.idle));
        response.map(|body| AnswerBody::of(exchange, body))
    }

    /// Closes what has not been used for long.
    pub(super) fn tidy(&self) {
        self.idle.tidy();
    }
}

/// Clients for one connection.
pub(super) struct Builders {
    /// Of answers with up to a hundred fields, as nearly all are.
    usual: http1::Builder,
    /// Of answers that have more.
    many_fields: http1::Builder,
}

impl Builders {
    fn new(max_buffer: usize) -> Self {
        let mut usual = http1::Builder::new();
        usual.max_buf_size(max_buffer);
        let mut many_fields = usual.clone();
        many_fields.max_headers(MOST_FIELDS);
        Self { usual, many_fields }
    }
}

impl fmt::Debug for Http1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http1")
            .field("target", &self.target)
            .finish_non_exhaustive()
    }
}

/// Connections that wait for a request.
struct Idle {
    keep: Duration,
    /// Each with the time since which it waits; the last is the one used last.
    kept: Mutex<Vec<(Connection, Instant)>>,
}

impl Idle {
    fn put(&self, connection: Connection) {
        self.kept().push((connection, Instant::now()));
    }

    /// The connection used last, unless it is closed or too old: then those before it are no
    /// better, but may yet be open.
    fn take(&self) -> Option<Connection> {
        let mut kept = self.kept();
        while let Some((connection, since)) = kept.pop() {
            if connection.is_ready() && since.elapsed() < self.keep {
                return Some(connection);
            }
        }
        None
    }

    fn tidy(&self) {
        self.kept()
            .retain(|(connection, since)| connection.is_ready() && since.elapsed() < self.keep);
    }

    fn kept(&self) -> MutexGuard<'_, Vec<(Connection, Instant)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The `Host` field of requests to `authority`: without user information, and without the port that
/// is `http`'s own.
fn host(authority: &Authority) -> Option<HeaderValue> {
    let name = authority.host();
    match authority.port_u16() {
        None | Some(80) => HeaderValue::from_str(name).ok(),
        Some(port) => HeaderValue::try_from(format!("{name}:{port}")).ok(),
    }
}

/// What stands in the request line of a request that goes to its own host.
fn to_origin_form(uri: &mut Uri) {
    if let Some(path) = std::mem::take(uri).into_parts().path_and_query {
        *uri = path.into();
    }
}

/// Whether `target` can be asked by [`Http1`].
pub(super) fn speaks_with(target: &Uri) -> bool {
    target.scheme() == Some(&Scheme::HTTP)
}

#[cfg(test)]
mod tests;
