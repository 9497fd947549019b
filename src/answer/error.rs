//! Everything that can keep a request from being answered, as the sum of what its stages report.
//!
//! `Display` is for hone's own log. `answer/encode/error.rs` writes what a client reads, from
//! fields known to be safe.

use std::time::Duration;

use hone_dialects::Refusal;
use hone_strategies::chat::ChatError;
use hone_strategies::{ModelError, SpecError, StrategyError};
use http::StatusCode;

use crate::admission::{CallRefused, QueueError, Refused};
use crate::api::hops::Loop;
use crate::request::envelope::EnvelopeError;
use crate::request::headers::HeaderError;
use crate::request::intake::IntakeError;
use crate::request::plan::PlanError;
use crate::request::route::RouteError;
use crate::tenant::AuthError;
use crate::transport::ConnectionRefused;
use crate::upstream::UpstreamError;
use crate::upstream::body::BodyError;

/// Why a request was not answered as asked.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The caller could not be resolved, or may not use the key it needs.
    #[error(transparent)]
    Auth(#[from] AuthError),
    /// The JSON of a chat request is not a chat request.
    #[error(transparent)]
    Chat(#[from] ChatError),
    /// The connection may not stay.
    #[error(transparent)]
    Connection(#[from] ConnectionRefused),
    /// An upstream's answer that hone reads whole broke off.
    #[error("the upstream's answer broke off: {0}")]
    Cut(BodyError),
    /// The body is no request in the client's dialect.
    #[error(transparent)]
    Dialect(#[from] Refusal),
    /// No response head before the time that the caller set.
    #[error("no response within the caller's {0:?}")]
    Deadline(Duration),
    /// The body could not be peeked into.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The upstream limits the operator's key.
    #[error("upstream {upstream}: 429 for the fallback key")]
    FallbackLimited {
        /// Its name.
        upstream: String,
        /// What it said about when to come back.
        retry_after: Option<Duration>,
    },
    /// The upstream rejects the operator's key.
    #[error("upstream {upstream}: {status} for the fallback key; check `fallback_key`")]
    FallbackRejected {
        /// Its name.
        upstream: String,
        /// 401, 402 or 403.
        status: StatusCode,
    },
    /// With a shared key, this field, item or tool is not served.
    #[error("{0:?} with a fallback key")]
    FallbackField(String),
    /// A header of hone's own has a value it cannot have.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The body was not taken.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// The request goes in a circle.
    #[error(transparent)]
    Loop(#[from] Loop),
    /// No plan could be made.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// No slot of the upstream came free.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The caller's address has presented too many keys that were rejected.
    #[error("too many rejected keys from one address")]
    RejectedKeys {
        /// When it may present another one.
        retry_after: Duration,
    },
    /// Its address has asked who it is too often.
    #[error("too many questions of who the caller is")]
    Questions {
        /// When the next one is answered.
        retry_after: Duration,
    },
    /// A limit is used up.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// A browser asks whether a page may make a request, and it may not.
    #[error("a preflight of a page that may not ask; cors_origins is set: {is_set}")]
    Preflight {
        /// Whether any page may.
        is_set: bool,
    },
    /// Nothing is served at this method and path.
    #[error(transparent)]
    Route(#[from] RouteError),
    /// The process ends, and cannot wait for the answer.
    #[error("shutting down")]
    ShuttingDown,
    /// An approach's parameters are wrong, or it does not exist.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The approach needs a solver, and this proxy has none.
    #[error("approach {0} without a solver")]
    SolverMissing(String),
    /// The strategy has no answer.
    #[error(transparent)]
    Strategy(#[from] StrategyError),
    /// What cannot be. A fault of hone's own, whatever the request.
    #[error("cannot be: {0}")]
    Unreachable(&'static str),
    /// The upstream gave no response.
    #[error(transparent)]
    Upstream(#[from] UpstreamError),
}

impl ProxyError {
    /// The status of the upstream's own error, if that is what this is.
    pub(crate) fn upstream_status(&self) -> Option<StatusCode> {
        match self {
            Self::Strategy(StrategyError::Model(
                ModelError::Rejected(rejection) | ModelError::RateLimited(rejection),
            )) => StatusCode::from_u16(rejection.status).ok(),
            _ => None,
        }
    }

    /// Whether an upstream could not be connected to, which its breaker tells the operator once.
    pub(crate) fn is_unreachable(&self) -> bool {
        match self {
            Self::Upstream(error) => matches!(
                error,
                UpstreamError::Open { .. } | UpstreamError::Unreachable { .. }
            ),
            Self::Strategy(StrategyError::Model(error) | StrategyError::Interrupted(error)) => {
                matches!(error, ModelError::Unavailable { reached: false, .. })
            }
            _ => false,
        }
    }

    /// The limit of hone's that this is about, in a word for metrics.
    pub(crate) fn limit(&self) -> Option<&'static str> {
        match self {
            Self::Connection(ConnectionRefused::TooMany) => Some("connections"),
            Self::Connection(ConnectionRefused::TooOften { .. }) => Some("connections_per_minute"),
            Self::Intake(IntakeError::Overloaded) => Some("buffered_bytes"),
            Self::Intake(IntakeError::TenantFull(_)) => Some("tenant_buffered_bytes"),
            Self::Questions { .. } => Some("whoami"),
            Self::Queue(_) | Self::Upstream(UpstreamError::NoPlace { .. }) => Some("queue"),
            Self::Refused(refused) => Some(refused.dimension.name()),
            Self::RejectedKeys { .. } => Some("rejected_keys"),
            Self::Auth(_)
            | Self::Chat(_)
            | Self::Cut(_)
            | Self::Deadline(_)
            | Self::Dialect(_)
            | Self::Envelope(_)
            | Self::FallbackLimited { .. }
            | Self::FallbackRejected { .. }
            | Self::FallbackField(_)
            | Self::Header { .. }
            | Self::Intake(_)
            | Self::Loop(_)
            | Self::Plan(_)
            | Self::Preflight { .. }
            | Self::Route(_)
            | Self::ShuttingDown
            | Self::SolverMissing(_)
            | Self::Spec(_)
            | Self::Strategy(_)
            | Self::Unreachable(_)
            | Self::Upstream(_) => None,
        }
    }
}

impl From<CallRefused> for ProxyError {
    fn from(error: CallRefused) -> Self {
        match error {
            CallRefused::Queue(error) => Self::Queue(error),
            CallRefused::Refused(refused) => Self::Refused(refused),
        }
    }
}
