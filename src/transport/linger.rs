//! An HTTP/1 socket that is read although hyper does not ask.
//!
//! hyper reads no further while it answers a request behind which it already has a byte, so it
//! would not see its client leave; and when it has given a body up it does not read at all, and
//! closes with bytes unread, which resets the connection and may take the answer from the client.
//! Here what comes during an answer is read ahead of hyper, or thrown away if it is the rest of a
//! body that nobody wants; and a close first ends what is sent, then reads until the client has
//! closed, too (RFC 9112 §9.6).
//!
//! As long as hyper itself waits for bytes, as it does behind nearly every request, all this costs
//! a look at a flag.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};
use tokio::time::{Instant, Sleep};

use super::activity::Activity;
use super::progress::{Progress, Stage};

/// What a client may send behind a request before that is answered, beside what hyper has read with
/// the request itself. Who sends more is cut off: it could not be seen to leave.
const MOST_AHEAD: usize = 64 * 1024;
/// Bytes that are read at once where hyper does not say how many.
const PIECE: usize = 16 * 1024;
/// How long a client that has its answer may send nothing before its connection is closed.
const SILENCE: Duration = Duration::from_secs(5);
/// How long it may go on sending.
const WHOLE: Duration = Duration::from_secs(30);
/// So much of a body that nobody wants is read, however small the bodies are that are wanted.
const LEAST_DRAIN: usize = 4 * 1024 * 1024;

/// A connection that hyper serves.
#[derive(Debug)]
pub(super) struct Linger<I> {
    io: I,
    activity: Arc<Activity>,
    /// Read, and not yet given to hyper.
    ahead: BytesMut,
    hyper: Hyper,
    stand: Stand,
    /// Bytes that may still be thrown away.
    most: usize,
    end: Option<Box<End>>,
}

/// What hyper does about bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hyper {
    /// It has asked for more than there was, and will be woken when more comes.
    Waits,
    /// It has read, and may be about to read more.
    Reads,
    /// It has run since without asking.
    Rests,
}

/// How far a connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stand {
    Open,
    /// Nothing more is sent.
    Shut,
    /// The client has closed, too, or has had its time.
    Closed,
}

/// When a connection is closed though its client is not done.
#[derive(Debug)]
struct End {
    latest: Instant,
    timer: Pin<Box<Sleep>>,
}

impl<I> Linger<I> {
    /// Serves `io`, of which `begun` has been read. Up to `body_bytes` of what nobody wants are
    /// thrown away.
    pub(super) fn new(io: I, begun: BytesMut, activity: Arc<Activity>, body_bytes: usize) -> Self {
        Self {
            io,
            activity,
            ahead: begun,
            hyper: Hyper::Reads,
            stand: Stand::Open,
            most: body_bytes.max(LEAST_DRAIN),
            end: None,
        }
    }
}

impl<I: Read + Unpin> Linger<I> {
    /// Looks for the client's end where hyper does not.
    ///
    /// # Errors
    ///
    /// When the client has left, or sends too much.
    fn look(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        let Some(body) = self.activity.body() else {
            return Ok(());
        };
        // It may have asked before the body was given up.
        if self.hyper == Hyper::Waits && body.stage() != Stage::GivenUp {
            return Ok(());
        }
        match body.poll_stage(cx.waker()) {
            Stage::Read if self.activity.is_running() => {
                self.read_ahead(cx)?;
                if self.ahead.len() > MOST_AHEAD {
                    return Err(too_much());
                }
            }
            Stage::Read => {}
            // hyper reads on as soon as it is asked for more of the body, which wakes it. If nobody
            // asks, as when an upstream takes no more, the client may leave meanwhile.
            Stage::Open | Stage::Left | Stage::Answered if self.hyper == Hyper::Rests => {
                self.read_ahead(cx)?;
            }
            Stage::Open | Stage::Left | Stage::Answered => {
                self.hyper = Hyper::Rests;
                cx.waker().wake_by_ref();
            }
            Stage::GivenUp => self.throw_away(cx)?,
        }
        Ok(())
    }

