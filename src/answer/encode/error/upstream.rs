//! Upstreams that gave no response.
#![deny(clippy::wildcard_enum_match_arm)]

use super::{ErrorReply, Retry, limit, request};
use crate::request::intake::IntakeError;
use crate::telemetry::Blame;
use crate::upstream::body::BodyError;
use crate::upstream::failure::{Failure, LARGEST_HEAD, MOST_FIELDS};
use crate::upstream::{UpstreamError, no_place};

pub(super) fn upstream(error: &UpstreamError) -> ErrorReply {
    match error {
        UpstreamError::Broken {
            upstream,
            source: Failure::LargeHead,
        } => ErrorReply::unavailable(format!(
            "The head of the answer of the upstream `{upstream}` is too large: hone reads at most \
                {MOST_FIELDS} header fields and {LARGEST_HEAD} bytes."
        )),
        UpstreamError::Broken {
            upstream,
            source: Failure::Malformed(why),
        } => ErrorReply::unavailable(format!(
            "The answer of the upstream `{upstream}` cannot be read as HTTP: {why}."
        )),
        UpstreamError::Broken { upstream, source } if source.is_unreadable() => {
            ErrorReply::unavailable(format!(
                "The answer of the upstream `{upstream}` cannot be read as HTTP."
            ))
        }
        UpstreamError::Broken { upstream, .. } => ErrorReply::unavailable(format!(
            "The connection to the upstream `{upstream}` broke before it answered."
        )),
        UpstreamError::HeadTimeout { upstream, limit } => ErrorReply::gateway_timeout(format!(
            "The upstream `{upstream}` did not begin to answer within {} s.",
            limit.as_secs()
        )),
        UpstreamError::NoPlace { .. } => limit::queue(&no_place()),
        UpstreamError::Open {
            upstream,
            retry_after,
        } => ErrorReply::unavailable(format!(
            "The upstream `{upstream}` could not be reached repeatedly and is being given a rest."
        ))
        .retry(Retry::After(*retry_after)),
        UpstreamError::Refused { upstream, .. } => ErrorReply::unavailable(format!(
            "The upstream `{upstream}` took no notice of the request. Nothing was charged."
        )),
        UpstreamError::Request { .. } => {
            ErrorReply::unavailable("The request could not be forwarded.").blame(Blame::Proxy)
        }
        UpstreamError::Stalled { limit, .. } => request::intake(&IntakeError::Idle(*limit)),
        UpstreamError::Unreachable { upstream, .. } => {
            ErrorReply::unavailable(format!("The upstream `{upstream}` cannot be reached."))
        }
    }
}

/// An answer that ends before its client has heard of it.
pub(super) fn cut(error: &BodyError) -> ErrorReply {
    match error {
        BodyError::Idle(limit) => ErrorReply::gateway_timeout(format!(
            "The upstream began to answer, and sent no more for {} s.",
            limit.as_secs()
        )),
        BodyError::Broken(_) | BodyError::Shutdown | BodyError::TooLarge(_) => {
            ErrorReply::unavailable(
                "The upstream's answer broke off, or has another length than it says.",
            )
        }
    }
}
