//! How errors are told, and which headers go with answers, in the dialect of an endpoint.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::refusal::Refusal;
use crate::script::Script;

/// Whose forms an endpoint has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// OpenAI's, Responses apart.
    Chat,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's.
    Messages,
    /// Google's.
    Gemini,
}

/// The forms of one answer's errors and headers.
#[derive(Debug)]
pub(crate) struct Voice {
    dialect: Dialect,
    chat: fn(&Refusal) -> Value,
    id: String,
}

/// What a stream has sent before it ends in an error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent<'a> {
    pub(crate) first: &'a [u8],
    pub(crate) events: usize,
}

impl Voice {
    /// `chat` is the form of chat's errors; `number` makes the request's id.
    pub(crate) fn new(dialect: Dialect, chat: fn(&Refusal) -> Value, number: u64) -> Self {
        Self {
            dialect,
            chat,
            id: format!("req_sim{number:016x}"),
        }
    }

    /// An error in place of an answer.
    pub(crate) fn refuse(&self, refusal: &Refusal) -> Script {
        let mut script = Script::refusal(refusal, &self.error(refusal));
        let after = refusal.retry_after.as_deref();
        if let Some(value) = after.and_then(|value| value.parse().ok()) {
            script.headers.insert(RETRY_AFTER, value);
        }
        script
    }

    /// The body of an error.
    pub(crate) fn error(&self, refusal: &Refusal) -> Value {
        match self.dialect {
            Dialect::Chat => (self.chat)(refusal),
            Dialect::Responses => refusal.body(),
            Dialect::Messages => {
                let error = json!({"type": anthropic(refusal), "message": refusal.message});
                json!({"type": "error", "error": error, "request_id": self.id})
            }
            Dialect::Gemini => google(refusal),
        }
    }

    /// An error in the middle of a stream, which ends after it. `headers` are those of the stream.
    pub(crate) fn event(&self, refusal: &Refusal, sent: Sent<'_>, headers: &HeaderMap) -> Bytes {
        let error = self.error(refusal);
        let is_array = headers
            .get(CONTENT_TYPE)
            .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        Bytes::from(match self.dialect {
            Dialect::Messages => format!("event: error\ndata: {error}\n\n"),
            Dialect::Responses => failed(refusal, sent),
            Dialect::Gemini if is_array => {
                let comma = if sent.events == 0 { "[" } else { ",\n" };
                format!("{comma}{error}\n]")
            }
            // Chat's is OpenAI's whatever the profile: nobody has told another.
            Dialect::Chat => format!("data: {}\n\n", refusal.body()),
            Dialect::Gemini => format!("data: {error}\n\n"),
        })
    }

    /// The headers that go with every answer.
    pub(crate) fn headers(&self, is_openai: bool) -> HeaderMap {
        let (names, id): (&[_], _) = match self.dialect {
            Dialect::Chat if !is_openai => return HeaderMap::new(),
            Dialect::Chat | Dialect::Responses => (&OPENAI, "x-request-id"),
            Dialect::Messages => (&ANTHROPIC, "request-id"),
            Dialect::Gemini => (&GOOGLE, "x-sim-request-id"),
        };
        let mut headers: HeaderMap = names
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect();
        if let Ok(value) = HeaderValue::from_str(&self.id) {
            headers.insert(id, value);
        }
        headers
    }
}

/// Whether a script's length is told: it is no stream.
pub(crate) fn is_whole(script: &Script) -> bool {
    script.headers.contains_key(CONTENT_LENGTH)
}

const OPENAI: [(&str, &str); 9] = [
    ("openai-organization", "sim-organization"),
    ("openai-processing-ms", "1"),
    ("openai-version", "2020-10-01"),
    ("x-ratelimit-limit-requests", "10000"),
    ("x-ratelimit-limit-tokens", "2000000"),
    ("x-ratelimit-remaining-requests", "9999"),
    ("x-ratelimit-remaining-tokens", "1999900"),
    ("x-ratelimit-reset-requests", "6ms"),
    ("x-ratelimit-reset-tokens", "3ms"),
];

const ANTHROPIC: [(&str, &str); 7] = [
    ("anthropic-organization-id", "sim-organization"),
    ("anthropic-ratelimit-requests-limit", "4000"),
    ("anthropic-ratelimit-requests-remaining", "3999"),
    ("anthropic-ratelimit-requests-reset", "2026-01-01T00:00:00Z"),
    ("anthropic-ratelimit-tokens-limit", "2000000"),
    ("anthropic-ratelimit-tokens-remaining", "1999000"),
    ("anthropic-ratelimit-tokens-reset", "2026-01-01T00:00:00Z"),
];

const GOOGLE: [(&str, &str); 2] = [
    ("server-timing", "gfet4t7; dur=1"),
    ("x-content-type-options", "nosniff"),
];

/// Anthropic's type of an error.
fn anthropic(refusal: &Refusal) -> &'static str {
    match refusal.status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        409 => "conflict_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 | 529 => "overloaded_error",
        504 => "timeout_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}

/// Google's form of an error.
fn google(refusal: &Refusal) -> Value {
    let status = match refusal.status.as_u16() {
        401 => "UNAUTHENTICATED",
        402 => "FAILED_PRECONDITION",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        429 => "RESOURCE_EXHAUSTED",
        502 | 503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    };
    let kind = |name: &str| format!("type.googleapis.com/google.rpc.{name}");
    let details = match (refusal.status.as_u16(), refusal.code.as_deref()) {
        (429, _) => {
            let seconds = refusal.retry_after.as_deref().unwrap_or("12");
            Some(json!([{"@type": kind("RetryInfo"), "retryDelay": format!("{seconds}s")}]))
        }
        (_, Some(reason)) => Some(json!([{"@type": kind("ErrorInfo"), "reason": reason,
            "domain": "googleapis.com",
            "metadata": {"service": "generativelanguage.googleapis.com"}}])),
        _ => None,
    };
    let mut error = json!({"code": refusal.status.as_u16(), "message": refusal.message,
        "status": status});
    if let (Some(error), Some(details)) = (error.as_object_mut(), details) {
        error.insert("details".to_owned(), details);
    }
    json!({"error": error})
}

/// The failure of a response whose first event has told its object.
fn failed(refusal: &Refusal, sent: Sent<'_>) -> String {
    let first = String::from_utf8_lossy(sent.first);
    let data = first.lines().find_map(|line| line.strip_prefix("data: "));
    let event: Option<Value> = data.and_then(|data| serde_json::from_str(data).ok());
    let code = match (refusal.status.as_u16(), refusal.code.as_deref()) {
        (_, Some(code)) => code,
        (429, None) => "rate_limit_exceeded",
        _ => "server_error",
    };
    let Some(mut response) = event.and_then(|mut event| event.get_mut("response").map(Value::take))
    else {
        let event = json!({"type": "error", "code": code, "message": refusal.message,
            "param": null, "sequence_number": sent.events});
        return format!("event: error\ndata: {event}\n\n");
    };
    if let Some(response) = response.as_object_mut() {
        response.insert("status".to_owned(), json!("failed"));
        let error = json!({"code": code, "message": refusal.message});
        response.insert("error".to_owned(), error);
    }
    let event = json!({"type": "response.failed", "response": response,
        "sequence_number": sent.events});
    format!("event: response.failed\ndata: {event}\n\n")
}
