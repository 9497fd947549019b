//! One connection, and what is under way on it.
//!
//! hyper drives a connection in a task of its own, which owns the socket and the request's body. An
//! upstream that does not read would keep both for as long as it likes, whoever has left. So a task
//! lives no longer than the exchange that it serves: it is aborted with the connection's handle,
//! unless the request has been written whole. Then nothing of it is left, and hyper reads what has
//! come of the answer or closes.

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, Builder, SendRequest};
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::again::Again;
use super::{Builders, Idle};
use crate::upstream::body::{self, BodyError};
use crate::upstream::out_body::{OutBody, Outbound};

/// How long hyper may take to find that an answer is over, once nothing is left to be sent: what it
/// does not find in what has come by then, it does not wait for.
const TO_END: Duration = Duration::from_secs(1);

/// An open connection. Its task ends with it.
pub(super) struct Connection {
    sender: SendRequest<Sending>,
    wire: Arc<Wire>,
    /// Takes who wants a head read again. It ends the connection.
    again: Option<oneshot::Sender<Again>>,
    task: AbortHandle,
}

impl Connection {
    /// Begins to speak HTTP/1 over `stream`.
    pub(super) async fn open<I>(builders: &Builders, stream: I) -> hyper::Result<Self>
    where
        I: Read + Write + Unpin + Send + 'static,
    {
        let wire = Arc::new(Wire::default());
        let stream = Watched {
            io: stream,
            wire: Arc::clone(&wire),
        };
        let (sender, connection) = builders.usual.handshake(stream).await?;
        let (again, asked_again) = oneshot::channel();
        let task = spawn(drive(connection, asked_again, builders.many_fields.clone()));
        Ok(Self {
            sender,
            wire,
            again: Some(again),
            task,
        })
    }

    /// Sends `request` and waits for the response's head.
    pub(super) async fn send(
        &mut self,
        request: Outbound,
    ) -> Result<Response<Incoming>, Unanswered> {
        self.wire.unsent.store(true, Ordering::Relaxed);
        let method = request.method().clone();
        let request = (*request).map(|body| Sending {
            body,
            _unsent: Unsent(Arc::clone(&self.wire)),
        });
        let mut failed = match self.sender.try_send_request(request).await {
            Ok(response) => return Ok(response),
            Err(failed) => failed,
        };
        let unsent = failed.take_message();
        let mut error = failed.into_error();
        if error.is_parse_too_large() {
            match self.read_again(method).await {
                Some(Ok(response)) => return Ok(response),
                Some(Err(other)) => error = other,
                None => {}
            }
        }
        Err(Unanswered {
            unsent: unsent.map(|request| Box::new(request.map(|sending| sending.body))),
            error,
        })
    }

    /// Reads the head of an answer again, with room for more fields.
    async fn read_again(&mut self, method: Method) -> Option<hyper::Result<Response<Incoming>>> {
        let (reply, read) = oneshot::channel();
        let again = Again { method, reply };
        self.again.take()?.send(again).ok()?;
        read.await.ok()
    }

    /// Whether it waits for a request, and nothing is left of the last one.
    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready() && self.wire.is_clear()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // One that is ready hears that no more requests come, and says good-bye.
        if !self.is_ready() {
            self.task.abort();
        }
    }
}

/// Speaks HTTP/1 until the connection ends, and on, if the head of its last answer is to be read
/// again.
async fn drive<I>(
    mut connection: http1::Connection<I, Sending>,
    again: oneshot::Receiver<Again>,
    many_fields: Builder,
) where
    I: Read + Write + Unpin + Send + 'static,
{
    if let Err(error) = poll_fn(|cx| connection.poll_without_shutdown(cx)).await {
        tracing::debug!(%error, "a connection to an upstream ended early");
        return;
    }
    let mut parts = connection.into_parts();
    if !parts.read_buf.is_empty()
        && let Ok(Ok(again)) = tokio::time::timeout(TO_END, again).await
    {
        return again.read(&many_fields, parts).await;
    }
    // The good-bye may be lost.
    let _said = poll_fn(|cx| Pin::new(&mut parts.io).poll_shutdown(cx)).await;
}

/// Why there is no response, with the request if nothing of it was written.
pub(super) struct Unanswered {
    pub(super) unsent: Option<Outbound>,
    pub(super) error: hyper::Error,
}

/// A connection whose answer has not come whole. Dropped, it is kept for another request if the
/// exchange is over, else closed.
pub(super) struct Exchange {
    connection: Option<Connection>,
    idle: Arc<Idle>,
}

impl Exchange {
    /// What `connection` is busy with; it comes to `idle` when it has ended.
    pub(super) fn new(connection: Connection, idle: &Arc<Idle>) -> Self {
        Self {
            connection: Some(connection),
            idle: Arc::clone(idle),
        }
    }
}

impl body::Exchange for Exchange {}

impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exchange")
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        if connection.is_ready() {
            self.idle.put(connection);
        } else if connection.wire.is_clear()
            && !connection.sender.is_closed()
            && tokio::runtime::Handle::try_current().is_ok()
        {
            let idle = Arc::clone(&self.idle);
            drop(spawn(async move {
                let ready = tokio::time::timeout(TO_END, connection.sender.ready());
                if matches!(ready.await, Ok(Ok(()))) {
                    idle.put(connection);
                }
            }));
        }
    }
}

/// What of a request is not written yet.
#[derive(Debug, Default)]
struct Wire {
    /// Of its body something has yet to be given to hyper.
    unsent: AtomicBool,
    /// The socket took less than hyper had for it.
    blocked: AtomicBool,
}

impl Wire {
    fn is_clear(&self) -> bool {
        !self.unsent.load(Ordering::Acquire) && !self.blocked.load(Ordering::Acquire)
    }
}

/// A request's body, until hyper has had all of it.
struct Sending {
    body: OutBody,
    _unsent: Unsent,
}

/// Notes when hyper is done with a body.
struct Unsent(Arc<Wire>);

impl Drop for Unsent {
    fn drop(&mut self) {
        self.0.unsent.store(false, Ordering::Release);
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that notes whether hyper has more for it than it takes.
struct Watched<I> {
    io: I,
    wire: Arc<Wire>,
}

impl<I> Watched<I> {
    fn note<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let blocked = written.is_pending();
        if self.wire.blocked.load(Ordering::Relaxed) != blocked {
            self.wire.blocked.store(blocked, Ordering::Release);
        }
        written
    }
}

impl<I: Read + Unpin> Read for Watched<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl<I: Write + Unpin> Write for Watched<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

/// Runs what belongs to a connection, for as long as its handle says.
#[expect(
    clippy::disallowed_methods,
    reason = "a kept connection outlives the request that made it, here as in hyper-util's pool"
)]
fn spawn(work: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
    tokio::spawn(work).abort_handle()
}
