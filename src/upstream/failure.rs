//! Why a request got no response.

use http::{Request, Response};
use tower::BoxError;

use super::body::AnswerBody;
use super::cause::{Cause, last};
use super::out_body::OutBody;

/// A response, once its head is there, or why there is none.
pub(super) type Sent = Result<Response<AnswerBody>, Failed>;

/// Why no response came. The texts are for logs.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection could be made.
    #[error("{0}")]
    Connect(Cause),
    /// The connection or the stream broke.
    #[error("{}", broken(.0))]
    Broken(hyper::Error),
    /// The upstream says that it has not looked at the request (RFC 9113 §8.7).
    #[error("it took no notice of the request: {}", last(.0))]
    Refused(hyper::Error),
    /// No stream came free in time. Nothing was sent.
    #[error("no stream came free in time")]
    NoPlace,
    /// The answer is not HTTP as it was asked for.
    #[error("{0}")]
    Malformed(&'static str),
}

impl Failure {
    /// Whether what came is no HTTP at all, or none that can be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Refused(_) | Self::NoPlace => false,
            Self::Broken(error) => error.is_parse(),
            Self::Malformed(_) => true,
        }
    }

    /// What an HTTP/2 connection or stream broke with.
    pub(super) fn of_stream(error: hyper::Error) -> Self {
        let h2 = std::error::Error::source(&error)
            .and_then(|source| source.downcast_ref::<h2::Error>())
            .filter(|error| error.is_remote());
        // A connection that is to end fails the streams that it will not serve; the others go on.
        let is_refused = h2.is_some_and(|error| {
            error.is_go_away() || error.reason() == Some(h2::Reason::REFUSED_STREAM)
        });
        if is_refused {
            Self::Refused(error)
        } else {
            Self::Broken(error)
        }
    }
}

/// What broke, by its last cause.
fn broken(error: &hyper::Error) -> String {
    if error.is_parse() {
        format!("its answer cannot be read as HTTP: {}", last(error))
    } else {
        format!("the connection broke: {}", last(error))
    }
}

/// A request that got no response.
#[derive(Debug)]
pub(crate) struct Failed {
    /// Why.
    pub(crate) failure: Failure,
    /// The request, if it was never sent.
    pub(crate) unsent: Option<Box<Request<OutBody>>>,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            unsent: None,
        }
    }
}

impl Failed {
    /// There is no connection on which `request` could be sent.
    pub(super) fn unsent(why: impl Into<BoxError>, request: Request<OutBody>) -> Self {
        Self {
            failure: Failure::Connect(Cause::of(&*why.into())),
            unsent: Some(Box::new(request)),
        }
    }
}
