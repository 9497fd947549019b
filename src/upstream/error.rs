//! Why a request to an upstream was not answered.

use std::time::Duration;

use super::failure::Failure;
use crate::admission::QueueError;

/// Why an upstream gave no response. The texts are for logs.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// The connection broke after the request may have been sent, or what came is no HTTP answer.
    #[error("upstream {upstream}: {source}")]
    Broken {
        /// Its name.
        upstream: String,
        /// What broke.
        source: Failure,
    },
    /// No response head in time.
    #[error("upstream {upstream}: no response head within {limit:?}")]
    HeadTimeout {
        /// Its name.
        upstream: String,
        /// The bound that passed.
        limit: Duration,
    },
    /// It has been unreachable, and is not tried now.
    #[error("upstream {upstream}: not tried, it was unreachable")]
    Open {
        /// Its name.
        upstream: String,
        /// When it will be tried again.
        retry_after: Duration,
    },
    /// The request could not be put together, for example because of a header value.
    #[error("upstream {upstream}: cannot build the request: {source}")]
    Request {
        /// Its name.
        upstream: String,
        /// What is wrong.
        source: http::Error,
    },
    /// The client was too slow with the body that is handed on as it comes.
    #[error("upstream {upstream}: the client sent next to nothing for {limit:?}")]
    Stalled {
        /// Its name.
        upstream: String,
        /// The bound that passed.
        limit: Duration,
    },
    /// All connections to it carry as many requests as they may, for as long as a call may wait for
    /// its turn.
    #[error("upstream {upstream}: no stream came free")]
    NoPlace {
        /// Its name.
        upstream: String,
    },
    /// It has not looked at the request, which can be sent again.
    #[error("upstream {upstream}: {source}")]
    Refused {
        /// Its name.
        upstream: String,
        /// How it said so.
        source: Failure,
    },
    /// No connection could be made, so the request never reached it.
    #[error("upstream {upstream}: cannot connect: {source}")]
    Unreachable {
        /// Its name.
        upstream: String,
        /// What stood in the way.
        source: Failure,
    },
}

impl UpstreamError {
    /// Nothing was sent to `upstream`, which could not be reached of late.
    pub(super) fn open(upstream: &str, retry_after: Duration) -> Self {
        Self::Open {
            upstream: upstream.to_owned(),
            retry_after,
        }
    }

    /// Whether the upstream cannot have seen the request.
    pub(crate) fn never_sent(&self) -> bool {
        match self {
            Self::NoPlace { .. }
            | Self::Open { .. }
            | Self::Refused { .. }
            | Self::Request { .. }
            | Self::Unreachable { .. } => true,
            Self::Broken { .. } | Self::HeadTimeout { .. } | Self::Stalled { .. } => false,
        }
    }
}

/// Why a call is refused that found no stream at an upstream in time.
pub(crate) fn no_place() -> QueueError {
    QueueError::TimedOut {
        retry_after: Duration::from_secs(1),
    }
}
