//! What several fuzz targets share: inputs that people can read and write, and a model that says
//! what the input says.

pub mod dialect;
pub mod model;
pub mod run;

use http::{HeaderMap, HeaderName, HeaderValue};

/// Most headers that are read; more would only repeat what the first did.
const MOST_HEADERS: usize = 32;

/// Headers, one a line as `name: value`. What is no header is left out.
pub fn headers(text: &[u8]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in text.split(|byte| *byte == b'\n').take(MOST_HEADERS) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) =
            (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
        {
            headers.append(name, value);
        }
    }
    headers
}

/// The first line, and the rest. The rest is empty if there is one line only.
pub fn first_line(text: &str) -> (&str, &str) {
    text.split_once('\n').unwrap_or((text, ""))
}

/// Like [`first_line`], of bytes.
pub fn first_line_of_bytes(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b'\n') {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, &[]),
    }
}
