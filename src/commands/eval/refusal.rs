//! What follows from an answer that is an error.

use std::time::Duration;

use http::{HeaderMap, StatusCode};
use serde_json::Value;

use crate::answer::encode::ERROR;
use crate::api::headers;
use hone_eval::{Failure, FailureKind};

/// Codes of a 429 that no waiting cures.
const FOR_GOOD: [&str; 2] = ["insufficient_quota", "billing_hard_limit_reached"];

/// What an error with `status` means for a run.
pub(super) fn read(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Failure {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = format!("{status}: {}", text(&document, body));
    Failure::new(kind(status, headers, &document, &message), message)
}

fn kind(status: StatusCode, headers: &HeaderMap, document: &Value, message: &str) -> FailureKind {
    let code = ["/error/code", "/error/type"]
        .iter()
        .find_map(|pointer| document.pointer(pointer)?.as_str())
        .unwrap_or_default();
    let own = headers.get(ERROR).and_then(|code| code.to_str().ok());
    let wait = headers::retry_after(headers).or_else(|| in_words(message));
    let never = headers
        .get("x-should-retry")
        .is_some_and(|value| value == "false");
    match status.as_u16() {
        429 if never => FailureKind::Final,
        429 if FOR_GOOD.contains(&code) => FailureKind::Refused,
        429 => FailureKind::Busy { wait },
        401..=404 => FailureKind::Refused,
        502 if own == Some("upstream_unavailable") && is_unreachable(message) => {
            FailureKind::Unreachable
        }
        502 if own == Some("fallback_key_rejected") => FailureKind::Refused,
        503 | 529 if wait.is_some() || status.as_u16() == 529 => FailureKind::Busy { wait },
        500 | 502 | 503 => FailureKind::Passing,
        _ => FailureKind::Final,
    }
}

/// Whether it is hone's own word for an upstream that nobody answers at.
fn is_unreachable(message: &str) -> bool {
    message.contains("cannot be reached") || message.contains("could not be reached")
}

/// The wait that OpenAI names in words: `Please try again in 1m2.5s`.
fn in_words(message: &str) -> Option<Duration> {
    let (_, behind) = message.split_once("try again in ")?;
    let word = behind.split_whitespace().next()?;
    let mut rest = word.trim_end_matches(['.', ',']);
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_alphabetic())?;
        let (number, behind) = rest.split_at(digits);
        let unit = behind
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit);
        let factor = match unit {
            "ms" => 0.001,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        seconds += number.parse::<f64>().ok()? * factor;
        rest = behind;
    }
    Duration::try_from_secs_f64(seconds).ok()
}

/// What an error's body says, kept short.
fn text(document: &Value, body: &[u8]) -> String {
    const MOST: usize = 300;
    let message = [
        "/error/message",
        "/0/error/message",
        "/message",
        "/detail",
        "/error",
    ]
    .iter()
    .find_map(|pointer| document.pointer(pointer)?.as_str())
    .map(str::to_owned);
    let text = message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    text.chars().take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use http::header::RETRY_AFTER;
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn failure(status: u16, header: Option<(&str, &str)>, body: &str) -> FailureKind {
        let headers = header.map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
        let status = StatusCode::from_u16(status).unwrap();
        read(status, &headers.into_iter().collect(), body.as_bytes()).kind
    }

    #[test]
    fn a_busy_provider_is_waited_for_in_every_form_in_which_it_asks() {
        let busy = |header, body| match failure(429, header, body) {
            FailureKind::Busy { wait } => wait.map(|wait| wait.as_millis()),
            other => panic!("{other:?}"),
        };
        assert_eq!(busy(Some(("retry-after", "2")), "{}"), Some(2000));
        assert_eq!(busy(Some(("retry-after-ms", "250")), "{}"), Some(250));
        assert_eq!(busy(None, "slow down"), None);
        let words = r#"{"error":{"message":"Rate limit reached. Please try again in 1m2.5s."}}"#;
        assert_eq!(busy(None, words), Some(62_500));
        let words = r#"{"error":{"message":"Please try again in 20ms. Visit us."}}"#;
        assert_eq!(busy(None, words), Some(20));
        let soon = std::time::SystemTime::now() + Duration::from_secs(30);
        let date = httpdate::fmt_http_date(soon);
        let wait = busy(Some((RETRY_AFTER.as_str(), &date)), "").unwrap();
        assert!((28_000..=30_000).contains(&wait), "{wait}");
    }

    #[test]
    fn only_what_no_request_would_survive_ends_a_run() {
        use FailureKind::{Final, Passing, Refused, Unreachable};
        let own = |code| Some(("x-hone-error", code));
        let quota = r#"{"error":{"code":"insufficient_quota","message":"Pay."}}"#;
        let unreachable = r#"{"error":{"message":"The upstream `a` cannot be reached."}}"#;
        let broke = r#"{"error":{"message":"The connection to the upstream `a` broke."}}"#;
        for (status, header, body, kind) in [
            (401, None, "", Refused),
            (402, None, "", Refused),
            (403, None, "", Refused),
            (404, None, "", Refused),
            (429, None, quota, Refused),
            (429, Some(("x-should-retry", "false")), "", Final),
            (502, own("upstream_unavailable"), unreachable, Unreachable),
            (502, own("upstream_unavailable"), broke, Passing),
            (502, own("fallback_key_rejected"), "", Refused),
            (500, None, "", Passing),
            (503, None, "", Passing),
            (529, None, "", FailureKind::Busy { wait: None }),
            (400, None, "", Final),
            (422, None, "", Final),
            (504, own("deadline_exceeded"), "", Final),
        ] {
            assert_eq!(failure(status, header, body), kind, "{status} {body}");
        }
    }
}
