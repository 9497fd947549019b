//! The body of an upstream's answer, of which the beginning may have been read already.
//!
//! Once the client has the head of an answer, hone can only break off what turns out to be none. So
//! an answer that says its length is begun to be read before that, and a short one is read whole:
//! what ends early, or has another length than it says, is an error with a status. A stream of
//! events, and what does not say its length, is not waited for; what came with the head is looked
//! at, so that one that begins with a broken chunk is an error, too.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::poll;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;

use crate::upstream::body::{AnswerBody, BodyError, Idle};

/// Bytes of an answer that is read whole before its client hears of it.
const SHORT: u64 = 64 * 1024;

/// A response body of which the beginning may have been read already.
#[derive(Debug)]
pub(crate) struct Opened {
    read: Option<Bytes>,
    rest: Idle<AnswerBody>,
}

impl Opened {
    /// A body of which nothing has been read. It may be silent for at most `idle`.
    pub(super) fn new(body: AnswerBody, idle: Duration) -> Self {
        Self {
            read: None,
            rest: Idle::new(body, idle),
        }
    }

    /// Reads the first piece of an answer that says its length, and all of a short one. Of any
    /// other, and of a stream of events, it reads what is there.
    ///
    /// # Errors
    ///
    /// When it ends before that, or has another length.
    pub(super) async fn begin(&mut self, is_stream: bool) -> Result<(), BodyError> {
        match self.size_hint().exact() {
            Some(length) if !is_stream => self.read_short(length).await,
            _ if self.read.is_some() => Ok(()),
            _ => self.read_what_is_there().await,
        }
    }

    async fn read_what_is_there(&mut self) -> Result<(), BodyError> {
        if let Poll::Ready(Some(frame)) = poll!(self.rest.frame()) {
            self.read = frame?.into_data().ok();
        }
        Ok(())
    }

    async fn read_short(&mut self, length: u64) -> Result<(), BodyError> {
        let mut read = Gathered::of(self.read.take());
        while read.len() < length && (read.is_empty() || length <= SHORT) {
            let Some(frame) = self.rest.frame().await else {
                break;
            };
            if let Ok(data) = frame?.into_data() {
                read.push(data);
            }
        }
        self.read = read.finish();
        Ok(())
    }

    /// The beginning of the body, up to `most` bytes or the end of a frame beyond. It stays there.
    pub(super) async fn beginning(&mut self, most: usize) -> Result<Bytes, BodyError> {
        let mut read = BytesMut::from(self.read.take().unwrap_or_default());
        while read.len() < most {
            let Some(frame) = self.rest.frame().await else {
                break;
            };
            if let Ok(data) = frame?.into_data() {
                read.extend_from_slice(&data);
            }
        }
        let read = read.freeze();
        self.read = Some(read.clone());
        Ok(read)
    }

    /// Puts `told` in the place of what was read.
    pub(super) fn replace(&mut self, told: Bytes) {
        self.read = Some(told);
    }

    /// Lets the upstream go, at once: no more is read.
    pub(super) fn let_go(&mut self) {
        self.rest.let_go();
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.read.is_none() && self.rest.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let read = self.read.as_ref().map_or(0, |read| read.len() as u64);
        let rest = self.rest.size_hint();
        let mut whole = SizeHint::new();
        whole.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper() {
            whole.set_upper(upper + read);
        }
        whole
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.read.take() {
            Some(read) => Poll::Ready(Some(Ok(Frame::data(read)))),
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }
}

/// Pieces of a body, which become one. What arrives in one piece is not copied; more are, so that a
/// body of many small frames takes no more memory than its bytes.
struct Gathered {
    first: Bytes,
    whole: BytesMut,
}

impl Gathered {
    fn of(first: Option<Bytes>) -> Self {
        Self {
            first: first.unwrap_or_default(),
            whole: BytesMut::new(),
        }
    }

    fn push(&mut self, data: Bytes) {
        if self.is_empty() {
            self.first = data;
            return;
        }
        self.whole
            .extend_from_slice(&std::mem::take(&mut self.first));
        self.whole.extend_from_slice(&data);
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn len(&self) -> u64 {
        (self.first.len() + self.whole.len()) as u64
    }

    fn finish(self) -> Option<Bytes> {
        match (self.first.is_empty(), self.whole.is_empty()) {
            (true, true) => None,
            (false, _) => Some(self.first),
            (true, false) => Some(self.whole.freeze()),
        }
    }
}
