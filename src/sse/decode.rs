//! Splitting a byte stream into events without changing a byte.
//!
//! The pieces, put together, are the input, so a relay can forward them and leave one event out. An
//! event is given as soon as its last byte is there. However the input is cut into chunks, the same
//! data comes out; only the LF of a CR LF that ends an event may be a piece of its own. An event
//! above the bound is passed on in pieces without data, and what follows it is read again.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

const BOM: &[u8] = b"\xef\xbb\xbf";
/// The names of all fields.
const FIELDS: [&[u8]; 4] = [b"data", b"event", b"id", b"retry"];

/// An incremental reader of events, which holds at most one incomplete event.
#[derive(Debug)]
pub struct Splitter {
    max_event_bytes: usize,
    /// Not looked at yet.
    chunk: Bytes,
    /// The beginning of an event whose end has not come.
    held: BytesMut,
    line: LineState,
    place: Position,
    /// Nothing has been given yet, so what comes may begin with a byte order mark.
    at_start: bool,
}

/// What the line that is being read holds so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineState {
    /// Nothing; and the line before it ended with CR, so a LF belongs to that.
    AfterCr,
    Empty,
    Started,
}

/// Where the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    BetweenEvents,
    InEvent,
    InOversizedEvent,
}

/// Consecutive bytes of the stream: an event with its terminator, a comment, blank lines, or a part
/// of an event above the bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEvent {
    /// Exactly as received.
    pub bytes: Bytes,
    is_first: bool,
    is_oversized: bool,
}

/// The events of the chunk just pushed; those not taken come with the next chunk.
#[derive(Debug)]
#[must_use = "events are found while iterating"]
pub struct Events<'a> {
    splitter: &'a mut Splitter,
}

impl Splitter {
    /// A reader that gives data only for events of at most `max_event_bytes`, terminator included.
    pub fn new(max_event_bytes: usize) -> Self {
        Self {
            max_event_bytes,
            chunk: Bytes::new(),
            held: BytesMut::new(),
            line: LineState::Empty,
            place: Position::BetweenEvents,
            at_start: true,
        }
    }

    /// Reads `chunk`, giving the events that it completes.
    ///
    /// ```
    /// use bytes::Bytes;
    /// use hone::sse::Splitter;
    /// let mut splitter = Splitter::new(1024);
    /// assert!(splitter.push(Bytes::from("data: on")).next().is_none());
    /// let event = splitter.push(Bytes::from("e\n\ndata: two")).next().unwrap();
    /// assert_eq!(event.data().as_deref(), Some(&b"one"[..]));
    /// assert_eq!(event.bytes, "data: one\n\n");
    /// ```
    pub fn push(&mut self, chunk: Bytes) -> Events<'_> {
        self.add(chunk);
        Events { splitter: self }
    }

    /// Adds `chunk` to what [`Self::next_piece`] reads.
    pub(crate) fn add(&mut self, chunk: Bytes) {
        if self.chunk.is_empty() {
            self.chunk = chunk;
        } else {
            self.chunk = [std::mem::take(&mut self.chunk), chunk].concat().into();
        }
    }

    /// Bytes of an event whose end has not come.
    pub(crate) fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// What is left at the end of the stream: an event without its blank line, if anything. The
    /// standard discards such an event; providers send it.
    pub fn finish(mut self) -> Option<RawEvent> {
        self.held
            .extend_from_slice(&std::mem::take(&mut self.chunk));
        let rest = self.held.split().freeze();
        (!rest.is_empty()).then(|| self.piece(rest))
    }

    /// The next event of what was added, if its end is there.
    pub(crate) fn next_piece(&mut self) -> Option<RawEvent> {
        if self.chunk.is_empty() {
            return None;
        }
        if self.place == Position::BetweenEvents {
            let blank = self
                .chunk
                .iter()
                .take_while(|byte| is_terminator(**byte))
                .count();
            if blank > 0 {
                let bytes = self.chunk.split_to(blank);
                return Some(self.piece(bytes));
            }
            self.place = Position::InEvent;
        }
        match self.end_of_event() {
            Some(end) => Some(self.complete(end)),
            None => self.hold(),
        }
    }

    /// The offset in the chunk after the blank line that ends the event, of a CR LF only its CR.
    fn end_of_event(&mut self) -> Option<usize> {
        let mut at = 0;
        while let Some(byte) = self.chunk.get(at) {
            match (byte, self.line) {
                (b'\n', LineState::AfterCr) => {
                    self.line = LineState::Empty;
                    at += 1;
                }
                (b'\n' | b'\r', LineState::AfterCr | LineState::Empty) => return Some(at + 1),
                _ => {
                    let rest = self.chunk.get(at..).unwrap_or_default();
                    let Some(length) = memchr2(b'\n', b'\r', rest) else {
                        self.line = LineState::Started;
                        return None;
                    };
                    self.line = if rest.get(length) == Some(&b'\r') {
                        LineState::AfterCr
                    } else {
                        LineState::Empty
                    };
                    at += length + 1;
                }
            }
        }
        None
    }

    fn complete(&mut self, end: usize) -> RawEvent {
        if self.held.len().saturating_add(end) > self.max_event_bytes {
            self.place = Position::InOversizedEvent;
        }
        let is_cr = self.chunk.get(end.saturating_sub(1)) == Some(&b'\r');
        let line_feed = usize::from(is_cr && self.chunk.get(end) == Some(&b'\n'));
        let bytes = self.take(end + line_feed);
        let event = self.piece(bytes);
        self.place = Position::BetweenEvents;
        self.line = LineState::Empty;
        event
    }

    /// Keeps the chunk until the event's end comes, or gives it up if there is too much of it.
    fn hold(&mut self) -> Option<RawEvent> {
        if self.held.len().saturating_add(self.chunk.len()) > self.max_event_bytes {
            self.place = Position::InOversizedEvent;
        }
        if self.place == Position::InOversizedEvent {
            let bytes = self.take(self.chunk.len());
            return Some(self.piece(bytes));
        }
        self.held
            .extend_from_slice(&std::mem::take(&mut self.chunk));
        None
    }

    /// What is held and `length` bytes of the chunk, copied only if something is held.
    fn take(&mut self, length: usize) -> Bytes {
        let part = self.chunk.split_to(length);
        if self.held.is_empty() {
            return part;
        }
        self.held.extend_from_slice(&part);
        self.held.split().freeze()
    }

    fn piece(&mut self, bytes: Bytes) -> RawEvent {
        let is_first = std::mem::take(&mut self.at_start);
        RawEvent {
            bytes,
            is_first,
            is_oversized: self.place == Position::InOversizedEvent,
        }
    }
}

