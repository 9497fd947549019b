//! Connections that are not welcome: what they are told before they are closed.
//!
//! A connection that is closed without a word looks like a broken network. So a refused one is
//! served like any other, but for one answer, a short time, and beside the places of those that
//! stay. Beyond a number of those at once nothing is waited for: a plain connection gets the answer
//! into its socket and is closed, an encrypted one is only closed.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream as StdStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::Response;
use http_body_util::BodyExt;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How long a refused connection may take to ask, to hear and to leave.
pub(super) const WHOLE: Duration = Duration::from_secs(3);
/// For so many connections that may stay, another one may be told at once that it may not.
const PART: usize = 8;
/// These are so many at least and at most, since each costs a descriptor and memory.
const LEAST: usize = 16;
const MOST: usize = 1024;
/// Bytes of a request that are read before a connection is closed without waiting for the rest.
const GLANCE: usize = 16 * 1024;

/// Why a connection may not stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectionRefused {
    /// Its address has as many open as it may.
    #[error("too many connections of one address")]
    TooMany,
    /// Its address opens them too fast.
    #[error("too many new connections of one address")]
    TooOften {
        /// When it may open another one.
        retry_after: Duration,
    },
}

impl ConnectionRefused {
    /// A word for logs and metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::TooMany => "too_many",
            Self::TooOften { .. } => "too_often",
        }
    }
}

/// How many connections may be told at once that they are refused.
#[derive(Debug)]
pub(super) struct Refusals(Arc<Semaphore>);

impl Refusals {
    /// Beside so many connections that may stay.
    pub(super) fn beside(connections: usize) -> Self {
        Self(Arc::new(Semaphore::new(
            (connections / PART).clamp(LEAST, MOST),
        )))
    }

    /// Room for another one.
    pub(super) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).try_acquire_owned().ok()
    }
}

/// What a connection that is refused has to be told.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    why: ConnectionRefused,
    /// Cancelled when it has been told, or when the drain begins.
    pub(super) said: CancellationToken,
}

impl Refusal {
    /// `drain` is cancelled when the drain begins.
    pub(super) fn new(why: ConnectionRefused, drain: &CancellationToken) -> Self {
        Self {
            why,
            said: drain.child_token(),
        }
    }

    /// Why the connection is refused, and so it has been told.
    pub(super) fn tell(&self) -> ConnectionRefused {
        self.said.cancel();
        self.why
    }
}

/// Writes an answer without waiting for the request, as far as the socket takes it. What has come
/// is read, or the close would be a reset, which may overtake the answer.
pub(super) fn say_at_once<B>(stream: TcpStream, answer: Response<B>) -> io::Result<()>
where
    B: http_body::Body<Data = Bytes> + Unpin,
{
    let (head, body) = answer.into_parts();
    let Some(Ok(body)) = body.collect().now_or_never() else {
        return Ok(());
    };
    let body = body.to_bytes();
    let mut bytes = format!("HTTP/1.1 {}\r\n", head.status).into_bytes();
    for (name, value) in &head.headers {
        bytes.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    let length = body.len();
    write!(
        bytes,
        "connection: close\r\ncontent-length: {length}\r\n\r\n"
    )?;
    bytes.extend(&body);
    let mut stream: StdStream = stream.into_std()?;
    let mut come = [0; GLANCE];
    let length = stream.read(&mut come).unwrap_or_default();
    let speaks_http2 = come
        .get(..length)
        .is_some_and(|come| come.starts_with(b"PRI "));
    if !speaks_http2 {
        stream.write_all(&bytes)?;
    }
    stream.shutdown(Shutdown::Write)
}
