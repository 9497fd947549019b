//! Errors of an upstream, headers first and a body behind an empty line: what is read of them was
//! said in them.
#![no_main]

use hone::api::headers::retry_after;
use hone_fuzz::headers;
use hone_strategies::model::Rejection;
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let end = text
        .windows(2)
        .position(|pair| pair == b"\n\n")
        .unwrap_or(text.len());
    let (head, body) = text.split_at(end);
    let headers = headers(head);
    let rejection = Rejection::new(400, lines(&headers), body.to_vec().into());
    let body = String::from_utf8_lossy(body);
    // A name may be written with escapes.
    if rejection.blames("max_tokens") {
        assert!(
            body.contains("max_tokens") || body.contains("\\u"),
            "{body}"
        );
    }
    // Any wait is one that a clock can tell.
    let wait = retry_after(&headers);
    assert_eq!(rejection.clone().asking_to_wait(wait).retry_after, wait);
    if rejection.may_pass() {
        assert_ne!(rejection.code.as_deref(), Some("insufficient_quota"));
        assert!(
            !headers
                .get_all("x-should-retry")
                .iter()
                .any(|value| value == "false")
        );
    }
});

/// As the port hands them on: the first line of each name counts.
fn lines(headers: &HeaderMap) -> Vec<(String, String)> {
    headers
        .iter()
        .filter_map(|(name, value)| {
            Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
        })
        .collect()
}
