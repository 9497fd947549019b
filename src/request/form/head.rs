//! The head of one part of a form: which field it is.

use super::{Fields, FormError};
use crate::api::endpoint::fields::Served;
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
const ENCODED: FormError =
    FormError::Unclear("its field `model` is encoded, a file, or in capitals");

/// Reads the lines of a head, each with its end. Its field must be one of `fields`.
pub(super) fn read(head: &[u8], fields: Fields<'_>) -> Result<Part, FormError> {
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
    match fields {
        Fields::Any => {}
        Fields::Only(files, texts) => only(name, is_file, files, texts)?,
        Fields::Without(lists) => refuse(name, lists)?,
    }
    if !is_same(name, "model") {
        return Ok(Part::Other);
    }
    if is_encoded || is_file || name != "model" {
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

/// Refuses a field that is not served, and a text in the place of a file. Of a list each element
/// may have brackets behind its name; of models there is one.
fn only(name: &str, is_file: bool, files: &[&str], texts: Served<'_>) -> Result<(), FormError> {
    let bare = name.strip_suffix("[]").filter(|bare| *bare != "model");
    let bare = bare.unwrap_or(name);
    if files.contains(&bare) && is_file || texts.has(name) || texts.has(bare) {
        return Ok(());
    }
    let why = if files.contains(&bare) {
        ": a text in place of a file"
    } else {
        ""
    };
    Err(FormError::Field(format!("{name}{why}")))
}

/// The name of a field, and whether it is a file.
fn field(disposition: &str) -> Result<(&str, bool), FormError> {
    let (kind, parameters) = parameters(disposition)?;
    if kind != "form-data" {
        return Err(UNCLEAR_NAME);
    }
    let (mut field, mut is_file) = (None, false);
    for (name, value) in parameters {
        match name {
            "name" if field.is_none() && !value.contains('\\') => field = Some(value),
            "filename" | "filename*" => is_file = true,
            // Another spelling, a part of a name (`name*0`), or something that one server knows.
            _ => return Err(UNCLEAR_NAME),
        }
    }
    Ok((field.ok_or(UNCLEAR_NAME)?, is_file))
}

/// Whether a content type leaves the content UTF-8.
fn is_utf8(kind: &str) -> bool {
    parameters(kind).is_ok_and(|(_, parameters)| {
        parameters.into_iter().all(|(name, value)| {
            let plain = ["utf-8", "utf8", "us-ascii"];
            name == "charset" && plain.iter().any(|plain| value.eq_ignore_ascii_case(plain))
        })
    })
}

/// Names and values.
type Parameters<'a> = Vec<(&'a str, &'a str)>;

/// A header's value: what stands before its parameters, and these, without their quotes.
///
/// Of RFC 9110 §5.6.6 this is what all servers read alike. Blanks stand only behind a semicolon. A
/// value is a token, or quoted; within quotes no quote is escaped.
pub(super) fn parameters(value: &str) -> Result<(&str, Parameters<'_>), FormError> {
    let (kind, mut rest) = value.split_at(value.find(';').unwrap_or(value.len()));
    let mut found = Vec::new();
    while let Some(after) = rest.strip_prefix(';') {
        let (name, after) = after.split_once('=').ok_or(UNCLEAR_LINE)?;
        let name = name.trim_start_matches(' ');
        let (value, tail) = match after.strip_prefix('"') {
            Some(quoted) => quoted
                .split_once('"')
                .filter(|(value, _)| !value.ends_with('\\')),
            None => Some(after.split_at(after.find(';').unwrap_or(after.len())))
                .filter(|(value, _)| is_token(value)),
        }
        .ok_or(UNCLEAR_LINE)?;
        if !is_token(name) {
            return Err(UNCLEAR_LINE);
        }
        found.push((name, value));
        rest = tail;
    }
    if rest.is_empty() {
        Ok((kind, found))
    } else {
        Err(UNCLEAR_LINE)
    }
}

/// Whether this is a token (RFC 9110 §5.6.2).
fn is_token(text: &str) -> bool {
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(in_token)
}
