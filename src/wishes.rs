//! What a request asks of hone itself, in its `x-hone-…` headers.

use std::time::Duration;

use http::HeaderMap;

use crate::encode::chat::Detail;
use crate::error::ProxyError;

/// The caller's wishes.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    /// hone's id of the request.
    pub request_id: String,
    /// `x-hone-deadline-ms`: when an answer is due. On a relay it bounds the time to the response's head.
    pub deadline: Option<Duration>,
    /// `x-hone-detail`: how much to tell about the run.
    pub detail: Detail,
    /// `x-hone-dry-run`: say what it would cost, and spend nothing.
    pub dry_run: bool,
}

impl Wishes {
    /// Reads the headers.
    ///
    /// # Errors
    ///
    /// When a header has a value that it cannot have.
    pub fn read(headers: &HeaderMap, request_id: &str) -> Result<Self, ProxyError> {
        let deadline = match text(headers, "x-hone-deadline-ms")? {
            None => None,
            Some(text) => {
                let wrong =
                    ProxyError::Header { name: "x-hone-deadline-ms", problem: "expected a whole number of milliseconds, at least 1" };
                Some(text.parse().ok().filter(|millis| *millis > 0).map(Duration::from_millis).ok_or(wrong)?)
            }
        };
        let detail = match text(headers, "x-hone-detail")? {
            None => Detail::None,
            Some(text) => Detail::read(text).ok_or(ProxyError::Header { name: "x-hone-detail", problem: "expected `usage` or `trace`" })?,
        };
        let dry_run = match text(headers, "x-hone-dry-run")? {
            None | Some("0" | "false") => false,
            Some("1" | "true") => true,
            Some(_) => return Err(ProxyError::Header { name: "x-hone-dry-run", problem: "expected `1` or `0`" }),
        };
        Ok(Self { request_id: request_id.to_owned(), deadline, detail, dry_run })
    }
}

/// The value of a header that may stand there once.
pub fn text<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<Option<&'a str>, ProxyError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(ProxyError::Header { name, problem: "given more than once" });
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text.trim())),
        Err(_not_ascii) => Err(ProxyError::Header { name, problem: "not plain text" }),
    }
}
