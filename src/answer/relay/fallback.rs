//! What is different when the operator's key pays: the operator's account is not the caller's
//! business, and an account error is not the caller's fault.

use std::time::Duration;

use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, StatusCode, response};

use crate::answer::error::ProxyError;
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

/// Turns an upstream's answer about the operator's key into hone's own error.
///
/// # Errors
///
/// 401 and 403 become [`ProxyError::FallbackRejected`], 429 becomes
/// [`ProxyError::FallbackLimited`].
pub fn refuse_operators_errors(
    upstream: &str,
    response: &response::Parts,
) -> Result<(), ProxyError> {
    refuse(upstream, response.status, retry_after(&response.headers))
}

/// The same, from the parts that a sub-call keeps.
pub fn refuse(
    upstream: &str,
    status: StatusCode,
    retry_after: Option<Duration>,
) -> Result<(), ProxyError> {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(ProxyError::FallbackRejected {
            upstream: upstream.to_owned(),
            status,
        }),
        StatusCode::TOO_MANY_REQUESTS => Err(ProxyError::FallbackLimited {
            upstream: upstream.to_owned(),
            retry_after,
        }),
        _ => Ok(()),
    }
}

/// What an upstream says about when to come back: `retry-after-ms`, else `retry-after` in seconds
/// or as a date (RFC 9110 §10.2.3).
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.trim().parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(millis / 1000.0).ok();
    }
    let value = text("retry-after")?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(
        date.duration_since(std::time::SystemTime::now())
            .unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(name: &'static str, value: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        headers.insert(name, value.parse().expect("a header value"));
        retry_after(&headers)
    }

    #[test]
    fn retry_after_is_read_in_every_form() {
        assert_eq!(after("retry-after", "3"), Some(Duration::from_secs(3)));
        assert_eq!(
            after("retry-after", "0.5"),
            Some(Duration::from_millis(500))
        );
        assert_eq!(
            after("retry-after-ms", "20"),
            Some(Duration::from_millis(20))
        );
        assert_eq!(
            after("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"),
            Some(Duration::ZERO)
        );
        assert_eq!(after("retry-after", "soon"), None);
        assert_eq!(after("retry-after", "-1"), None);
    }
}