    fn read_ahead(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        while self.ahead.len() <= MOST_AHEAD {
            match poll_piece(&mut self.io, cx, Some(&mut self.ahead)) {
                Poll::Ready(Ok(0)) => return Err(left()),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    fn throw_away(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        self.ahead.clear();
        while let Poll::Ready(piece) = poll_piece(&mut self.io, cx, None) {
            let piece = piece?;
            if piece == 0 {
                return Err(left());
            }
            self.most = self.most.checked_sub(piece).ok_or_else(too_much)?;
        }
        Ok(())
    }

    /// Whether the client may be sending what hyper does not read.
    fn is_unread(&self) -> bool {
        let stage = self.activity.body().map(Progress::stage);
        stage.is_some_and(|stage| self.hyper != Hyper::Waits || stage == Stage::GivenUp)
    }

    /// Ready when the client has closed, or has had its time.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let before = self.most;
        if self.throw_away(cx).is_err() {
            return Poll::Ready(());
        }
        let now = Instant::now();
        let end = self.end.get_or_insert_with(|| {
            self.activity.linger();
            Box::new(End {
                latest: now + WHOLE,
                timer: Box::pin(tokio::time::sleep(SILENCE)),
            })
        });
        if now >= end.latest {
            return Poll::Ready(());
        }
        if self.most < before {
            let next = end.latest.min(now + SILENCE);
            end.timer.as_mut().reset(next);
        }
        end.timer.as_mut().poll(cx)
    }
}

fn poll_piece<I: Read + Unpin>(
    io: &mut I,
    cx: &mut Context<'_>,
    kept: Option<&mut BytesMut>,
) -> Poll<io::Result<usize>> {
    let mut room = [MaybeUninit::uninit(); PIECE];
    let mut piece = ReadBuf::uninit(&mut room);
    ready!(Pin::new(io).poll_read(cx, piece.unfilled()))?;
    if let Some(kept) = kept {
        kept.extend_from_slice(piece.filled());
    }
    Poll::Ready(Ok(piece.filled().len()))
}

/// Closes a connection that hyper is done with, unless that has closed it.
pub(super) async fn close<I: Read + Write + Unpin>(mut io: Linger<I>) -> io::Result<()> {
    poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx)).await
}

fn left() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the client left")
}

fn too_much() -> io::Error {
    io::Error::other("the client sends more than is read before its answer")
}

impl<I: Read + Unpin> Read for Linger<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.hyper = Hyper::Reads;
        if !this.ahead.is_empty() {
            let length = this.ahead.len().min(buffer.remaining());
            buffer.put_slice(&this.ahead.split_to(length));
            this.activity.heard();
            return Poll::Ready(Ok(()));
        }
        let read = Pin::new(&mut this.io).poll_read(cx, buffer);
        if read.is_pending() {
            this.hyper = Hyper::Waits;
        }
        read
    }
}

impl<I: Read + Write + Unpin> Write for Linger<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write(cx, bytes);
        if written.is_pending() {
            this.look(cx)?;
        }
        written
    }

    /// hyper calls it whenever it runs.
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.look(cx)?;
        Pin::new(&mut this.io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.stand == Stand::Open {
            ready!(Pin::new(&mut this.io).poll_shutdown(cx))?;
            this.stand = Stand::Shut;
        }
        if this.stand == Stand::Shut && this.is_unread() {
            ready!(this.poll_end(cx));
        }
        this.stand = Stand::Closed;
        Poll::Ready(Ok(()))
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.io).poll_write_vectored(cx, slices);
        if written.is_pending() {
            this.look(cx)?;
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::super::protocol::Protocol;
    use super::*;
    use crate::config::Bounds;

    /// A connection on which hyper has not asked for more, and its client.
    fn connection() -> (Linger<TokioIo<DuplexStream>>, DuplexStream) {
        let (client, server) = tokio::io::duplex(PIECE);
        let activity = Arc::new(Activity::new(Protocol::Http1, &Bounds::default()));
        let io = TokioIo::new(server);
        (Linger::new(io, BytesMut::new(), activity, 0), client)
    }

    /// After how many seconds `connection` is closed.
    async fn closes(connection: Linger<TokioIo<DuplexStream>>) -> u64 {
        let began = Instant::now();
        close(connection).await.unwrap();
        began.elapsed().as_secs()
    }

    /// Sends this much every second until nobody takes it.
    async fn goes_on(mut client: DuplexStream, bytes: usize) -> ! {
        while client.write_all(&vec![0; bytes]).await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        std::future::pending().await
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_is_told_of_the_end_and_has_its_time_to_close() {
        let (connection, mut client) = connection();
        let told = async {
            client.read_to_end(&mut Vec::new()).await.unwrap();
            tokio::time::sleep(Duration::from_secs(3)).await;
            drop(client);
        };
        assert_eq!(tokio::join!(closes(connection), told).0, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_is_silent_or_never_done_is_closed() {
        let (silent, client) = connection();
        assert_eq!(closes(silent).await, SILENCE.as_secs());
        drop(client);
        let (slow, client) = connection();
        tokio::select! {
            took = closes(slow) => assert_eq!(took, WHOLE.as_secs()),
            never = goes_on(client, 1) => never,
        }
        let (fast, client) = connection();
        tokio::select! {
            took = closes(fast) => assert_eq!(took, 4, "after four megabytes"),
            never = goes_on(client, 1024 * 1024) => never,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_of_which_everything_was_read_is_closed_at_once() {
        let (mut connection, _client) = connection();
        let read = poll_piece(
            &mut connection,
            &mut Context::from_waker(Waker::noop()),
            None,
        );
        assert!(read.is_pending());
        assert_eq!(closes(connection).await, 0);
    }
}
