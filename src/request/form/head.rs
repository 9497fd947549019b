//! The head of one part of a form: which field it is.

use std::borrow::Cow;

use super::FormError;
use crate::request::envelope::is_same;

/// What a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The field that names the model.
    Model,
    /// Any other one.
    Other,
}

const UNCLEAR_LINE: FormError = FormError::Unclear("a part has a header that is none");
const UNCLEAR_NAME: FormError = FormError::Unclear("a part has no name, or two");
const ENCODED: FormError = FormError::Unclear("its field `model` is encoded, or a file");

/// Reads the lines of a head, each with its end. `lists` are fields that may not be there.
pub(super) fn read(head: &[u8], lists: &[&'static str]) -> Result<Part, FormError> {
    // The name of a file may be in any charset.
    let text = String::from_utf8_lossy(head);
    let (mut disposition, mut is_encoded) = (None, false);
    for line in text.split_terminator("\r\n") {
        let (name, value) = line.split_once(':').ok_or(UNCLEAR_LINE)?;
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if name.is_empty() || !name.bytes().all(is_token) || value.contains(['\r', '\n', '\0']) {
            return Err(UNCLEAR_LINE);
        }
        let value = value.trim_matches([' ', '\t']);
        if name.eq_ignore_ascii_case("content-disposition") {
            if disposition.replace(value).is_some() {
                return Err(UNCLEAR_NAME);
            }
        } else if name.eq_ignore_ascii_case("content-transfer-encoding") {
            let plain = ["7bit", "8bit", "binary"];
            is_encoded |= !plain.iter().any(|plain| value.eq_ignore_ascii_case(plain));
        } else if name.eq_ignore_ascii_case("content-type") {
            is_encoded |= !is_utf8(value);
        }
    }
    let (name, is_file) = field(disposition.ok_or(UNCLEAR_NAME)?)?;
    if !lists.is_empty() {
        refuse(&name, lists)?;
    }
    if !is_same(&name, "model") {
        return Ok(Part::Other);
    }
    if is_encoded || is_file {
        return Err(ENCODED);
    }
    Ok(Part::Model)
}

/// Refuses a field of another name than `model` that could choose one.
fn refuse(name: &str, lists: &[&'static str]) -> Result<(), FormError> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.[]".contains(&byte);
    if !name.bytes().all(is_plain) {
        return Err(UNCLEAR_NAME);
    }
    let stem = name.split('[').next().unwrap_or_default();
    let listed = lists.iter().find(|list| is_same(stem, list));
    let model = (stem.len() < name.len() && is_same(stem, "model")).then_some(&"model[]");
    listed
        .or(model)
        .map_or(Ok(()), |list| Err(FormError::List(list)))
}

/// The name of a field, and whether it is a file.
fn field(disposition: &str) -> Result<(Cow<'_, str>, bool), FormError> {
    let kind = disposition.split(';').next().unwrap_or_default();
    if !kind
        .trim_matches([' ', '\t'])
        .eq_ignore_ascii_case("form-data")
    {
        return Err(UNCLEAR_NAME);
    }
    let (mut field, mut is_file) = (None, false);
    for (name, value) in parameters(disposition)? {
        if name.eq_ignore_ascii_case("name") {
            if field.replace(value).is_some() {
                return Err(UNCLEAR_NAME);
            }
        } else if name.eq_ignore_ascii_case("name*") {
            // RFC 7578 §4.2 has no such name, and some servers read it.
            return Err(UNCLEAR_NAME);
        } else {
            is_file |=
                name.eq_ignore_ascii_case("filename") || name.eq_ignore_ascii_case("filename*");
        }
    }
    Ok((field.ok_or(UNCLEAR_NAME)?, is_file))
}

/// Whether a content type leaves the content UTF-8.
fn is_utf8(kind: &str) -> bool {
    parameters(kind).is_ok_and(|mut parameters| {
        parameters.all(|(name, value)| {
            let plain = ["utf-8", "utf8", "us-ascii"];
            !name.eq_ignore_ascii_case("charset")
                || plain.iter().any(|plain| value.eq_ignore_ascii_case(plain))
        })
    })
}

/// The parameters of a header's value (RFC 9110 §5.6.6), unquoted.
pub(super) fn parameters(
    value: &str,
) -> Result<impl Iterator<Item = (&str, Cow<'_, str>)>, FormError> {
    let (_, mut rest) = value.split_once(';').unwrap_or((value, ""));
    let mut found = Vec::new();
    loop {
        rest = rest.trim_start_matches([' ', '\t', ';']);
        if rest.is_empty() {
            return Ok(found.into_iter());
        }
        let (name, after) = rest.split_once('=').ok_or(UNCLEAR_LINE)?;
        let name = name.trim_matches([' ', '\t']);
        if name.is_empty() || name.contains(['"', ';', ' ']) {
            return Err(UNCLEAR_LINE);
        }
        let after = after.trim_start_matches([' ', '\t']);
        let (value, tail) = if let Some(quoted) = after.strip_prefix('"') {
            unquoted(quoted)?
        } else {
            let end = after.find(';').unwrap_or(after.len());
            let (value, tail) = after.split_at(end);
            if value.contains('"') {
                return Err(UNCLEAR_LINE);
            }
            (Cow::Borrowed(value.trim_matches([' ', '\t'])), tail)
        };
        found.push((name, value));
        rest = tail.trim_start_matches([' ', '\t']);
        if !(rest.is_empty() || rest.starts_with(';')) {
            return Err(UNCLEAR_LINE);
        }
    }
}

/// A quoted string behind its first quote, and what follows it.
fn unquoted(quoted: &str) -> Result<(Cow<'_, str>, &str), FormError> {
    let end = quoted.find(['"', '\\']).ok_or(UNCLEAR_LINE)?;
    let (plain, rest) = quoted.split_at(end);
    if let Some(tail) = rest.strip_prefix('"') {
        return Ok((Cow::Borrowed(plain), tail));
    }
    let mut text = String::from(plain);
    let mut letters = rest.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '"' => return Ok((Cow::Owned(text), letters.as_str())),
            '\\' => text.push(letters.next().ok_or(UNCLEAR_LINE)?),
            other => text.push(other),
        }
    }
    Err(UNCLEAR_LINE)
}
