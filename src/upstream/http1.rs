//! Kept connections to one upstream that speaks HTTP/1 without TLS: most often an inference server
//! nearby.
//!
//! hyper-util's pool keeps connections to many hosts in either protocol, and a request pays for
//! finding its own among them. Here there is one host and one protocol, and what is left is a list
//! of connections, the last used on top. hyper drives each connection in a task of its own, as
//! under its own pool; the task ends when the connection's sender is dropped.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::header::HOST;
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};

use super::client::{Failed, Failure};
use crate::upstream::body::OutBody;

/// What makes connections.
pub(super) type Connector = BoxCloneSyncService<Uri, TokioIo<TcpStream>, BoxError>;

/// The connections of one worker to one upstream.
pub(super) struct Http1 {
    connector: Connector,
    target: Uri,
    /// What the upstream is called in each request.
    host: HeaderValue,
    connections: http1::Builder,
    idle: Arc<Idle>,
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
        let host = host(target.authority()?)?;
        let mut connections = http1::Builder::new();
        connections.max_buf_size(max_buffer);
        Some(Self {
            connector,
            target,
            host,
            connections,
            idle: Arc::new(Idle {
                keep,
                kept: Mutex::default(),
            }),
        })
    }

    /// Sends one request over a kept or new connection and waits for the response's head.
    ///
    /// A kept connection that turns out to be closed before anything of the request was written is
    /// replaced.
    pub(super) async fn send(
        &self,
        mut request: Request<OutBody>,
    ) -> Result<Response<Incoming>, Failed> {
        to_origin_form(request.uri_mut());
        request.headers_mut().insert(HOST, self.host.clone());
        while let Some(mut connection) = self.idle.take() {
            match connection.try_send_request(request).await {
                Ok(response) => return Ok(self.keep(connection, response)),
                Err(mut error) => match error.take_message() {
                    Some(unsent) => request = unsent,
                    None => return Err(Failure::Http1(error.into_error()).into()),
                },
            }
        }
        let mut connection = match self.connect().await {
            Ok(connection) => connection,
            Err(failure) => {
                return Err(Failed {
                    failure,
                    unsent: Some(Box::new(request)),
                });
            }
        };
        match connection.send_request(request).await {
            Ok(response) => Ok(self.keep(connection, response)),
            Err(error) => Err(Failure::Http1(error).into()),
        }
    }

    async fn connect(&self) -> Result<SendRequest<OutBody>, Failure> {
        let stream = self
            .connector
            .clone()
            .oneshot(self.target.clone())
            .await
            .map_err(Failure::Connect)?;
        let (sender, connection) = self
            .connections
            .handshake(stream)
            .await
            .map_err(Failure::Http1)?;
        in_the_background(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to an upstream ended early");
            }
        });
        Ok(sender)
    }

    /// Keeps the connection for another request, at once if all of `response` has arrived, else
    /// when it has.
    fn keep(
        &self,
        mut connection: SendRequest<OutBody>,
        response: Response<Incoming>,
    ) -> Response<Incoming> {
        if connection.is_ready() {
            self.idle.put(connection);
        } else if !connection.is_closed() {
            let idle = Arc::clone(&self.idle);
            in_the_background(async move {
                if connection.ready().await.is_ok() {
                    idle.put(connection);
                }
            });
        }
        response
    }

    /// Closes what has not been used for long.
    pub(super) fn tidy(&self) {
        self.idle.tidy();
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
    kept: Mutex<Vec<(SendRequest<OutBody>, Instant)>>,
}

impl Idle {
    fn put(&self, connection: SendRequest<OutBody>) {
        self.kept().push((connection, Instant::now()));
    }

    /// The connection used last, unless it is closed or too old: then those before it are no
    /// better, but may yet be open.
    fn take(&self) -> Option<SendRequest<OutBody>> {
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

    fn kept(&self) -> MutexGuard<'_, Vec<(SendRequest<OutBody>, Instant)>> {
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

/// Runs what belongs to a connection, and ends with it.
#[expect(
    clippy::disallowed_methods,
    reason = "a kept connection outlives the request that made it, here as in hyper-util's pool"
)]
fn in_the_background(work: impl Future<Output = ()> + Send + 'static) {
    drop(tokio::spawn(work));
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
