//! The `model` of a form (`multipart/form-data`, RFC 7578), found as the form arrives.
//!
//! The grammar is RFC 2046's, and strict: what two servers could read differently is refused. A
//! form is read only where its model decides something, and no part of it is kept.

use std::ops::Range;

use memchr::memmem;

use crate::api::endpoint::fields;

mod head;
#[cfg(test)]
mod tests;

use head::Part;

/// Bytes of the longest head of a part.
const LONGEST_HEAD: usize = 16 * 1024;
/// Bytes of the longest value that is looked at.
const LONGEST_VALUE: usize = 1024;
/// RFC 2046 §5.1.1.
const LONGEST_BOUNDARY: usize = 70;

/// Why a form cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormError {
    /// Two servers could read it differently, or no server at all.
    #[error("unclear form: {0}")]
    Unclear(&'static str),
    /// There is more than one model.
    #[error("two fields `model`")]
    Twice,
    /// A field that names models beside `model`.
    #[error("field `{0}`")]
    List(&'static str),
    /// A field that is not served; this tells which, and why.
    #[error("field that is not served: {0}")]
    Field(String),
    /// No model has so long a name.
    #[error("a model's name of more than {0} bytes")]
    TooLong(usize),
}

/// How far a form has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// More of it is needed.
    Nothing,
    /// The value of `model` stands here.
    Model(Range<usize>),
    /// Its last boundary has come.
    End,
}

/// Reads one form from its beginning, with all of it that has come each time.
#[derive(Debug)]
pub struct FormReader<'a> {
    /// The dashes before it, then the boundary.
    delimiter: Vec<u8>,
    state: State,
    /// From where on nothing has been looked at.
    at: usize,
    fields: Fields<'a>,
    has_model: bool,
}

/// Which fields a form may have.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fields<'a> {
    /// All.
    Any,
    /// Those of [`fields::Form`], and more of its texts.
    Only(&'a [&'static str], fields::Served<'a>),
    /// None of these, nor names that some servers decode.
    Without(&'static [&'static str]),
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Before the first boundary, with which the form must begin, or a line's end before it.
    Start,
    /// Behind the bytes of a boundary, which may be the last one.
    Boundary,
    /// In the head of a part, which begins here.
    Head(usize),
    /// In the content of a part, which begins here.
    Content(usize, Part),
    /// Behind the last boundary.
    Epilogue,
}

impl<'a> FormReader<'a> {
    /// A reader of the form with this content type.
    ///
    /// # Errors
    ///
    /// [`FormError::Unclear`] if its boundary is missing or none.
    pub fn new(content_type: &str) -> Result<Self, FormError> {
        let (mut boundary, mut charset) = (None, None);
        for (name, value) in head::parameters(content_type)?.1 {
            let place = match name {
                "boundary" => &mut boundary,
                "charset" => &mut charset,
                // `boundary*`, `BOUNDARY`: to some servers it is the boundary, to others nothing.
                _ => return Err(FormError::Unclear("its content type has an odd parameter")),
            };
            if place.replace(value).is_some() {
                return Err(FormError::Unclear("its content type has two boundaries"));
            }
        }
        let boundary = boundary.unwrap_or_default();
        // Of RFC 2046's letters not the comma, nor the blank: some servers end there.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_-./:=?".contains(&byte);
        if !(1..=LONGEST_BOUNDARY).contains(&boundary.len()) || !boundary.bytes().all(is_plain) {
            return Err(FormError::Unclear(
                "its content type has no boundary, or an odd one",
            ));
        }
        Ok(Self {
            delimiter: [b"--", boundary.as_bytes()].concat(),
            state: State::Start,
            at: 0,
            fields: Fields::Any,
            has_model: false,
        })
    }