impl Iterator for Events<'_> {
    type Item = RawEvent;

    fn next(&mut self) -> Option<RawEvent> {
        self.splitter.next_piece()
    }
}

impl RawEvent {
    /// The values of the `data` fields, joined by LF. `None` for an event without any, for a
    /// comment and for a part of an event above the bound.
    pub fn data(&self) -> Option<Cow<'_, [u8]>> {
        if self.is_oversized {
            return None;
        }
        let mut rest: &[u8] = &self.bytes;
        if self.is_first {
            rest = rest.strip_prefix(BOM).unwrap_or(rest);
        }
        let mut data: Option<Cow<'_, [u8]>> = None;
        while !rest.is_empty() {
            let (line, after) = split_line(rest);
            rest = after;
            let Some(value) = data_field(line) else {
                continue;
            };
            match &mut data {
                None => data = Some(Cow::Borrowed(value)),
                Some(lines) => {
                    let lines = lines.to_mut();
                    lines.push(b'\n');
                    lines.extend_from_slice(value);
                }
            }
        }
        data
    }

    /// Whether this is a part of an event above the bound.
    pub(crate) fn is_oversized(&self) -> bool {
        self.is_oversized
    }
}

/// Whether a body whose first line that is not blank begins with `text` is a stream of events,
/// whatever its type is called. `None` as long as that cannot be told.
pub(crate) fn begins_stream(text: &[u8]) -> Option<bool> {
    const LONGEST: usize = 6;
    let text = text.get(..LONGEST).unwrap_or(text);
    let end = text
        .iter()
        .position(|byte| matches!(byte, b':' | b'\r' | b'\n'));
    match end.and_then(|end| text.split_at_checked(end)) {
        Some(([], rest)) => Some(rest.starts_with(b":")),
        Some((name, _)) => Some(FIELDS.contains(&name)),
        None if FIELDS.iter().any(|field| field.starts_with(text)) => None,
        None => Some(false),
    }
}

fn is_terminator(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// The first line without its terminator, and what comes after that. CR LF may be taken for two:
/// the line between them is blank.
fn split_line(text: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr2(b'\n', b'\r', text).unwrap_or(text.len());
    let (line, rest) = text.split_at_checked(end).unwrap_or((text, &[]));
    (line, rest.get(1..).unwrap_or_default())
}

/// The value if `line` is a `data` field.
fn data_field(line: &[u8]) -> Option<&[u8]> {
    let value = line.strip_prefix(b"data")?;
    if value.is_empty() {
        return Some(value);
    }
    let value = value.strip_prefix(b":")?;
    Some(value.strip_prefix(b" ").unwrap_or(value))
}

#[cfg(test)]
mod tests;
