//! One request on a connection, from its place to the end of its answer, and what becomes of it
//! when nobody waits for it any more.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::connection::{Abandoned, Place, in_the_background};
use crate::admission::QueuePermit;
use crate::upstream::body::{self, AnswerBody, BodyError};
use crate::upstream::failure::{Failure, Sent};
use crate::upstream::out_body::{OutBody, Outbound};

/// How long a request runs on that nobody waits for, if its connection may not be bothered: as long
/// as most providers take for an answer.
const RUN_OUT: Duration = Duration::from_secs(600);

pub(super) type Answer = Result<Response<Incoming>, TrySendError<Request<Sending>>>;

/// A stream, and its place. Held by the request's body, which may be under way for longer than its
/// answer, and by the answer's.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) place: Place,
    /// hyper's task that sends the body, if that takes longer than a moment. It sends on when the
    /// answer is no longer read, unless it is aborted.
    pub(super) sending: OnceLock<AbortHandle>,
    /// Whether any of the body has been asked for, which h2 does once the stream is open.
    is_begun: AtomicBool,
}

impl Place {
    /// Sends `request` on a stream and waits for the response's head. A stream that its peer might
    /// turn out not to allow has to be begun `until` then.
    ///
    /// # Errors
    ///
    /// The request, if the connection ended before anything of it was written.
    pub(super) async fn send(
        self,
        request: Outbound,
        until: Option<Instant>,
    ) -> Result<Sent, Outbound> {
        let slot = request.body().slot();
        let stream = Arc::new(Stream {
            place: self,
            sending: OnceLock::new(),
            is_begun: AtomicBool::new(false),
        });
        let request = (*request).map(|body| Sending {
            body,
            stream: Arc::clone(&stream),
        });
        let (number, answer) = stream.place.connection().begin(request);
        let mut waiting = Waiting {
            answer: Some(answer),
            stream: Arc::clone(&stream),
            number,
            slot,
        };
        let answer = match until {
            None => (&mut waiting).await,
            // Boxed: every request would have room for what the first of a connection does.
            Some(until) => match Box::pin(begun(&stream, &mut waiting, until)).await {
                Some(answer) => answer,
                None => return Ok(Err(Failure::NoPlace.into())),
            },
        };
        match answer {
            Ok(response) => {
                let answering = Box::new(Answering(stream));
                Ok(Ok(response.map(|body| AnswerBody::of(answering, body))))
            }
            Err(mut error) => match error.take_message() {
                Some(unsent) => Err(Box::new(unsent.map(Sending::take))),
                None => Ok(Err(Failure::of_stream(error.into_error()).into())),
            },
        }
    }
}

/// What `waiting` waits for. Nothing, if by `until` the peer allows no streams, and this one is
/// kept until it does. Without a body that cannot be told; but to allow none is meant for short
/// times (RFC 9113 §6.5.2).
async fn begun(stream: &Stream, waiting: &mut Waiting, until: Instant) -> Option<Answer> {
    if let Ok(answer) = tokio::time::timeout_at(until, &mut *waiting).await {
        return Some(answer);
    }
    let is_begun = stream.is_begun.load(Ordering::Relaxed);
    if !is_begun && stream.place.connection().allows_none() {
        return None;
    }
    Some(waiting.await)
}

/// Waits for a response's head. Dropped before that, it has the stream reset, or lets it run on.
struct Waiting {
    /// Until it is there.
    answer: Option<BoxFuture<'static, Answer>>,
    stream: Arc<Stream>,
    /// Of the streams of its connection.
    number: u64,
    /// The caller's turn.
    slot: Option<Arc<QueuePermit>>,
}

impl Future for Waiting {
    type Output = Answer;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answer> {
        let Some(answer) = &mut self.answer else {
            return Poll::Pending;
        };
        let polled = answer.as_mut().poll(cx);
        if let Poll::Ready(answer) = &polled {
            self.answer = None;
            if answer.is_ok() {
                self.stream.place.connection().answered(self.number);
            }
        }
        polled
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let Some(answer) = self.answer.take() else {
            return;
        };
        let connection = self.stream.place.connection();
        if connection.is_closed() || connection.may_reset() {
            return;
        }
        let (stream, number) = (Arc::clone(&self.stream), self.number);
        let left = run_out(answer, stream, number, self.slot.take());
        // Without a runtime the process ends.
        if tokio::runtime::Handle::try_current().is_ok() {
            drop(in_the_background(left));
        }
    }
}

/// Waits until a stream may be ended for whose answer nobody waits.
async fn run_out(
    answer: BoxFuture<'static, Answer>,
    stream: Arc<Stream>,
    number: u64,
    _slot: Option<Arc<QueuePermit>>,
) {
    let connection = stream.place.connection();
    let abandoned = Abandoned::new(connection);
    let ended = async {
        tokio::select! {
            answer = answer => {
                if answer.is_ok() {
                    connection.answered(number);
                }
            }
            () = abandoned.may_end() => {}
        }
    };
    drop(tokio::time::timeout(RUN_OUT, ended).await);
}

/// What an answer holds.
struct Answering(Arc<Stream>);

impl body::Exchange for Answering {}

impl fmt::Debug for Answering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        if let Some(sending) = self.0.sending.get() {
            sending.abort();
        }
    }
}

/// A request's body, whose stream is not over before it is.
#[derive(Debug)]
pub(super) struct Sending {
    body: OutBody,
    stream: Arc<Stream>,
}

impl Sending {
    fn take(self) -> OutBody {
        self.body
    }
}

impl Body for Sending {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = self.get_mut();
        if !this.stream.is_begun.load(Ordering::Relaxed) {
            this.stream.is_begun.store(true, Ordering::Relaxed);
            this.stream.place.connection().sends(&this.stream);
        }
        Pin::new(&mut this.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
