//! An answer in another dialect than chat, read by its codec as it comes.

use std::vec;

use bytes::Bytes;
use hone_dialects::stops::Guard;
use hone_dialects::tables::errors;
use hone_dialects::{ErrorReply, Event, StreamDecoder, codec};
use hone_strategies::ModelError;
use hone_strategies::chat::{Completion, Failure, Weighing};

use super::growth::Growth;
use super::malformed;
use super::rejection::failed;
use super::speech::Foreign;
use crate::tenant::Taken;

/// So much is read at once: what short events say takes many times their bytes.
const PIECE: usize = 1024;

/// Events below this are read without asking whether there is memory for it.
const SMALL_EVENT: usize = 4096;
/// What an event says is held by its tree and by what a codec makes of it.
const TIMES: usize = 2;

/// A stream as far as it has been read.
pub(super) struct Coded {
    decoder: Box<dyn StreamDecoder>,
    guard: Option<Guard>,
    /// What has come and has not been read.
    unread: Bytes,
    /// What was read and has not been told.
    ready: vec::IntoIter<Event>,
    begun: Begun,
    is_at_end: bool,
}

/// The beginning of an event of which the rest has not come.
#[derive(Default)]
struct Begun {
    bytes: usize,
    /// As long as it is small, what has come of it.
    pieces: Vec<Bytes>,
    /// Once it is not, what that takes as a tree, and its memory.
    weighing: Option<Weighing>,
    parsing: Option<Taken>,
}

impl Coded {
    pub(super) fn new(foreign: Foreign) -> Self {
        Self {
            decoder: codec(foreign.dialect).stream_decoder(foreign.source),
            guard: foreign.guard,
            unread: Bytes::new(),
            ready: Vec::new().into_iter(),
            begun: Begun::default(),
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
        let events = self.decoder.finish();
        self.tell(events);
        self.is_at_end = true;
    }

    /// The next event that has come whole. Takes the memory of reading a large one from `growth`.
    ///
    /// # Errors
    ///
    /// [`ModelError::NoRoom`].
    pub(super) fn next(&mut self, growth: &mut Growth) -> Result<Option<Event>, ModelError> {
        while self.ready.as_slice().is_empty() && !self.unread.is_empty() {
            self.read(growth)?;
        }
        let next = self.ready.next();
        if self.ready.as_slice().is_empty() {
            // A silent stream holds no room for events.
            self.ready = Vec::new().into_iter();
        }
        Ok(next)
    }

    /// Whether all that the client wanted has been told, whatever else comes.
    pub(super) fn is_over(&self) -> bool {
        self.ready.as_slice().is_empty() && self.guard.as_ref().is_some_and(Guard::is_over)
    }

    /// Whether the body has ended and all of it has been told.
    pub(super) fn is_at_end(&self) -> bool {
        self.is_at_end && self.ready.as_slice().is_empty()
    }

    fn read(&mut self, growth: &mut Growth) -> Result<(), ModelError> {
        let piece = self.unread.split_to(self.unread.len().min(PIECE));
        self.begun.add(&piece, growth)?;
        let events = self.decoder.push(&piece);
        if !events.is_empty() {
            self.begun = Begun::default();
        }
        self.tell(events);
        Ok(())
    }

    fn tell(&mut self, events: Vec<Event>) {
        let events = match &mut self.guard {
            Some(guard) => guard.push(events),
            None => events,
        };
        let mut ready: Vec<Event> = std::mem::take(&mut self.ready).collect();
        ready.extend(events);
        self.ready = ready.into_iter();
    }
}

impl Begun {
    /// Takes the memory of reading `piece` behind what has come, before that is done.
    fn add(&mut self, piece: &Bytes, growth: &mut Growth) -> Result<(), ModelError> {
        self.bytes = self.bytes.saturating_add(piece.len());
        if self.bytes <= SMALL_EVENT {
            self.pieces.push(piece.clone());
            return Ok(());
        }
        growth.begun(self.bytes)?;
        let weighing = self.weighing.get_or_insert_default();
        for earlier in self.pieces.drain(..) {
            weighing.push(&earlier);
        }
        let weight = weighing.push(piece).saturating_mul(TIMES);
        growth.parsing(&mut self.parsing, weight)
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
