//! What a request asks of hone itself, in its `x-hone-…` headers.

use std::time::Duration;

use http::{HeaderMap, HeaderName};

/// The header that names an approach.
pub static APPROACH: HeaderName = HeaderName::from_static("x-hone-approach");
/// What the names of all of them begin with.
const OURS: &str = "x-hone-";
static DEADLINE: HeaderName = HeaderName::from_static("x-hone-deadline-ms");
pub(crate) static DETAIL: HeaderName = HeaderName::from_static("x-hone-detail");
static DRY_RUN: HeaderName = HeaderName::from_static("x-hone-dry-run");

/// How much the caller wants to be told about the run, by `x-hone-detail`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Detail {
    /// Nothing beside the answer.
    #[default]
    None,
    /// Calls and tokens.
    Usage,
    /// Also every call, candidate and score.
    Trace,
}

impl Detail {
    /// Reads the value of `x-hone-detail`.
    fn read(text: &str) -> Option<Self> {
        match text {
            "usage" => Some(Self::Usage),
            "trace" => Some(Self::Trace),
            _ => None,
        }
    }
}

/// A header of hone's own has a value that it cannot have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("header {name}: {problem}")]
pub struct HeaderError {
    /// Which header.
    pub name: &'static str,
    /// What is wrong with it.
    pub(crate) problem: &'static str,
}

/// What the caller asks of hone itself.
#[derive(Debug, Clone, Default)]
pub struct HoneHeaders {
    /// hone's id of the request.
    pub(crate) request_id: String,
    /// `x-hone-deadline-ms`: when an answer is due. On a relay it bounds the time to the response's
    /// head.
    pub deadline: Option<Duration>,
    /// `x-hone-detail`: how much to tell about the run.
    pub detail: Detail,
    /// `x-hone-dry-run`: say what it would cost, and spend nothing.
    pub dry_run: bool,
}

impl HoneHeaders {
    /// Reads the headers.
    ///
    /// # Errors
    ///
    /// When a header has a value that it cannot have.
    pub fn read(headers: &HeaderMap, request_id: &str) -> Result<Self, HeaderError> {
        let mut read = Self {
            request_id: request_id.to_owned(),
            ..Self::default()
        };
        // Most requests ask nothing: one look at their names costs less than one for each of ours.
        if !headers.keys().any(|name| name.as_str().starts_with(OURS)) {
            return Ok(read);
        }
        if let Some(text) = text(headers, &DEADLINE)? {
            let millis = text.parse().ok().filter(|millis| *millis > 0);
            let expected = "expected a whole number of milliseconds, at least 1";
            let millis = millis.ok_or(wrong(&DEADLINE, expected))?;
            read.deadline = Some(Duration::from_millis(millis));
        }
        if let Some(text) = text(headers, &DETAIL)? {
            let detail = Detail::read(text);
            read.detail = detail.ok_or(wrong(&DETAIL, "expected `usage` or `trace`"))?;
        }
        read.dry_run = match text(headers, &DRY_RUN)? {
            None | Some("0" | "false") => false,
            Some("1" | "true") => true,
            Some(_) => return Err(wrong(&DRY_RUN, "expected `1` or `0`")),
        };
        Ok(read)
    }
}

/// The value of a header that may stand there once.
pub fn text<'a>(
    headers: &'a HeaderMap,
    name: &'static HeaderName,
) -> Result<Option<&'a str>, HeaderError> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(wrong(name, "given more than once"));
    }
    match value.to_str() {
        Ok(text) => Ok(Some(text.trim())),
        Err(_not_ascii) => Err(wrong(name, "not plain text")),
    }
}

fn wrong(name: &'static HeaderName, problem: &'static str) -> HeaderError {
    HeaderError {
        name: name.as_str(),
        problem,
    }
}
