//! How far the body of an HTTP/1 connection's current request has been read.
//!
//! An HTTP/1 answer may be complete before the body was read. The next head stands behind the body,
//! so either the rest is read or the connection ends; and if it ends with bytes unread, the client
//! gets a reset, which may take the answer from it (RFC 9112 §9.6). hyper does not say whether it
//! will close, so what an answer's head says is decided here: a rest that comes at once is read,
//! and the connection stays; for any other the head says `connection: close`, and
//! [`super::linger`] reads what comes until the client has closed.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use futures_util::task::AtomicWaker;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::timeout;

/// For how long an answer waits for a body that is on its way, so that the connection can stay.
/// Many clients send the body when the head has been acknowledged, which systems do 40 ms late.
const SOON: Duration = Duration::from_millis(100);

/// The body of an HTTP/1 connection's current request, and how far it has been read.
#[derive(Debug, Default)]
pub(super) struct Progress {
    stage: AtomicU8,
    /// As long as any of it may be read.
    body: Mutex<Option<Incoming>>,
    /// The connection's task, while it waits for a stage that lets it read.
    connection: AtomicWaker,
}

/// Where a body stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    /// There is none, or all of it has been read.
    Read = 0,
    /// It is being read, or will be.
    Open = 1,
    /// Nobody reads it any more, and there is no answer yet.
    Left = 2,
    /// It is being read, and the answer's head says that the connection will close.
    Answered = 3,
    /// Nobody will read the rest.
    GivenUp = 4,
}

impl Progress {
    /// Where the body stands. As long as hyper may read it, `waker` is told of a change.
    pub(super) fn poll_stage(&self, waker: &Waker) -> Stage {
        let stage = self.stage();
        if matches!(stage, Stage::Read | Stage::GivenUp) {
            return stage;
        }
        self.connection.register(waker);
        self.stage()
    }

    /// Where the body stands.
    pub(super) fn stage(&self) -> Stage {
        match self.stage.load(Ordering::Acquire) {
            0 => Stage::Read,
            1 => Stage::Open,
            2 => Stage::Left,
            3 => Stage::Answered,
            _ => Stage::GivenUp,
        }
    }

    fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
        self.connection.wake();
    }

    /// `body` is the current request's.
    pub(super) fn begin(&self, body: Incoming) {
        *self.body() = Some(body);
        self.enter(Stage::Open);
    }

    /// Nobody reads any more.
    fn give_up(&self) {
        let mut slot = self.body();
        *slot = None;
        self.enter(Stage::GivenUp);
    }

    /// Reads on.
    pub(super) fn poll_frame(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let mut slot = self.body();
        let Some(body) = slot.as_mut() else {
            // The answer has ended. That the rest does not come must not look like its end; who
            // waits for it has a clock.
            return Poll::Pending;
        };
        let polled = Pin::new(&mut *body).poll_frame(cx);
        let end = match &polled {
            Poll::Ready(Some(Err(_))) => Some(Stage::GivenUp),
            Poll::Ready(Some(Ok(_))) if !body.is_end_stream() => None,
            Poll::Ready(_) => Some(Stage::Read),
            Poll::Pending => None,
        };
        if let Some(stage) = end {
            *slot = None;
            self.enter(stage);
        }
        polled
    }

    /// What may still come.
    pub(super) fn size_hint(&self) -> SizeHint {
        self.body()
            .as_ref()
            .map(Body::size_hint)
            .unwrap_or_default()
    }

    /// Who read the body has stopped.
    pub(super) fn leave(&self) {
        let mut slot = self.body();
        match self.stage() {
            Stage::Open => self.enter(Stage::Left),
            Stage::Answered => {
                *slot = None;
                self.enter(Stage::GivenUp);
            }
            Stage::Read | Stage::Left | Stage::GivenUp => {}
        }
    }

    /// The answer's head is there. Returns whether the connection has to close behind the answer.
    pub(super) async fn answered(&self, expects_continue: bool) -> bool {
        let slot = self.body();
        if self.stage() == Stage::Open {
            self.enter(Stage::Answered);
        }
        let is_left = self.stage() == Stage::Left;
        drop(slot);
        if is_left {
            // To read would be to ask for it.
            let is_read = !expects_continue && timeout(SOON, self.read_rest()).await.is_ok();
            if !is_read {
                self.give_up();
            }
        }
        self.stage() != Stage::Read
    }

    /// Returns when there is nothing more to read.
    async fn read_rest(&self) {
        while let Some(Ok(_)) = poll_fn(|cx| self.poll_frame(cx)).await {
            if self.stage() == Stage::Read {
                return;
            }
        }
    }

    /// The answer is complete: nobody needs the rest.
    pub(super) fn answer_ended(&self) {
        if self.stage() != Stage::Read {
            self.give_up();
        }
    }

    fn body(&self) -> MutexGuard<'_, Option<Incoming>> {
        self.body.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
