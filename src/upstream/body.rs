//! The bodies of upstreams' answers, and why a body ends before its end.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep};

/// Why a body broke off. Shown in logs only.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The peer's connection or stream failed.
    #[error("the peer broke off: {0}")]
    Broken(#[from] hyper::Error),
    /// Nothing arrived for longer than allowed.
    #[error("nothing arrived for {0:?}")]
    Idle(Duration),
    /// hone shuts down.
    #[error("hone shuts down")]
    Shutdown,
    /// Larger than allowed.
    #[error("larger than {0} bytes")]
    TooLarge(usize),
}

/// What an answer holds until it has ended. Dropped before that, it ends the exchange at the
/// upstream.
pub(super) trait Exchange: fmt::Debug + Send + Sync {}

/// The body of an upstream's answer, without trailers: those are headers that nothing has filtered,
/// and no API has any.
#[derive(Debug)]
pub(crate) struct AnswerBody {
    body: Incoming,
    exchange: Option<Box<dyn Exchange>>,
}

impl AnswerBody {
    /// A body that has arrived whole.
    pub(super) fn new(body: Incoming) -> Self {
        Self {
            body,
            exchange: None,
        }
    }

    /// The body of `exchange`.
    pub(super) fn of(exchange: Box<dyn Exchange>, body: Incoming) -> Self {
        Self {
            body,
            exchange: Some(exchange),
        }
    }

    /// Lets the upstream go, at once: no more is read.
    fn let_go(&mut self) {
        self.exchange = None;
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        loop {
            match ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Ok(frame)) if frame.is_data() => return Poll::Ready(Some(Ok(frame))),
                Some(Ok(_trailers)) => {}
                end => {
                    this.let_go();
                    return Poll::Ready(end);
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body that fails when nothing has arrived for a while.
///
/// The timer is made only when the body first has to wait, and moved only when it fires, so that a
/// busy body pays for one clock reading a frame.
#[derive(Debug)]
pub(crate) struct Idle<B> {
    body: B,
    limit: Duration,
    /// Since when it has been waited for; not counted is the time in which nobody asked.
    silent: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B> Idle<B> {
    /// Lets `body` be silent for at most `limit`.
    pub(crate) fn new(body: B, limit: Duration) -> Self {
        Self {
            body,
            limit,
            silent: None,
            timer: None,
        }
    }
}

impl Idle<AnswerBody> {
    /// Lets the upstream go, at once: no more is read. Whoever has a place there gives it back
    /// after this.
    pub(crate) fn let_go(&mut self) {
        self.body.let_go();
    }
}

impl<B: Body<Data = Bytes, Error = hyper::Error> + Unpin> Body for Idle<B> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.body).poll_frame(cx) {
            this.silent = None;
            return Poll::Ready(frame.map(|result| result.map_err(BodyError::Broken)));
        }
        let deadline = *this.silent.get_or_insert_with(Instant::now) + this.limit;
        let timer = this
            .timer
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
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
