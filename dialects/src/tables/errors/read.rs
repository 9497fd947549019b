//! Errors of upstreams, in whatever form they come.

use std::time::Duration;

use hone_strategies::chat::{Dialect, weight};
use serde_json::Value;

use super::overflow::overflow;
use super::{status_of_anthropic, status_of_gemini, usual};
use crate::shape::ErrorReply;
use crate::wire::json::str_of;

/// No error is read that takes more memory than this, in bytes.
const LARGEST: usize = 1024 * 1024;
/// Bytes of a message that are passed on.
const LONGEST_MESSAGE: usize = 16 * 1024;

/// The error that an upstream of `dialect` has told with `status`.
pub fn read(dialect: Dialect, status: u16, body: &[u8]) -> ErrorReply {
    let document = if weight(body) <= LARGEST {
        serde_json::from_slice(body).unwrap_or_default()
    } else {
        Value::Null
    };
    from_document(dialect, status, &document)
}

/// The same of a document that has been read: Google puts errors into an array, and a stream's
/// event may be one.
pub fn from_document(dialect: Dialect, status: u16, document: &Value) -> ErrorReply {
    let document = document.get(0).unwrap_or(document);
    let error = document.get("error").unwrap_or(document);
    let message = error.as_str().unwrap_or_else(|| str_of(error, "message"));
    let message = if message.is_empty() {
        format!("The upstream answered with status {status}.")
    } else {
        shortened(message)
    };
    let code = match error.get("code") {
        Some(Value::String(code)) => Some(code.clone()),
        _ => None,
    };
    let status = status_of(dialect, status, error);
    let overflow = overflow(
        status,
        code.as_deref().or(Some(str_of(error, "type"))),
        &message,
    );
    let kind = match dialect {
        Dialect::OpenAiChat | Dialect::OpenAiResponses => error.get("type"),
        Dialect::Anthropic | Dialect::Gemini => None,
    };
    ErrorReply {
        status,
        code,
        kind: kind.and_then(Value::as_str).map(str::to_owned),
        param: param(error),
        retry_after: retry_delay(error),
        overflow,
        ..ErrorReply::new(status, message)
    }
}

/// The field at fault: Google names it among the details.
fn param(error: &Value) -> Option<String> {
    let named = error.get("param");
    let details = || error.get("details")?.as_array()?.iter().find_map(violation);
    named.or_else(details)?.as_str().map(str::to_owned)
}

fn violation(detail: &Value) -> Option<&Value> {
    detail.get("fieldViolations")?.get(0)?.get("field")
}

/// The status that the error deserves: Google has none of its own for a bad key, Anthropic has one
/// of its own for an overload, which other servers use as well.
fn status_of(dialect: Dialect, status: u16, error: &Value) -> u16 {
    match dialect {
        Dialect::Gemini if status == 400 && is_bad_key(error) => 401,
        _ => usual(status),
    }
}

/// The status of an error that comes in mid-stream, where the head said 200.
pub fn status_within(dialect: Dialect, document: &Value) -> u16 {
    let error = document.get("error").unwrap_or(document);
    let named = match dialect {
        Dialect::Anthropic => status_of_anthropic(str_of(error, "type")),
        Dialect::Gemini => status_of_gemini(str_of(error, "status")),
        Dialect::OpenAiChat | Dialect::OpenAiResponses => match str_of(error, "code") {
            "rate_limit_exceeded" | "insufficient_quota" => Some(429),
            "context_length_exceeded" | "invalid_prompt" => Some(400),
            _ => None,
        },
    };
    let code = error.get("code").and_then(Value::as_u64);
    let code = code.and_then(|code| u16::try_from(code).ok());
    let code = code.filter(|code| (400..600).contains(code));
    usual(named.or(code).unwrap_or(502))
}

fn is_bad_key(error: &Value) -> bool {
    let details = error.get("details").and_then(Value::as_array);
    let mut details = details.into_iter().flatten();
    details.any(|detail| str_of(detail, "reason") == "API_KEY_INVALID")
}

/// Google's `retryDelay`: `12s` or `0.5s`.
fn retry_delay(error: &Value) -> Option<Duration> {
    let mut details = error.get("details")?.as_array()?.iter();
    let told = details.find_map(|detail| detail.get("retryDelay")?.as_str())?;
    let seconds: f64 = told.strip_suffix('s')?.parse().ok()?;
    Duration::try_from_secs_f64(seconds.min(86_400.0)).ok()
}

fn shortened(message: &str) -> String {
    let mut end = message.len().min(LONGEST_MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message.get(..end).unwrap_or_default().to_owned()
}
