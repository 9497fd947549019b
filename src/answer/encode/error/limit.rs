//! Limits and queues of hone's own.
#![deny(clippy::wildcard_enum_match_arm)]

use std::time::Duration;

use http::StatusCode;

use super::{ErrorReply, Retry, SERVER};
use crate::admission::{Dimension, QueueError, Refused, Scope};
use crate::telemetry::Blame;
use crate::transport::ConnectionRefused;

/// A connection that may not stay. Nobody knows when another one of its address ends.
pub(super) fn connection(refused: ConnectionRefused) -> ErrorReply {
    let (message, wait) = match refused {
        ConnectionRefused::TooMany => (
            "Too many connections, or requests over HTTP/2, are open. Close some of yours, or use \
                them again, and try again shortly.",
            Duration::from_secs(1),
        ),
        ConnectionRefused::TooOften { retry_after } => (
            "Your address opens connections too fast. Use them for more than one request, and try \
                again later.",
            retry_after,
        ),
    };
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let reply = ErrorReply::new(status, SERVER, "too_many_connections", message);
    ErrorReply {
        limit_source: Some("hone"),
        ..reply.blame(Blame::Client).retry(Retry::After(wait))
    }
}

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
