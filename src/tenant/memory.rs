//! The memory that all requests share, and each caller's part of it: for bodies, for what their
//! JSON becomes, and for the answers that a run works with.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hone_strategies::chat::{self, Held};

use super::Principal;
use crate::admission::{ByteCount, Gate};
use crate::config::Bounds;

/// What all requests hold together. The bounds come with each request, so that a reload changes
/// them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory(Arc<ByteCount>);

impl Memory {
    /// Bytes that all requests hold now.
    pub(crate) fn held(&self) -> usize {
        self.0.held()
    }
}

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

/// `bytes`, which hold `charge` until the last part of them is gone, wherever it is by then: a
/// connection to an upstream may have some of a request for longer than anybody waits for its
/// answer.
pub(crate) fn charged<C: Send + Sync + 'static>(bytes: Bytes, charge: &Arc<C>) -> Bytes {
    struct Charged<C> {
        bytes: Bytes,
        _charge: Arc<C>,
    }
    impl<C> AsRef<[u8]> for Charged<C> {
        fn as_ref(&self) -> &[u8] {
            &self.bytes
        }
    }
    if bytes.is_empty() {
        return bytes;
    }
    Bytes::from_owner(Charged {
        bytes,
        _charge: Arc::clone(charge),
    })
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
    share: Mutex<Share>,
    most: Most,
}

/// Bytes of a [`Room`], given back when this is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    room: Arc<Room>,
    bytes: usize,
}

impl Room {
    /// What `share` holds, and more as it is needed, up to `bounds`.
    pub(crate) fn new(share: Share, bounds: &Bounds) -> Arc<Self> {
        Arc::new(Self {
            share: Mutex::new(share),
            most: bounds.into(),
        })
    }

    fn share(&self) -> MutexGuard<'_, Share> {
        self.share.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `bytes` until the run's end.
    pub(crate) fn keep(&self, bytes: usize) -> Result<(), Full> {
        self.share().take(bytes, self.most)
    }

    /// Takes `bytes` for a while.
    pub(crate) fn take(self: &Arc<Self>, bytes: usize) -> Result<Taken, Full> {
        self.keep(bytes)?;
        Ok(Taken {
            room: Arc::clone(self),
            bytes,
        })
    }
}

/// The memory of a run's prompts.
#[derive(Debug)]
pub(crate) struct Prompts(pub(crate) Arc<Room>);

impl chat::Memory for Prompts {
    fn take(&self, bytes: usize) -> Option<Held> {
        let taken = self.0.take(bytes).ok()?;
        Some(Box::new(taken))
    }
}

impl Taken {
    /// What it has.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes more.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<(), Full> {
        self.room.keep(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Gives so much back.
    pub(crate) fn shrink(&mut self, bytes: usize) {
        let bytes = bytes.min(self.bytes);
        self.bytes -= bytes;
        self.room.share().shrink(bytes);
    }

    /// Leaves what was taken to the run, until its end.
    pub(crate) fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.room.share().shrink(self.bytes);
    }
}
