//! The documents of a stream: one an event, or the elements of one JSON array.

use crate::wire::sse::{Reader, TooLarge};

/// Bytes of the largest document where nobody says otherwise.
const LARGEST: usize = 1024 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Reads documents, however their bytes are cut.
pub(super) struct Documents {
    form: Form,
    largest: usize,
}

enum Form {
    /// Nothing has come but white space, and these bytes.
    Unknown(Vec<u8>),
    Events(Reader),
    Array(Elements),
}

/// The elements of an array, or objects one after another.
#[derive(Default)]
struct Elements {
    /// The element so far.
    held: Vec<u8>,
    depth: usize,
    text: Text,
    /// Whether an array was begun.
    is_array: bool,
    has_ended: bool,
}

/// Whether a string has been begun.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Text {
    /// In one, behind a backslash.
    Escaped,
    #[default]
    Outside,
    Within,
}

impl Documents {
    /// Reads documents of at most `largest` bytes, or of a mebibyte if that is 0.
    pub(super) fn new(largest: usize) -> Self {
        Self {
            form: Form::Unknown(Vec::new()),
            largest: if largest == 0 { LARGEST } else { largest },
        }
    }

    /// The documents that `bytes` complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, TooLarge> {
        match &mut self.form {
            Form::Unknown(seen) => {
                seen.extend_from_slice(bytes);
                if seen.len() < BOM.len() && BOM.starts_with(seen) {
                    return Ok(Vec::new());
                }
                let begun = seen.strip_prefix(BOM).unwrap_or(seen);
                let first = begun.iter().find(|byte| !byte.is_ascii_whitespace());
                let Some(first) = first else {
                    seen.clear();
                    return Ok(Vec::new());
                };
                let form = match first {
                    b'[' | b'{' => Form::Array(Elements::default()),
                    _ => Form::Events(Reader::new(self.largest)),
                };
                let seen = std::mem::take(seen);
                self.form = form;
                self.push(seen.strip_prefix(BOM).unwrap_or(&seen))
            }
            Form::Events(reader) => {
                let events = reader.push(bytes)?;
                Ok(events.into_iter().map(|event| event.data).collect())
            }
            Form::Array(elements) => elements.push(bytes, self.largest),
        }
    }

    /// The document that the end of the body completes, and whether the body has come to an end.
    pub(super) fn finish(&mut self) -> (Option<Vec<u8>>, bool) {
        match &mut self.form {
            Form::Unknown(_) => (None, false),
            Form::Events(reader) => (reader.finish().map(|event| event.data), true),
            Form::Array(elements) => (None, elements.is_whole()),
        }
    }
}

impl Elements {
    fn push(&mut self, bytes: &[u8], largest: usize) -> Result<Vec<Vec<u8>>, TooLarge> {
        let mut elements = Vec::new();
        for byte in bytes {
            if self.depth == 0 {
                self.between(*byte);
            } else {
                self.within(*byte, &mut elements);
            }
            if self.held.len() > largest {
                return Err(TooLarge);
            }
        }
        Ok(elements)
    }

    fn between(&mut self, byte: u8) {
        match byte {
            b'[' => self.is_array = true,
            b']' => self.has_ended = true,
            b'{' if !self.has_ended => {
                self.held.push(byte);
                self.depth = 1;
            }
            _ => {}
        }
    }

    fn within(&mut self, byte: u8, elements: &mut Vec<Vec<u8>>) {
        self.held.push(byte);
        match (self.text, byte) {
            (Text::Within, b'\\') => self.text = Text::Escaped,
            (Text::Within, b'"') => self.text = Text::Outside,
            (Text::Escaped, _) | (Text::Outside, b'"') => self.text = Text::Within,
            (Text::Outside, b'{' | b'[') => self.depth += 1,
            (Text::Outside, b'}' | b']') => self.depth -= 1,
            (Text::Outside | Text::Within, _) => {}
        }
        if self.depth == 0 {
            elements.push(std::mem::take(&mut self.held));
        }
    }

    fn is_whole(&self) -> bool {
        self.depth == 0 && (self.has_ended || !self.is_array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, width: usize) -> (Vec<String>, bool) {
        let mut documents = Documents::new(0);
        let mut found = Vec::new();
        for piece in text.as_bytes().chunks(width) {
            found.extend(documents.push(piece).unwrap());
        }
        let (last, is_whole) = documents.finish();
        found.extend(last);
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (found.into_iter().map(text).collect(), is_whole)
    }

    #[test]
    fn an_array_and_events_are_told_apart_however_they_are_cut() {
        let elements = [r#"{"a":"}]\"{","b":[{}]}"#, "{}"];
        let [one, other] = elements;
        let array = format!("\u{feff}\n[{one}\n,{other}\n]\n");
        let events = format!("\u{feff}\n\ndata: {one}\n\ndata: {other}\r\n\r\n");
        for text in [array, events, format!("{one}\n{other}")] {
            for width in [1, 2, 7, 1000] {
                let expected = (elements.map(str::to_owned).to_vec(), true);
                assert_eq!(read(&text, width), expected, "{text}");
            }
        }
    }

    #[test]
    fn an_array_that_is_not_closed_is_not_whole() {
        for text in ["", "[", "[{}", "[{},", "[{}, {", "{\"a\":"] {
            assert!(!read(text, 3).1, "{text}");
        }
        assert_eq!(read("[{}]{}", 2).0.len(), 1);
    }

    #[test]
    fn a_document_that_is_too_large_is_an_error() {
        for text in ["[{\"a\":\"0123456789\"}]", "data: 0123456789012\n\n"] {
            assert!(Documents::new(10).push(text.as_bytes()).is_err(), "{text}");
        }
        let mut documents = Documents::new(10);
        let found = documents.push(b"[{\"a\":1}").map(|found| found.len());
        assert_eq!(found.ok(), Some(1));
    }
}
