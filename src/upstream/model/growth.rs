//! What a run may hold of an answer that comes bit by bit.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use hone_strategies::ModelError;
use hone_strategies::chat::{Chunk, Kept, Said, weight};

use super::{no_room, unread};
use crate::tenant::{Room, Taken};

/// Events below this are parsed without asking whether there is memory for it.
const SMALL_EVENT: usize = 4096;
/// So much of an answer may have come before its memory is taken.
const STEP: usize = 16 * 1024;
/// So often what has come is held: in the answer that it adds up to, in the events that wait for
/// the client, in what the run makes of it.
const TIMES: usize = 3;

/// What a streamed answer adds up to: the run may hold all of it, however slowly its client reads.
pub(super) struct Growth {
    /// `None` where nobody's memory is used: one answer at a time, for the operator.
    room: Option<Arc<Room>>,
    /// Of the whole answer.
    most: usize,
    kept: Kept,
    bytes: usize,
    /// Bytes whose memory has not been taken yet.
    owed: usize,
    /// The memory of the longest event of which only a part had come.
    event: Option<Taken>,
}

impl Growth {
    /// Nothing yet, of at most `most` bytes.
    pub(super) fn new(room: Option<&Arc<Room>>, most: usize) -> Self {
        Self {
            room: room.map(Arc::clone),
            most,
            kept: Kept::default(),
            bytes: 0,
            owed: 0,
            event: None,
        }
    }

    /// Only the beginning of the next event is there, of so many bytes.
    pub(super) fn begun(&mut self, bytes: usize) -> Result<(), ModelError> {
        // What is full moves to twice the room. A short one is part of the call's buffers.
        let wanted = bytes.saturating_mul(2);
        if wanted <= STEP {
            return Ok(());
        }
        let Some(room) = &self.room else {
            return Ok(());
        };
        let taken = match &mut self.event {
            Some(taken) => taken,
            none => none.insert(room.take(0).map_err(no_room)?),
        };
        let more = wanted.saturating_sub(taken.bytes());
        taken.grow(more).map_err(no_room)
    }

    /// Takes `bytes` in all for reading an event, beside what `taken` has.
    pub(super) fn parsing(
        &self,
        taken: &mut Option<Taken>,
        bytes: usize,
    ) -> Result<(), ModelError> {
        let Some(room) = &self.room else {
            return Ok(());
        };
        let taken = match taken {
            Some(taken) => taken,
            none => none.insert(room.take(0).map_err(no_room)?),
        };
        let more = bytes.saturating_sub(taken.bytes());
        taken.grow(more).map_err(no_room)
    }

    /// Reads an event's data.
    pub(super) fn read(&mut self, data: &[u8]) -> Result<Said, ModelError> {
        let _parsing = match &self.room {
            Some(room) if data.len() > SMALL_EVENT => {
                Some(room.take(weight(data)).map_err(no_room)?)
            }
            _ => None,
        };
        let said = Said::read(data).map_err(unread)?;
        if let Said::Chunk(chunk) = &said {
            self.add(chunk)?;
        }
        Ok(said)
    }

    /// Takes the memory of what `chunk` adds.
    pub(super) fn add(&mut self, chunk: &Chunk) -> Result<(), ModelError> {
        let more = self.kept.add(chunk);
        self.bytes = self.bytes.saturating_add(more);
        self.owed = self.owed.saturating_add(more.saturating_mul(TIMES));
        if self.bytes > self.most {
            return Err(too_large(self.most));
        }
        if self.owed > STEP
            && let Some(room) = &self.room
        {
            room.keep(self.owed).map_err(no_room)?;
            self.owed = 0;
        }
        Ok(())
    }

    /// A document of which nothing has come, of the same bound.
    pub(super) fn document(&self) -> Result<Document, ModelError> {
        Ok(Document {
            bytes: BytesMut::new(),
            taken: match &self.room {
                Some(room) => Some(room.take(0).map_err(no_room)?),
                None => None,
            },
            most: self.most,
        })
    }
}

/// A document as far as it has come, with its memory.
pub(super) struct Document {
    bytes: BytesMut,
    taken: Option<Taken>,
    most: usize,
}

impl Document {
    /// Adds what came.
    pub(super) fn push(&mut self, data: &[u8]) -> Result<(), ModelError> {
        if self.bytes.len().saturating_add(data.len()) > self.most {
            return Err(too_large(self.most));
        }
        // What is full moves to twice the room.
        if let Some(taken) = &mut self.taken {
            taken.grow(data.len().saturating_mul(2)).map_err(no_room)?;
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// All of it.
    pub(super) fn finish(self) -> (Bytes, Option<Taken>) {
        (self.bytes.freeze(), self.taken)
    }
}

fn too_large(most: usize) -> ModelError {
    ModelError::Malformed {
        detail: format!("the answer is larger than {most} bytes"),
    }
}
