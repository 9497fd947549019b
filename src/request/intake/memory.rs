//! The memory that request bodies share, and each caller's part of it.

use std::fmt;
use std::sync::Arc;

use super::IntakeError;
use crate::admission::{ByteCount, Gate};
use crate::config::Bounds;
use crate::tenant::Principal;

/// What all request bodies in memory take. The bounds come with each request, so that a reload
/// changes them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Memory(Arc<ByteCount>);

/// A request's part of the memory, charged to its caller too. Given back when it is dropped.
pub(crate) struct Share {
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
    pub(crate) fn grow(&mut self, more: usize, bounds: &Bounds) -> Result<(), IntakeError> {
        let gates = self.principal.gates();
        for (index, gate) in gates.iter().enumerate() {
            if !gate.bodies().take(more, bounds.tenant_buffered_bytes) {
                give_back(gates.iter().take(index), more);
                return Err(IntakeError::TenantFull(bounds.tenant_buffered_bytes));
            }
        }
        if !self.memory.0.take(more, bounds.buffered_bytes) {
            give_back(gates, more);
            return Err(IntakeError::Overloaded);
        }
        self.bytes += more;
        Ok(())
    }
}

fn give_back<'a>(gates: impl IntoIterator<Item = &'a Arc<Gate>>, bytes: usize) {
    for gate in gates {
        gate.bodies().give_back(bytes);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.memory.0.give_back(self.bytes);
        give_back(self.principal.gates(), self.bytes);
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Share")
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}
