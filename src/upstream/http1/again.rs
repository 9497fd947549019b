//! The second reading of an answer's head that has many fields.
//!
//! hyper reads a head into a list on the stack that has room for a hundred fields. One with room
//! for more is allocated and cleared for every answer, and costs a relayed request a twentieth of
//! its instructions, while one answer in a million has so many. So a head with too many fields is
//! read again: hyper leaves its bytes where they were, and a second client, whose request goes
//! nowhere, finds them as its answer.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::{Buf, Bytes};
use http::{Method, Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::http1::{Builder, Parts};
use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::sync::oneshot;

/// Somebody who waits for a head that was too large for the first reading.
pub(super) struct Again {
    /// What was asked: it decides how the answer ends.
    pub(super) method: Method,
    pub(super) reply: oneshot::Sender<hyper::Result<Response<Incoming>>>,
}

impl Again {
    /// Reads the head again from where the first reading began, and then the body, to its end.
    pub(super) async fn read<I>(self, builder: &Builder, parts: Parts<I>)
    where
        I: Read + Write + Unpin + Send + 'static,
    {
        let replay = Replay {
            front: parts.read_buf,
            io: parts.io,
            asked: Asked::NotYet(None),
        };
        let (mut sender, connection) = match builder.handshake(replay).await {
            Ok(client) => client,
            Err(error) => return drop(self.reply.send(Err(error))),
        };
        let mut request = Request::new(Empty::<Bytes>::new());
        *request.method_mut() = self.method;
        let answered = async {
            let answer = sender.send_request(request).await;
            // Whoever waited may have left.
            drop(self.reply.send(answer));
            // Dropped only now: a client without it takes no more answers.
            drop(sender);
        };
        let (driven, ()) = tokio::join!(connection, answered);
        if let Err(error) = driven {
            tracing::debug!(%error, "a connection to an upstream ended early");
        }
    }
}

/// A connection on which a request was sent and its answer not read: what is written again goes
/// nowhere, and then comes what was read before.
struct Replay<I> {
    front: Bytes,
    io: I,
    asked: Asked,
}

/// Whether the request was written. Before that hyper takes every byte for an answer to nothing.
enum Asked {
    NotYet(Option<Waker>),
    Yes,
}

impl<I: Read + Unpin> Read for Replay<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if let Asked::NotYet(waker) = &mut self.asked {
            *waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        if self.front.is_empty() {
            return Pin::new(&mut self.io).poll_read(cx, buf);
        }
        let taken = self.front.len().min(buf.remaining());
        buf.put_slice(self.front.get(..taken).unwrap_or_default());
        self.front.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl<I: Write + Unpin> Write for Replay<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Asked::NotYet(Some(waker)) = std::mem::replace(&mut self.asked, Asked::Yes) {
            waker.wake();
        }
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
