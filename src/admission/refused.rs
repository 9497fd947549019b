//! A refusal, with everything that the answer to it needs.

use std::fmt;
use std::time::Duration;

use super::fair_queue::QueueError;

/// Whose limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scope {
    /// One client address, for callers that nobody vouches for yet.
    Address,
    /// All callers that a fallback key pays for, together.
    Fallback,
    /// One tenant.
    Tenant,
    /// All tenants of one upstream, together.
    Upstream,
}

impl Scope {
    /// The word for logs, metric labels and `whoami`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Fallback => "fallback",
            Self::Tenant => "tenant",
            Self::Upstream => "upstream",
        }
    }
}

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Dimension {
    /// Client requests under way at once.
    ConcurrentRequests,
    /// Client requests per minute.
    Requests,
    /// Tokens of all upstream calls per minute, input and output.
    Tokens,
    /// Upstream calls per minute.
    UpstreamCalls,
}

impl Dimension {
    /// The word for logs, metric labels, header fields and `whoami`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::ConcurrentRequests => "concurrent-requests",
            Self::Requests => "requests",
            Self::Tokens => "tokens",
            Self::UpstreamCalls => "upstream-calls",
        }
    }
}

/// A limit does not allow this now. It has cost nothing.
///
/// If several limits refuse, this is the one that takes longest, so `retry_after` is true for all
/// of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refused {
    /// What is used up.
    pub(crate) dimension: Dimension,
    /// Whose limit it is.
    pub(crate) scope: Scope,
    /// The limit: units per `window`, or units at once.
    pub(crate) limit: u64,
    /// The window of a rate; `None` for concurrency.
    pub(crate) window: Option<Duration>,
    /// What was asked for, in units of the dimension.
    pub(crate) requested: u64,
    /// What could have been had, in whole units of the dimension.
    pub(crate) remaining: u64,
    /// Rates: when the same request, alone, is admitted; neither earlier nor later. Concurrency: 1
    /// s. `None`: it can never fit.
    pub(crate) retry_after: Option<Duration>,
}

impl Refused {
    /// The refusal that takes longer; the first one of equals. What never fits takes longest.
    pub(super) fn longer(self, other: Self) -> Self {
        match (self.retry_after, other.retry_after) {
            (None, _) => self,
            (Some(_), None) => other,
            (Some(mine), Some(theirs)) => {
                if theirs > mine {
                    other
                } else {
                    self
                }
            }
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            dimension,
            scope,
            limit,
            requested,
            remaining,
            ..
        } = self;
        write!(
            f,
            "{} limit of {} {limit}: requested {requested}, remaining {remaining}",
            scope.name(),
            dimension.name()
        )?;
        match self.retry_after {
            Some(wait) => write!(f, ", fits in {wait:?}"),
            None => f.write_str(", can never fit"),
        }
    }
}

/// Why a call may not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallRefused {
    /// No slot came free.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// A limit refuses it.
    #[error(transparent)]
    Refused(#[from] Refused),
}