    /// The same, which refuses these fields too, and names that some servers decode.
    #[must_use]
    pub fn without(self, lists: &'static [&'static str]) -> Self {
        self.with(Fields::Without(lists))
    }

    /// The same, which refuses all but these fields.
    #[must_use]
    pub(crate) fn with(self, fields: Fields<'a>) -> Self {
        Self { fields, ..self }
    }

    /// Reads on. `form` is all that has come so far.
    ///
    /// # Errors
    ///
    /// When it is no form, or one that could be read in two ways.
    pub fn read(&mut self, form: &[u8]) -> Result<Found, FormError> {
        loop {
            match self.state {
                State::Start => match self.start(form)? {
                    Some(state) => self.state = state,
                    None => return Ok(Found::Nothing),
                },
                State::Boundary => match self.boundary(form)? {
                    Some(state) => self.state = state,
                    None => return Ok(Found::Nothing),
                },
                State::Head(start) => match self.head(form, start)? {
                    Some(part) => self.state = State::Content(self.at, part),
                    None => return Ok(Found::Nothing),
                },
                State::Content(start, part) => {
                    let Some(end) = self.next_delimiter(form)? else {
                        let seen = form.len().saturating_sub(start);
                        // The line's end and all but one byte of a boundary may have come.
                        let ahead = 2 + self.delimiter.len();
                        return fits(part, seen.saturating_sub(ahead));
                    };
                    let length = end.checked_sub(start);
                    // Some servers take the end of the head for that of the line before it.
                    let unclear = FormError::Unclear("a boundary stands behind a head at once");
                    fits(part, length.ok_or(unclear)?)?;
                    if part == Part::Model {
                        return Ok(Found::Model(start..end));
                    }
                }
                State::Epilogue => {
                    return match self.next_delimiter(form)? {
                        None => Ok(Found::End),
                        Some(_) => Err(FormError::Unclear("it goes on behind its last boundary")),
                    };
                }
            }
        }
    }

    /// Goes behind the first boundary. What stands before one some servers take for a part.
    fn start(&mut self, form: &[u8]) -> Result<Option<State>, FormError> {
        let first = [b"\r\n", self.delimiter.as_slice()].concat();
        let first = first.get(if form.starts_with(b"\r") { 0 } else { 2 }..);
        let first = first.unwrap_or_default();
        let length = first.len().min(form.len());
        if form.get(..length) != first.get(..length) {
            return Err(FormError::Unclear("it does not begin with its boundary"));
        }
        self.at = length;
        Ok((length == first.len()).then_some(State::Boundary))
    }

    /// Goes behind the next boundary, and says where the text before it ends.
    fn next_delimiter(&mut self, form: &[u8]) -> Result<Option<usize>, FormError> {
        loop {
            let ahead = form.get(self.at..).unwrap_or_default();
            let Some(dashes) = memmem::find(ahead, &self.delimiter).map(|place| self.at + place)
            else {
                let looked_at = (form.len() + 1).saturating_sub(self.delimiter.len());
                self.at = self.at.max(looked_at);
                return Ok(None);
            };
            let before = form.get(..dashes).unwrap_or_default();
            if before.ends_with(b"\r\n") {
                self.at = dashes + self.delimiter.len();
                if !matches!(self.state, State::Epilogue) {
                    self.state = State::Boundary;
                }
                return Ok(Some(dashes - 2));
            }
            if before.ends_with(b"\n") || before.ends_with(b"\r") {
                return Err(FormError::Unclear(
                    "a line before a boundary ends without CR and LF",
                ));
            }
            self.at = dashes + 1;
        }
    }

    /// What follows a boundary: a part, or nothing.
    fn boundary(&mut self, form: &[u8]) -> Result<Option<State>, FormError> {
        let rest = form.get(self.at..).unwrap_or_default();
        if rest.starts_with(b"--") {
            self.at += 2;
            return Ok(Some(State::Epilogue));
        }
        let blanks = rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t'));
        let blanks = blanks.count();
        let end = rest.get(blanks..).unwrap_or_default();
        if end.starts_with(b"\r\n") {
            self.at += blanks + 2;
            return Ok(Some(State::Head(self.at)));
        }
        let is_cut = end.is_empty() || end == b"\r" || blanks == 0 && end == b"-";
        if is_cut && blanks <= LONGEST_BOUNDARY {
            return Ok(None);
        }
        Err(FormError::Unclear(
            "a line begins like its boundary and goes on",
        ))
    }

    /// The part whose head ends in what has come.
    fn head(&mut self, form: &[u8], start: usize) -> Result<Option<Part>, FormError> {
        let rest = form.get(start..).unwrap_or_default();
        let window = rest.get(..LONGEST_HEAD).unwrap_or(rest);
        let length = if window.starts_with(b"\r\n") {
            Some(0)
        } else {
            let from = self.at.saturating_sub(start + 3);
            let ahead = window.get(from..).unwrap_or_default();
            memmem::find(ahead, b"\r\n\r\n").map(|end| from + end + 2)
        };
        let Some(length) = length else {
            if window.len() == LONGEST_HEAD {
                return Err(FormError::Unclear("the headers of a part are too long"));
            }
            self.at = form.len();
            return Ok(None);
        };
        self.at = start + length + 2;
        let part = head::read(window.get(..length).unwrap_or_default(), self.fields)?;
        if part == Part::Model && std::mem::replace(&mut self.has_model, true) {
            return Err(FormError::Twice);
        }
        Ok(Some(part))
    }
}

/// Whether a model's name may have so many bytes.
fn fits(part: Part, bytes: usize) -> Result<Found, FormError> {
    if part == Part::Model && bytes > LONGEST_VALUE {
        return Err(FormError::TooLong(LONGEST_VALUE));
    }
    Ok(Found::Nothing)
}
