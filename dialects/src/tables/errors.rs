//! Errors in each dialect: one table of statuses, one shape a dialect, and what says that a request
//! is too long for its model.

mod overflow;
mod read;

use std::time::Duration;

use hone_strategies::chat::Dialect;
use serde_json::{Value, json};

use crate::shape::{ErrorReply, Spoken};

pub use overflow::overflow;
pub use read::{from_document, read, status_within};

/// How each dialect names a status.
struct Row {
    status: u16,
    anthropic: &'static str,
    openai: &'static str,
    gemini: &'static str,
}

const ROWS: [Row; 12] = [
    row(
        400,
        "invalid_request_error",
        "invalid_request_error",
        "INVALID_ARGUMENT",
    ),
    row(
        401,
        "authentication_error",
        "invalid_request_error",
        "UNAUTHENTICATED",
    ),
    row(
        402,
        "billing_error",
        "invalid_request_error",
        "FAILED_PRECONDITION",
    ),
    row(
        403,
        "permission_error",
        "invalid_request_error",
        "PERMISSION_DENIED",
    ),
    row(404, "not_found_error", "invalid_request_error", "NOT_FOUND"),
    row(409, "conflict_error", "invalid_request_error", "ABORTED"),
    row(
        413,
        "request_too_large",
        "invalid_request_error",
        "INVALID_ARGUMENT",
    ),
    row(
        429,
        "rate_limit_error",
        "rate_limit_error",
        "RESOURCE_EXHAUSTED",
    ),
    row(500, "api_error", "server_error", "INTERNAL"),
    row(502, "api_error", "server_error", "UNAVAILABLE"),
    row(503, "overloaded_error", "server_error", "UNAVAILABLE"),
    row(504, "timeout_error", "server_error", "DEADLINE_EXCEEDED"),
];

const fn row(
    status: u16,
    anthropic: &'static str,
    openai: &'static str,
    gemini: &'static str,
) -> Row {
    Row {
        status,
        anthropic,
        openai,
        gemini,
    }
}

/// Anthropic's status for an overloaded server, which is 503 everywhere else.
const OVERLOADED: u16 = 529;

/// The row of `status`, or of the class that it belongs to.
fn named(status: u16) -> &'static Row {
    let status = usual(status);
    let exact = ROWS.iter().find(|row| row.status == status);
    let class = if status < 500 { 400 } else { 500 };
    let of_class = || ROWS.iter().find(|row| row.status == class);
    exact.or_else(of_class).unwrap_or(&FALLBACK)
}

const FALLBACK: Row = row(500, "api_error", "server_error", "INTERNAL");

/// The status that goes with Anthropic's name for it.
pub fn status_of_anthropic(name: &str) -> Option<u16> {
    let row = ROWS.iter().find(|row| row.anthropic == name);
    row.map(|row| row.status)
}

/// The status that goes with Google's name for it.
pub fn status_of_gemini(name: &str) -> Option<u16> {
    let row = ROWS.iter().find(|row| row.gemini == name);
    row.map(|row| row.status)
}

/// An error as `dialect` says it.
pub fn speak(dialect: Dialect, error: &ErrorReply) -> Spoken {
    let error = &overflow::respoken(dialect, error);
    let (status, body, mut headers) = match dialect {
        Dialect::Anthropic => (anthropic_status(error.status), anthropic(error), Vec::new()),
        Dialect::Gemini => (usual(error.status), gemini(error), Vec::new()),
        Dialect::OpenAiChat | Dialect::OpenAiResponses => {
            (usual(error.status), openai(error), Vec::new())
        }
    };
    if let (Dialect::Anthropic, Some(id)) = (dialect, &error.request_id) {
        headers.push(("request-id", id.clone()));
    }
    if let Some(wait) = error.retry_after {
        headers.push(("retry-after", seconds(wait).to_string()));
    }
    Spoken {
        status,
        body: body.to_string(),
        headers,
    }
}

/// The status as everybody but Anthropic has it. Other servers use Anthropic's, too.
fn usual(status: u16) -> u16 {
    if status == OVERLOADED { 503 } else { status }
}

fn anthropic_status(status: u16) -> u16 {
    if status == 503 { OVERLOADED } else { status }
}

/// Anthropic's error document, which is also the data of its error event. The API itself names the
/// part at fault in the message alone; what hone says does not always.
pub fn anthropic(error: &ErrorReply) -> Value {
    let mut document = json!({
        "type": "error",
        "error": {"type": named(error.status).anthropic, "message": error.message},
    });
    let inner = document.get_mut("error").and_then(Value::as_object_mut);
    if let (Some(param), Some(inner)) = (&error.param, inner) {
        inner.insert("param".to_owned(), param.as_str().into());
    }
    if let (Some(id), Some(fields)) = (&error.request_id, document.as_object_mut()) {
        fields.insert("request_id".to_owned(), id.as_str().into());
    }
    document
}

/// OpenAI's error document.
pub fn openai(error: &ErrorReply) -> Value {
    let kind = error.kind.as_deref();
    json!({"error": {
        "message": error.message,
        "type": kind.unwrap_or(named(error.status).openai),
        "param": error.param,
        "code": error.code,
    }})
}

/// Google's error document, which is also the data of its error event.
pub fn gemini(error: &ErrorReply) -> Value {
    let mut inner = json!({
        "code": usual(error.status),
        "message": error.message,
        "status": named(error.status).gemini,
    });
    let details = gemini_details(error);
    if let (false, Some(fields)) = (details.is_empty(), inner.as_object_mut()) {
        fields.insert("details".to_owned(), details.into());
    }
    json!({ "error": inner })
}

/// What Google's clients read of an error: how long to wait, and which field is at fault.
fn gemini_details(error: &ErrorReply) -> Vec<Value> {
    let mut details = Vec::new();
    if let Some(wait) = error.retry_after.filter(|_| error.status == 429) {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.RetryInfo",
            "retryDelay": format!("{}s", seconds(wait)),
        }));
    }
    if let Some(param) = &error.param {
        details.push(json!({
            "@type": "type.googleapis.com/google.rpc.BadRequest",
            "fieldViolations": [{"field": param, "description": error.message}],
        }));
    }
    details
}

/// Whole seconds, rounded up.
fn seconds(wait: Duration) -> u64 {
    let more = u64::from(wait.subsec_nanos() > 0);
    wait.as_secs().saturating_add(more)
}

#[cfg(test)]
mod tests;
