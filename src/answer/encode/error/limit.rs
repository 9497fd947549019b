//! Limits and queues of hone's own.
#![deny(clippy::wildcard_enum_match_arm)]

use super::{ErrorReply, Retry};
use crate::admission::{Dimension, QueueError, Refused, Scope};

pub(super) fn queue(error: &QueueError) -> ErrorReply {
    match error {
        QueueError::Full { retry_after } => ErrorReply::overloaded(
            "Too many requests wait for this upstream. Try again shortly.",
            *retry_after,
        ),
        QueueError::TimedOut { retry_after } => ErrorReply::overloaded(
            "This request's turn at the upstream did not come in time. Try again shortly.",
            *retry_after,
        ),
    }
}

/// A limit of hone's own: its owner, its amount, and when to retry if nothing else of the
/// caller's runs.
pub(super) fn limit(refused: &Refused) -> ErrorReply {
    let whose = match refused.scope {
        Scope::Address => "your address",
        Scope::Fallback => "this proxy's fallback key",
        Scope::Tenant => "you",
        Scope::Upstream => "this upstream, over all callers",
    };
    let (kind, code, unit) = match refused.dimension {
        Dimension::ConcurrentRequests => {
            ("requests", "concurrency_limit_exceeded", "requests at once")
        }
        Dimension::Requests => ("requests", "rate_limit_exceeded", "requests per minute"),
        Dimension::Tokens => ("tokens", "rate_limit_exceeded", "tokens per minute"),
        Dimension::UpstreamCalls => (
            "requests",
            "rate_limit_exceeded",
            "upstream calls per minute",
        ),
    };
    let Refused {
        limit,
        requested,
        remaining,
        ..
    } = refused;
    let (message, retry) = match refused.retry_after {
        None => (
            format!(
                "This request needs {requested}, but the limit for {whose} is {limit} {unit}: it \
                    can never fit. Make it smaller."
            ),
            Retry::Never,
        ),
        Some(wait) => {
            let wait_text = crate::admission::headers::duration_text(wait);
            let message = format!(
                "The limit for {whose} is {limit} {unit}; {remaining} left, {requested} requested. \
                    Try again in {wait_text}."
            );
            (message, Retry::After(wait))
        }
    };
    ErrorReply {
        kind,
        ..ErrorReply::limited("hone", code, message, retry)
    }
}
