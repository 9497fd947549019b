//! Informational responses, which hyper's server does not send: they are written ahead of its next
//! bytes.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const EARLY_HINTS: &[u8] = b"HTTP/1.1 103 Early Hints\r\nlink: </sim>; rel=preload\r\n\r\n";

/// Asks for an informational response before whatever a connection sends next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hints(Arc<AtomicBool>);

impl Hints {
    pub(crate) fn send(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A connection that can be told to send an informational response.
#[derive(Debug)]
pub(crate) struct Hinted<T> {
    inner: T,
    hints: Hints,
    unsent: &'static [u8],
}

impl<T> Hinted<T> {
    pub(crate) const fn new(inner: T, hints: Hints) -> Self {
        Self {
            inner,
            hints,
            unsent: &[],
        }
    }
}

impl<T: AsyncWrite + Unpin> Hinted<T> {
    fn poll_hints(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.hints.0.swap(false, Ordering::AcqRel) {
            self.unsent = EARLY_HINTS;
        }
        while !self.unsent.is_empty() {
            let sent = ready!(Pin::new(&mut self.inner).poll_write(context, self.unsent))?;
            self.unsent = self.unsent.get(sent..).unwrap_or_default();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Hinted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Hinted<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_hints(context))?;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_hints(context))?;
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
