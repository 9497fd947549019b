//! The body types that travel through the proxy, named once.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use tokio::time::{Instant, Sleep};

use crate::upstream::Upload;

/// Why a body ended before its end. Shown in logs only.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The peer's connection or stream failed.
    #[error("the peer broke off: {0}")]
    Broken(#[from] hyper::Error),
    /// Nothing arrived for longer than allowed.
    #[error("nothing arrived for {0:?}")]
    Idle(Duration),
    /// Larger than allowed.
    #[error("larger than {0} bytes")]
    TooLarge(usize),
}

/// A request body on its way upstream.
#[derive(Debug)]
pub enum OutBody {
    /// Held in memory, so that it can be sent again.
    Buffered(Full<Bytes>),
    /// Held in memory in pieces, which other requests may share.
    Pieces(VecDeque<Bytes>),
    /// Handed on as it arrives.
    Streamed(Upload),
}

impl OutBody {
    /// A body held in memory; cloning `bytes` copies nothing.
    pub fn buffered(bytes: Bytes) -> Self {
        Self::Buffered(Full::new(bytes))
    }

    /// The same in pieces, sent one after the other.
    pub fn pieces(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        Self::Pieces(pieces.into_iter().filter(|piece| !piece.is_empty()).collect())
    }
}

impl OutBody {
    /// The same body once more, if it is held in memory and nothing of it has been sent.
    pub fn repeat(&self) -> Option<Self> {
        match self {
            Self::Buffered(body) => Some(Self::Buffered(body.clone())),
            Self::Pieces(pieces) => Some(Self::Pieces(pieces.clone())),
            Self::Streamed(_) => None,
        }
    }
}

impl Body for OutBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.get_mut() {
            Self::Buffered(body) => Pin::new(body).poll_frame(cx).map(|frame| frame.map(|result| result.map_err(|never| match never {}))),
            Self::Pieces(pieces) => Poll::Ready(pieces.pop_front().map(|piece| Ok(Frame::data(piece)))),
            Self::Streamed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Buffered(body) => body.is_end_stream(),
            Self::Pieces(pieces) => pieces.is_empty(),
            Self::Streamed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Buffered(body) => body.size_hint(),
            Self::Pieces(pieces) => SizeHint::with_exact(pieces.iter().map(|piece| piece.len() as u64).sum()),
            Self::Streamed(body) => body.size_hint(),
        }
    }
}

/// A body that fails when nothing has arrived for a while.
///
/// The timer is made only when the body first has to wait, and moved only when it fires, so that a busy body pays for one clock reading a frame.
#[derive(Debug)]
pub struct Idle<B> {
    body: B,
    limit: Duration,
    /// Since when it has been waited for; not counted is the time in which nobody asked.
    silent: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> Idle<B> {
    /// Lets `body` be silent for at most `limit`.
    pub fn new(body: B, limit: Duration) -> Self {
        Self { body, limit, silent: None, timer: None }
    }
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> Body for Idle<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.silent = None;
            return Poll::Ready(frame.map(|result| result.map_err(BodyError::Broken)));
        }
        let deadline = *this.silent.get_or_insert_with(Instant::now) + this.limit;
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        loop {
            ready!(timer.as_mut().poll(cx));
            if Instant::now() >= deadline {
                return Poll::Ready(Some(Err(BodyError::Idle(this.limit))));
            }
            timer.as_mut().reset(deadline);
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn pieces_are_one_body_of_known_length_and_are_not_copied() {
        let shared = Bytes::from("shared");
        let body = OutBody::pieces([Bytes::from("a"), shared.clone(), Bytes::new(), Bytes::from("z")]);
        assert_eq!(body.size_hint().exact(), Some(8));
        let mut again = body.repeat().unwrap();
        assert_eq!(body.collect().await.unwrap().to_bytes(), "asharedz");
        let mut frame = async || again.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(frame().await, "a");
        assert_eq!(frame().await.as_ptr(), shared.as_ptr());
        assert_eq!(frame().await, "z");
        assert!(again.is_end_stream());
    }
}
