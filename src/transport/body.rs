//! A request's body, which an HTTP/1 connection keeps until it has been read.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::{CONNECTION, EXPECT};
use http::{HeaderValue, Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::activity::Activity;
use super::progress::{Progress, Stage};
use crate::workers;

/// Most bytes of one frame of what was read before: what takes it copies it in one go.
const LARGEST_FRAME: usize = 256 * 1024;

/// The body of a request.
#[derive(Debug)]
pub(crate) struct RequestBody {
    /// What was read of it, or stands for that, and comes first.
    front: Bytes,
    /// Bytes of the front given in this turn.
    given: usize,
    rest: Source,
}

#[derive(Debug)]
enum Source {
    /// Of an HTTP/2 stream, or empty.
    Own(Incoming),
    /// An HTTP/1 connection has it, and has to know how it ends.
    Connection(Arc<Activity>),
    /// All of it has been read, or it broke off.
    Ended,
}

impl RequestBody {
    /// Has `connection` know how `body` is read, if it speaks HTTP/1.
    fn new(body: Incoming, connection: &Arc<Activity>) -> Self {
        match connection.body() {
            Some(progress) if !body.is_end_stream() => {
                progress.begin(body);
                Self::of(Source::Connection(Arc::clone(connection)))
            }
            _ => Self::of(Source::Own(body)),
        }
    }

    fn of(rest: Source) -> Self {
        Self {
            front: Bytes::new(),
            given: 0,
            rest,
        }
    }

    /// The same with `front` before what is left of it.
    #[must_use]
    pub(crate) fn behind(self, front: Bytes) -> Self {
        let mut body = self;
        body.front = front;
        body
    }

    /// The next bytes of the front, which is not empty.
    fn poll_front(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        if self.given >= workers::YIELD_BYTES {
            self.given = 0;
            return workers::end_turn(cx);
        }
        let piece = self.front.split_to(self.front.len().min(LARGEST_FRAME));
        self.given += piece.len();
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn progress(&self) -> Option<&Progress> {
        match &self.rest {
            Source::Connection(connection) => connection.body(),
            Source::Own(_) | Source::Ended => None,
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        if !this.front.is_empty() {
            return this.poll_front(cx);
        }
        if let Source::Own(body) = &mut this.rest {
            return Pin::new(body).poll_frame(cx);
        }
        let Some(progress) = this.progress() else {
            return Poll::Ready(None);
        };
        let polled = progress.poll_frame(cx);
        if polled.is_ready() && matches!(progress.stage(), Stage::Read | Stage::GivenUp) {
            this.rest = Source::Ended;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.front.is_empty()
            && match (&self.rest, self.progress()) {
                (Source::Own(body), _) => body.is_end_stream(),
                (_, Some(_)) => false,
                (_, None) => true,
            }
    }

    fn size_hint(&self) -> SizeHint {
        let rest = match (&self.rest, self.progress()) {
            (Source::Own(body), _) => body.size_hint(),
            (_, Some(progress)) => progress.size_hint(),
            (_, None) => SizeHint::with_exact(0),
        };
        if self.front.is_empty() {
            return rest;
        }
        let mut whole = SizeHint::new();
        let front = self.front.len() as u64;
        whole.set_lower(front.saturating_add(rest.lower()));
        if let Some(upper) = rest.upper().and_then(|upper| upper.checked_add(front)) {
            whole.set_upper(upper);
        }
        whole
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        if let Some(progress) = self.progress() {
            progress.leave();
        }
    }
}

/// Takes a request from hyper. Also tells whether its client waits to be asked for the body.
pub(super) fn receive(
    request: Request<Incoming>,
    connection: &Arc<Activity>,
) -> (Request<RequestBody>, bool) {
    let request = request.map(|body| RequestBody::new(body, connection));
    let expects_continue =
        request.body().progress().is_some() && request.headers().contains_key(EXPECT);
    (request, expects_continue)
}

/// Gives an answer to hyper, once it is known whether its connection stays, and says so.
pub(super) async fn answered<B>(
    mut response: Response<B>,
    connection: &Activity,
    expects_continue: bool,
) -> Response<B> {
    if let Some(progress) = connection.body()
        && progress.stage() != Stage::Read
        && progress.answered(expects_continue).await
    {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(CONNECTION, close);
    }
    response
}
