//! The memory that all requests share, and each caller's part of it: for bodies, for what their
//! JSON becomes, and for the answers that a run works with.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::Principal;
use crate::admission::{ByteCount, Gate};
use crate::config::Bounds;

/// What all requests hold together. The bounds come with each request, so that a reload changes
/// them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory(Arc<ByteCount>);

/// Why there is no memory for something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Full {
    /// All requests together hold as much as they may.
    #[error("the memory for requests is full")]
    All,
    /// The caller's requests hold as much as they may.
    #[error("the caller's requests hold more than {0} bytes")]
    Tenant(usize),
}

/// How much may be held, in bytes.
#[derive(Debug, Clone, Copy)]
struct Most {
    all: usize,
    tenant: usize,
}

impl From<&Bounds> for Most {
    fn from(bounds: &Bounds) -> Self {
        Self {
            all: bounds.buffered_bytes,
            tenant: bounds.tenant_buffered_bytes,
        }
    }
}

/// A request's part of the memory, charged to its caller too. Given back when it is dropped.
pub struct Share {
    memory: Memory,
    principal: Principal,
    bytes: usize,
}

impl Share {
    /// Nothing yet, for a request of `principal`.
    pub(crate) fn new(memory: &Memory, principal: &Principal) -> Self {
        Self {
            memory: memory.clone(),
            principal: principal.clone(),
            bytes: 0,
        }
    }

    /// What is held.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes `more` bytes: from the caller's part first (and from its address's, until its key is
    /// vouched for), then from what all share.
    ///
    /// # Errors
    ///
    /// When either is used up; then nothing has been taken.
    pub(crate) fn grow(&mut self, more: usize, bounds: &Bounds) -> Result<(), Full> {
        self.take(more, bounds.into())
    }

    fn take(&mut self, more: usize, most: Most) -> Result<(), Full> {
        let gates = self.principal.gates();
        for (index, gate) in gates.iter().enumerate() {
            if !gate.bodies().take(more, most.tenant) {
                give_back(gates.iter().take(index), more);
                return Err(Full::Tenant(most.tenant));
            }
        }
        if !self.memory.0.take(more, most.all) {
            give_back(gates, more);
            return Err(Full::All);
        }
        self.bytes += more;
        Ok(())
    }

    fn shrink(&mut self, less: usize) {
        let less = less.min(self.bytes);
        self.bytes -= less;
        self.memory.0.give_back(less);
        give_back(self.principal.gates(), less);
    }
}

fn give_back<'a>(gates: impl IntoIterator<Item = &'a Arc<Gate>>, bytes: usize) {
    for gate in gates {
        gate.bodies().give_back(bytes);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.shrink(self.bytes);
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

/// What one run holds beside its request's body: the request as a tree, the answers to its calls
/// for as long as it lasts, and the bodies of the calls under way. Shared by what does the calls.
#[derive(Debug)]
pub struct Room {
    held: Mutex<Held>,
    most: Most,
    /// Where the client's body is, of which a call may send a part.
    body: Range<usize>,
}

#[derive(Debug)]
struct Held {
    share: Share,
    /// Of each piece that several calls send at once: where it is, and how many send it.
    pieces: Vec<(usize, usize)>,
}

/// Bytes of a [`Room`], given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    room: Arc<Room>,
    bytes: usize,
    /// The piece that they are for. Held, so that no other one can be at its place.
    piece: Option<Bytes>,
}

impl Room {
    /// What `share` holds, which is `body`, and more as it is needed, up to `bounds`.
    pub(crate) fn new(share: Share, body: &Bytes, bounds: &Bounds) -> Arc<Self> {
        let held = Held {
            share,
            pieces: Vec::new(),
        };
        Arc::new(Self {
            held: Mutex::new(held),
            most: bounds.into(),
            body: span(body),
        })
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `bytes` until the run's end.
    pub(crate) fn keep(&self, bytes: usize) -> Result<(), Full> {
        self.held().share.take(bytes, self.most)
    }

    /// Takes `bytes` for a while.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Result<Taken, Full> {
        self.keep(bytes)?;
        Ok(Taken {
            room: Arc::clone(self),
            bytes,
            piece: None,
        })
    }

    /// Takes memory for `piece` of a call's body while it is sent, and for what it was made from:
    /// once, however many calls send the same one.
    pub(crate) fn send(self: &Arc<Self>, piece: &Bytes) -> Result<Taken, Full> {
        let at = piece.as_ptr().addr();
        if piece.is_empty() || self.body.contains(&at) {
            return self.take(0);
        }
        let mut held = self.held();
        if let Some((_, calls)) = held.pieces.iter_mut().find(|(other, _)| *other == at) {
            *calls += 1;
        } else {
            held.share.take(piece.len().saturating_mul(2), self.most)?;
            held.pieces.push((at, 1));
        }
        Ok(Taken {
            room: Arc::clone(self),
            bytes: piece.len().saturating_mul(2),
            piece: Some(piece.clone()),
        })
    }
}

fn span(bytes: &Bytes) -> Range<usize> {
    let start = bytes.as_ptr().addr();
    start..start.saturating_add(bytes.len())
}

impl Taken {
    /// Takes more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        self.room.keep(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Leaves what was taken to the run, until its end.
    pub(crate) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        let mut held = self.room.held();
        if let Some(piece) = &self.piece {
            let at = piece.as_ptr().addr();
            let Some(index) = held.pieces.iter().position(|(other, _)| *other == at) else {
                return;
            };
            if let Some((_, calls)) = held.pieces.get_mut(index) {
                *calls -= 1;
                if *calls > 0 {
                    return;
                }
            }
            held.pieces.swap_remove(index);
        }
        held.share.shrink(self.bytes);
    }
}
