//! What is different when the operator's key pays: the operator's account is not the caller's
//! business, and an account error is not the caller's fault.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{StatusCode, response};

use crate::answer::error::ProxyError;
use crate::headers;
use crate::request::envelope::Envelope;
use crate::request::intake::IntakeError;

/// Refuses fields that would reach into what other callers of the same key have stored, or outlive
/// the request.
///
/// # Errors
///
/// [`ProxyError::FallbackField`] naming the field.
pub fn refuse_fields(envelope: &Envelope<'_>) -> Result<(), ProxyError> {
    let fields = [
        (envelope.previous_response_id, "previous_response_id"),
        (envelope.conversation, "conversation"),
        (envelope.background, "background"),
    ];
    fields.into_iter().try_for_each(|(given, name)| {
        if given {
            Err(ProxyError::FallbackField(name))
        } else {
            Ok(())
        }
    })
}

/// Refuses a body that hone does not read where the operator pays, unless it is an upload to be
/// transcribed or edited: anything else could name what JSON may not.
///
/// # Errors
///
/// [`ProxyError::Intake`] with 415.
pub fn refuse_unread(parts: &Parts, path: &str) -> Result<(), ProxyError> {
    let is_form = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"multipart/form-data"));
    let takes_forms = path.starts_with("audio/") || path.starts_with("images/");
    if is_form && takes_forms {
        Ok(())
    } else {
        Err(IntakeError::NotJson.into())
    }
}

/// hone's own error for an upstream's answer about the operator's key, if that is what it is.
pub fn error_of(upstream: &str, response: &response::Parts) -> Option<ProxyError> {
    error_of_status(
        upstream,
        response.status,
        headers::retry_after(&response.headers),
    )
}

/// The same, from the parts that a sub-call keeps: 401 and 403 become
/// [`ProxyError::FallbackRejected`], 429 becomes [`ProxyError::FallbackLimited`].
pub fn error_of_status(
    upstream: &str,
    status: StatusCode,
    retry_after: Option<Duration>,
) -> Option<ProxyError> {
    let upstream = || upstream.to_owned();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(ProxyError::FallbackRejected {
            upstream: upstream(),
            status,
        }),
        StatusCode::TOO_MANY_REQUESTS => Some(ProxyError::FallbackLimited {
            upstream: upstream(),
            retry_after,
        }),
        _ => None,
    }
}
