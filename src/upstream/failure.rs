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
    /// The answer is not HTTP as it was asked for.
    #[error("{0}")]
    Malformed(&'static str),
}

impl Failure {
    /// Whether what came is no HTTP at all, or none that can be read.
    pub(crate) fn is_unreadable(&self) -> bool {
        match self {
            Self::Connect(_) => false,
            Self::Broken(error) => error.is_parse(),
            Self::Malformed(_) => true,
        }
    }

    /// Whether the request was never sent, because there was no connection to send it over.
    pub(crate) fn is_connect(&self) -> bool {
        match self {
            Self::Connect(_) => true,
            Self::Broken(_) | Self::Malformed(_) => false,
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
