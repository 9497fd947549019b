//! The body of an upstream's answer, of which the beginning may have been read already.
//!
//! Once the client has the head of an answer, hone can only break off what turns out to be none. So
//! an answer that says its length is begun to be read before that, and a short one is read whole:
//! what ends early, or has another length than it says, is an error with a status. A stream of
//! events, and what does not say its length, is not waited for.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;

use crate::upstream::body::{AnswerBody, BodyError, Idle};

/// Bytes of an answer that is read whole before its client hears of it.
const SHORT: u64 = 64 * 1024;

/// A response body of which the beginning may have been read already.
#[derive(Debug)]
pub(crate) struct Opened {
    read: Option<Bytes>,
    /// What was read behind that.
    more: VecDeque<Bytes>,
    rest: Idle<AnswerBody>,
}

impl Opened {
    /// A body of which nothing has been read. It may be silent for at most `idle`.
    pub(super) fn new(body: AnswerBody, idle: Duration) -> Self {
        Self {
            read: None,
            more: VecDeque::new(),
            rest: Idle::new(body, idle),
        }
    }

    /// Reads the first piece of an answer that says its length, and all of a short one.
    ///
    /// # Errors
    ///
    /// When it ends before that, or has another length.
    pub(super) async fn begin(&mut self) -> Result<(), BodyError> {
        let Some(length) = self.size_hint().exact() else {
            return Ok(());
        };
        let mut read = self.read_bytes();
        while read < length && (read == 0 || length <= SHORT) && !self.rest.is_end_stream() {
            let Some(frame) = self.rest.frame().await else {
                break;
            };
            if let Ok(data) = frame?.into_data() {
                read += data.len() as u64;
                self.keep(data);
            }
        }
        Ok(())
    }

    fn keep(&mut self, data: Bytes) {
        if self.read.is_none() {
            self.read = Some(data);
        } else {
            self.more.push_back(data);
        }
    }

    /// The beginning of the body, up to `most` bytes or the end of a frame beyond. It stays there.
    pub(super) async fn beginning(&mut self, most: usize) -> Result<Bytes, BodyError> {
        let mut read = BytesMut::from(self.read.take().unwrap_or_default());
        for more in self.more.drain(..) {
            read.extend_from_slice(&more);
        }
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
        self.more.clear();
        self.read = Some(told);
    }

    /// Lets the upstream go, at once: no more is read.
    pub(super) fn let_go(&mut self) {
        self.rest.let_go();
    }

    pub(super) fn is_end_stream(&self) -> bool {
        self.read.is_none() && self.more.is_empty() && self.rest.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let (read, rest) = (self.read_bytes(), self.rest.size_hint());
        let mut whole = SizeHint::new();
        whole.set_lower(rest.lower() + read);
        if let Some(upper) = rest.upper() {
            whole.set_upper(upper + read);
        }
        whole
    }

    fn read_bytes(&self) -> u64 {
        let read = self.read.iter().chain(&self.more);
        read.map(|read| read.len() as u64).sum()
    }

    pub(super) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match self.read.take() {
            Some(read) => {
                self.read = self.more.pop_front();
                Poll::Ready(Some(Ok(Frame::data(read))))
            }
            None => Pin::new(&mut self.rest).poll_frame(cx),
        }
    }
}
