//! Answers whose framing nobody asked for, or says two things.
//!
//! hyper reads an answer by one framing, and its connection never gets out of step. The fields are
//! handed on all the same, and the client must not be told of another framing than its own answer
//! has.

use http::header::{CONTENT_LENGTH, HeaderMap, HeaderValue, TRANSFER_ENCODING};
use http::{Response, StatusCode};

use super::body::AnswerBody;
use super::failure::{Failure, Sent};

/// The answer, with at most one length in its fields, and that only where it is its own.
///
/// # Errors
///
/// When it switches protocols, has a coding beside chunks, or has several lengths.
pub(super) fn checked(mut response: Response<AnswerBody>) -> Sent {
    let malformed = |what| Err(Failure::Malformed(what).into());
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return malformed("it switches protocols, which nobody asked for");
    }
    let headers = response.headers_mut();
    if headers.contains_key(TRANSFER_ENCODING) {
        // What its chunks come to is its length, whatever else it says (RFC 9112 §6.3).
        headers.remove(CONTENT_LENGTH);
        if !is_plainly_chunked(headers) {
            return malformed("it has a transfer coding that nobody asked for");
        }
    } else if !has_plain_length(headers) {
        match agreed_length(headers) {
            Some(length) => drop(headers.insert(CONTENT_LENGTH, length)),
            None => return malformed("it has several lengths"),
        }
    }
    Ok(response)
}

fn is_plainly_chunked(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let first = codings.next().map(|coding| coding.as_bytes().trim_ascii());
    let is_plain = first.is_some_and(|coding| {
        coding.eq_ignore_ascii_case(b"chunked") || coding.eq_ignore_ascii_case(b"identity")
    });
    is_plain && codings.next().is_none()
}

/// Whether there is one length at most, as a number.
fn has_plain_length(headers: &HeaderMap) -> bool {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let first = lengths.next();
    first.is_none_or(|length| length.as_bytes().iter().all(u8::is_ascii_digit))
        && lengths.next().is_none()
}

/// The length that all lines and all members of their lists agree on (RFC 9110 §8.6).
fn agreed_length(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut lengths = headers
        .get_all(CONTENT_LENGTH)
        .iter()
        .flat_map(|line| line.as_bytes().split(|byte| *byte == b','))
        .map(|length| number(length.trim_ascii()));
    let first = lengths.next()??;
    lengths
        .all(|length| length == Some(first))
        .then(|| HeaderValue::from(first))
}

fn number(digits: &[u8]) -> Option<u64> {
    let digits = digits
        .iter()
        .all(u8::is_ascii_digit)
        .then(|| std::str::from_utf8(digits));
    digits?.ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        lines
            .iter()
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    #[test]
    fn a_length_that_is_said_twice_is_one_if_both_agree() {
        for (lines, agreed) in [
            (vec!["2"], Some("2")),
            (vec!["2, 2"], Some("2")),
            (vec!["2", "2"], Some("2")),
            (vec!["2,2", " 02"], Some("2")),
            (vec!["2, 3"], None),
            (vec!["2", "3"], None),
            (vec!["2,"], None),
            (vec!["+2"], None),
            (vec!["-2"], None),
            (vec![""], None),
            (vec!["99999999999999999999"], None),
        ] {
            let lines: Vec<_> = lines
                .into_iter()
                .map(|line| (CONTENT_LENGTH, line))
                .collect();
            let length = agreed_length(&headers(&lines));
            assert_eq!(length.as_ref().map(|l| l.to_str().unwrap()), agreed);
        }
    }

    #[test]
    fn chunks_are_the_only_transfer_coding() {
        for (lines, plain) in [
            (vec!["chunked"], true),
            (vec![" Chunked "], true),
            (vec!["identity"], true),
            (vec!["gzip"], false),
            (vec!["gzip, chunked"], false),
            (vec!["chunked", "chunked"], false),
            (vec!["gzip", "chunked"], false),
        ] {
            let lines: Vec<_> = lines
                .into_iter()
                .map(|line| (TRANSFER_ENCODING, line))
                .collect();
            assert_eq!(is_plainly_chunked(&headers(&lines)), plain, "{lines:?}");
        }
    }
}
