//! Why a request got no response.

use http::Response;
use tower::BoxError;

use super::body::AnswerBody;
use super::cause::{Cause, last};
use super::out_body::Outbound;

/// Fields of an answer's head over HTTP/1. Some providers write a hundred of their own.
pub(crate) const MOST_FIELDS: usize = 512;
/// Bytes of an answer's head over HTTP/2, as it counts them (RFC 9113 §10.5.1). Over HTTP/1 a head
/// fits into the buffer for reading, which has as many.
pub(crate) const LARGEST_HEAD: u32 = 256 * 1024;

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
    /// The head of the answer is larger than hone reads.
    #[error("the head of its answer is too large: over {MOST_FIELDS} fields or {} bytes",
        LARGEST_HEAD, MOST_FIELDS = MOST_FIELDS)]
    LargeHead,
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
            Self::Connect(_) | Self::LargeHead | Self::Refused(_) | Self::NoPlace => false,
            Self::Broken(error) => error.is_parse(),
            Self::Malformed(_) => true,
        }
    }

    /// What an HTTP/1 connection broke with.
    pub(super) fn of_connection(error: hyper::Error) -> Self {
        if error.is_parse_too_large() {
            Self::LargeHead
        } else {
            Self::Broken(error)
        }
    }

    /// What an HTTP/2 connection or stream broke with.
    pub(super) fn of_stream(error: hyper::Error) -> Self {
        let h2 =
            std::error::Error::source(&error).and_then(|source| source.downcast_ref::<h2::Error>());
        // A head that is none, or larger than hone said it would read, ends its stream alone.
        if h2.is_some_and(|h2| h2.is_library() && h2.reason() == Some(h2::Reason::PROTOCOL_ERROR)) {
            return Self::Malformed(
                "the head of its answer breaks the rules of HTTP/2, or is too large",
            );
        }
        let h2 = h2.filter(|error| error.is_remote());
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
    pub(crate) unsent: Option<Outbound>,
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
    pub(super) fn unsent(why: impl Into<BoxError>, request: Outbound) -> Self {
        Self {
            failure: Failure::Connect(Cause::of(&*why.into())),
            unsent: Some(request),
        }
    }
}
