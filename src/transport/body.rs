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

/// The body of a request.
#[derive(Debug)]
pub(crate) struct RequestBody(Source);

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
                Self(Source::Connection(Arc::clone(connection)))
            }
            _ => Self(Source::Own(body)),
        }
    }

    fn progress(&self) -> Option<&Progress> {
        match &self.0 {
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
        if let Source::Own(body) = &mut this.0 {
            return Pin::new(body).poll_frame(cx);
        }
        let Some(progress) = this.progress() else {
            return Poll::Ready(None);
        };
        let polled = progress.poll_frame(cx);
        if polled.is_ready() && matches!(progress.stage(), Stage::Read | Stage::GivenUp) {
            this.0 = Source::Ended;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match (&self.0, self.progress()) {
            (Source::Own(body), _) => body.is_end_stream(),
            (_, Some(_)) => false,
            (_, None) => true,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match (&self.0, self.progress()) {
            (Source::Own(body), _) => body.size_hint(),
            (_, Some(progress)) => progress.size_hint(),
            (_, None) => SizeHint::with_exact(0),
        }
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
