//! `text/event-stream`, read and written.

use std::fmt::Display;

use serde_json::Value;

const BOM: &[u8] = b"\xef\xbb\xbf";
/// Bytes of the largest event where nobody says otherwise.
const LARGEST: usize = 1024 * 1024;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// Its `event` field; empty if it has none.
    pub event: String,
    /// Its `data` lines, joined by LF.
    pub data: Vec<u8>,
}

/// An event is larger than it may be: a part of the answer is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooLarge;

/// Reads events, however their bytes are cut. Lines end with LF, CR or CR LF.
#[derive(Debug)]
pub struct Reader {
    largest: usize,
    /// The line so far.
    line: Vec<u8>,
    is_first_line: bool,
    was_cr: bool,
    event: Option<String>,
    data: Option<Vec<u8>>,
}

impl Reader {
    /// Reads events of at most `largest` bytes, or of a mebibyte if that is 0.
    pub fn new(largest: usize) -> Self {
        Self {
            largest: if largest == 0 { LARGEST } else { largest },
            line: Vec::new(),
            is_first_line: true,
            was_cr: false,
            event: None,
            data: None,
        }
    }

    /// The events that `bytes` complete.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<Message>, TooLarge> {
        let mut messages = Vec::new();
        let mut rest = bytes;
        if self.was_cr && !rest.is_empty() {
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            self.was_cr = false;
        }
        while let Some(end) = memchr::memchr2(b'\n', b'\r', rest) {
            let (head, tail) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.bound(head)?;
            if self.line.is_empty() {
                messages.extend(self.line(head));
            } else {
                self.line.extend_from_slice(head);
                let line = std::mem::take(&mut self.line);
                messages.extend(self.line(&line));
            }
            let is_cr = tail.first() == Some(&b'\r');
            rest = tail.get(1..).unwrap_or_default();
            if is_cr {
                self.was_cr = rest.is_empty();
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
        }
        self.bound(rest)?;
        self.line.extend_from_slice(rest);
        Ok(messages)
    }

    /// The event that the end of the stream completes: the standard discards it, providers send it.
    pub fn finish(&mut self) -> Option<Message> {
        if !self.line.is_empty() {
            let line = std::mem::take(&mut self.line);
            drop(self.line(&line));
        }
        self.complete()
    }

    /// Whether `more` may be held, too.
    fn bound(&self, more: &[u8]) -> Result<(), TooLarge> {
        let held = self.line.len() + self.data.as_ref().map_or(0, Vec::len);
        if held.saturating_add(more.len()) > self.largest {
            return Err(TooLarge);
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Option<Message> {
        let is_first = std::mem::take(&mut self.is_first_line);
        let line = match line.strip_prefix(BOM) {
            Some(rest) if is_first => rest,
            _ => line,
        };
        if line.is_empty() {
            return self.complete();
        }
        let colon = memchr::memchr(b':', line).unwrap_or(line.len());
        let (name, value) = line.split_at_checked(colon).unwrap_or((line, &[]));
        let value = value.strip_prefix(b":").unwrap_or(value);
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match name {
            b"event" => self.event = Some(String::from_utf8_lossy(value).into_owned()),
            b"data" => match &mut self.data {
                None => self.data = Some(value.to_vec()),
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
            },
            _ => {}
        }
        None
    }

    fn complete(&mut self) -> Option<Message> {
        let event = self.event.take().unwrap_or_default();
        let data = self.data.take()?;
        Some(Message { event, data })
    }
}

/// An event with a name.
pub fn named(event: &str, data: &Value) -> String {
    format!("event: {event}\ndata: {data}\n\n")
}

/// An event without one.
pub fn data(data: &impl Display) -> String {
    format!("data: {data}\n\n")
}

/// A comment. What is not its first line is left out.
pub fn comment(text: &str) -> String {
    let line = text.split(['\n', '\r']).next().unwrap_or_default();
    format!(": {line}\n\n")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Vec<Message> {
        let mut reader = Reader::new(0);
        let mut messages = Vec::new();
        for piece in pieces {
            messages.extend(reader.push(piece).unwrap());
        }
        messages.extend(reader.finish());
        messages
    }

    #[test]
    fn names_data_comments_and_blank_lines_are_told_apart() {
        let text =
            "\u{feff}event: a\r\ndata: 1\r\ndata:2\r\n\r\n: beat\n\n\rdata\n\nid: 7\ndata: x";
        let found = read(&[text.as_bytes()]);
        let found: Vec<_> = found
            .iter()
            .map(|message| (&*message.event, &*message.data))
            .collect();
        let expected: [(&str, &[u8]); 3] = [("a", b"1\n2"), ("", b""), ("", b"x")];
        assert_eq!(found, expected);
    }

    #[test]
    fn an_event_that_is_too_large_is_an_error() {
        let mut reader = Reader::new(10);
        assert_eq!(reader.push(b"data: 1\n\n").map(|found| found.len()), Ok(1));
        assert_eq!(reader.push(b"data: 12345"), Err(TooLarge));
        let mut reader = Reader::new(10);
        assert_eq!(reader.push(&b"data: 1\n".repeat(20)), Err(TooLarge));
    }

    proptest! {
        #[test]
        fn however_the_bytes_are_cut_the_events_are_the_same(
            text in "(event: a|data: b|data:|: c|\r|\n|\r\n|x){0,30}", cut in 0_usize..200,
        ) {
            let bytes = text.as_bytes();
            let (head, tail) = bytes.split_at(cut.min(bytes.len()));
            let single: Vec<_> = bytes.chunks(1).collect();
            prop_assert_eq!(read(&[head, tail]), read(&[bytes]));
            prop_assert_eq!(read(&single), read(&[bytes]));
        }
    }
}
