//! An answer in another dialect than chat, read by its codec as it comes.

use std::collections::VecDeque;

use bytes::Bytes;
use hone_dialects::stops::Guard;
use hone_dialects::tables::errors;
use hone_dialects::{ErrorReply, Event, StreamDecoder, codec};
use hone_strategies::ModelError;
use hone_strategies::chat::{Completion, Failure};

use super::malformed;
use super::rejection::failed;
use super::speech::Foreign;

/// So much is read at once: what short events say takes many times their bytes.
const PIECE: usize = 1024;

/// A stream as far as it has been read.
pub(super) struct Coded {
    decoder: Box<dyn StreamDecoder>,
    guard: Option<Guard>,
    /// What has come and has not been read.
    unread: Bytes,
    /// What was read and has not been told.
    ready: VecDeque<Event>,
    /// Bytes read since the last event.
    held: usize,
    is_at_end: bool,
}

impl Coded {
    pub(super) fn new(foreign: Foreign) -> Self {
        Self {
            decoder: codec(foreign.dialect).stream_decoder(foreign.source),
            guard: foreign.guard,
            unread: Bytes::new(),
            ready: VecDeque::new(),
            held: 0,
            is_at_end: false,
        }
    }

    /// Adds what came. All that came before must have been read.
    pub(super) fn add(&mut self, data: Bytes) {
        if self.unread.is_empty() {
            self.unread = data;
        } else {
            self.unread = Bytes::from([&*self.unread, &*data].concat());
        }
    }

    /// Nothing more will come.
    pub(super) fn finish(&mut self) {
        while !self.unread.is_empty() {
            self.read();
        }
        let events = self.decoder.finish();
        self.tell(events);
        self.is_at_end = true;
    }

    /// The next event that has come whole.
    pub(super) fn next(&mut self) -> Option<Event> {
        while self.ready.is_empty() && !self.unread.is_empty() {
            self.read();
        }
        self.ready.pop_front()
    }

    /// Bytes of an event of which only the beginning has come.
    pub(super) fn held_bytes(&self) -> usize {
        self.held
    }

    /// Whether all that the client wanted has been told, whatever else comes.
    pub(super) fn is_over(&self) -> bool {
        self.ready.is_empty() && self.guard.as_ref().is_some_and(Guard::is_over)
    }

    /// Whether the body has ended and all of it has been told.
    pub(super) fn is_at_end(&self) -> bool {
        self.is_at_end && self.ready.is_empty()
    }

    fn read(&mut self) {
        let piece = self.unread.split_to(self.unread.len().min(PIECE));
        self.held = self.held.saturating_add(piece.len());
        let events = self.decoder.push(&piece);
        if !events.is_empty() {
            self.held = 0;
        }
        self.tell(events);
    }

    fn tell(&mut self, events: Vec<Event>) {
        let events = match &mut self.guard {
            Some(guard) => guard.push(events),
            None => events,
        };
        self.ready.extend(events);
    }
}

/// Reads a whole answer.
pub(super) fn document(
    foreign: &Foreign,
    body: &[u8],
    is_operators: bool,
) -> Result<Completion, ModelError> {
    let answer = codec(foreign.dialect).decode_answer(body, &foreign.source);
    let mut answer = answer.map_err(|error| told(&error, is_operators))?;
    if let Some(guard) = &foreign.guard {
        guard.whole(&mut answer);
    }
    Ok(answer)
}

/// What an upstream tells in place of an answer, or what is wrong with its answer.
pub(super) fn told(error: &ErrorReply, is_operators: bool) -> ModelError {
    const UNREADABLE: [&str; 3] = [
        "upstream_malformed",
        "upstream_truncated",
        "malformed_tool_call",
    ];
    if error
        .code
        .as_deref()
        .is_some_and(|code| UNREADABLE.contains(&code))
    {
        return malformed(error.message.clone());
    }
    let body = errors::openai(error).to_string();
    let failure = Failure {
        status: error.status,
        body: Bytes::from(body),
    };
    failed(failure, is_operators)
}
