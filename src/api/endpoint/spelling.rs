//! Which known path a path is, or could be taken for.
//!
//! Servers differ in what they make of a path: some ignore case (ASP.NET, Express), cut what
//! follows a `;` (servlet containers), decode escapes, more than once, or drop spaces and dots at
//! the end of a segment (Windows). What any of them could take for a known endpoint is compared
//! here with all of that taken away.

use std::borrow::Cow;

/// A known path that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// Not spelled like this one, which some server could take it for.
    Alias(&'static str),
    /// Spelled like this one.
    Plain(&'static str),
}

/// The first of `patterns` that `path` is or could be taken for. `{id}` fits any segment,
/// `{model}` all that is left, and `{model}:verb` all that is left and ends in this verb.
pub(super) fn find(
    patterns: &(impl Iterator<Item = &'static str> + Clone),
    path: &str,
) -> Option<Found> {
    let segments: Vec<&str> = path.split('/').collect();
    // Some cut a segment before they decode it, some decode the path before they split it.
    let cut = segments.iter().map(|segment| normal(segment)).collect();
    let mut plain = None;
    for reading in [cut, resolved(path)] {
        let mut patterns = patterns.clone();
        let Some(found) = patterns.find(|pattern| fits(pattern, &reading, Case::Ignored)) else {
            continue;
        };
        if !fits(found, &segments, Case::Kept) {
            return Some(Found::Alias(found));
        }
        plain = plain.or(Some(Found::Plain(found)));
    }
    plain
}

/// The segments of a path for a server that decodes all of it, and then takes steps up and blank
/// segments out.
fn resolved(path: &str) -> Vec<String> {
    let mut segments = Vec::new();
    for segment in decoded_to_the_end(path).split(['/', '\\']) {
        let plain = normal(segment);
        if !plain.is_empty() {
            segments.push(plain);
        } else if segment
            .split(';')
            .next()
            .is_some_and(|step| step.trim() == "..")
        {
            segments.pop();
        }
    }
    segments
}

/// Whether the verb behind a model must be written as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Ignored,
    Kept,
}

fn fits<S: AsRef<str>>(pattern: &str, segments: &[S], case: Case) -> bool {
    let mut rest = segments.iter().map(AsRef::as_ref);
    for part in pattern.split('/') {
        if let Some(verb) = part.strip_prefix("{model}:") {
            return rest.last().is_some_and(|last| ends_in(verb, last, case));
        }
        let fits = match rest.next() {
            Some(segment) if part.starts_with('{') => !segment.is_empty(),
            Some(segment) => segment == part,
            None => false,
        };
        if !fits {
            return false;
        }
        if part == "{model}" {
            return true;
        }
    }
    rest.next().is_none()
}

/// Whether `segment` is something with `verb` behind a colon. Some clients escape the colon.
fn ends_in(verb: &str, segment: &str, case: Case) -> bool {
    let Some((before, last)) = segment
        .len()
        .checked_sub(verb.len())
        .and_then(|at| segment.split_at_checked(at))
    else {
        return false;
    };
    let is_verb = match case {
        Case::Ignored => last.eq_ignore_ascii_case(verb),
        Case::Kept => last == verb,
    };
    let colons = [":", "%3A", "%3a"];
    let mut names = colons.iter().filter_map(|colon| before.strip_suffix(colon));
    is_verb && names.any(|name| !name.is_empty())
}

/// A text after one percent-decode.
pub(super) fn decoded(text: &str) -> Cow<'_, str> {
    let Some((plain, escaped)) = text.split_once('%') else {
        return Cow::Borrowed(text);
    };
    let mut bytes = plain.as_bytes().to_vec();
    for part in escaped.as_bytes().split(|byte| *byte == b'%') {
        let mut value = [0];
        let digits = part.split_at_checked(2);
        let escape = digits.filter(|(digits, _)| hex::decode_to_slice(digits, &mut value).is_ok());
        if let Some((_, rest)) = escape {
            bytes.extend(value);
            bytes.extend(rest);
        } else {
            bytes.push(b'%');
            bytes.extend(part);
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// A text after as many decodes as change it, in one pass.
pub(super) fn decoded_to_the_end(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    for byte in text.bytes() {
        bytes.push(byte);
        while let Some((start, value)) = escape_at_the_end(&bytes) {
            bytes.truncate(start);
            bytes.push(value);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Where an escape begins that `bytes` end with, and what it stands for.
fn escape_at_the_end(bytes: &[u8]) -> Option<(usize, u8)> {
    let start = bytes.len().checked_sub(3)?;
    let digits = bytes.get(start..)?.strip_prefix(b"%")?;
    let mut value = [0];
    hex::decode_to_slice(digits, &mut value).ok()?;
    Some((start, value[0]))
}

/// A segment without all that some server takes away.
pub(super) fn normal(segment: &str) -> String {
    let text = decoded_to_the_end(segment);
    let text = text.split(';').next().unwrap_or_default();
    let is_blank = |c: char| c.is_whitespace() || c.is_control();
    // Upper case first: `ſ` and the Kelvin sign become letters of ASCII on the way.
    text.trim_start_matches(is_blank)
        .trim_end_matches(|c| is_blank(c) || c == '.')
        .to_uppercase()
        .to_lowercase()
}
