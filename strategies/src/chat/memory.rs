//! What the prompts of a run may take in memory.
//!
//! A strategy makes prompts from answers, and each may hold a megabyte of them, many at once. So
//! every conversation that is made from the client's takes its memory before it is kept. One for
//! which there is none stays empty, and the call that would send it fails.

use std::any::Any;
use std::sync::Arc;

use serde_json::Value;

use super::message::Message;
use super::weight::tree_bytes;

/// Memory that is counted by the application that embeds this crate.
pub trait Memory: Send + Sync {
    /// Takes `bytes` until what it gives is dropped; nothing if there are not so many.
    fn take(&self, bytes: usize) -> Option<Held>;
}

/// Memory that has been taken. Dropping it gives it back.
pub type Held = Box<dyn Any + Send + Sync>;

/// Where a request's conversations take their memory, if anywhere.
#[derive(Clone, Default)]
pub(super) struct Ledger(Option<Arc<Counted>>);

struct Counted {
    memory: Arc<dyn Memory>,
    /// Whose memory is counted elsewhere.
    own: Vec<Message>,
}

impl Ledger {
    /// Counts in `memory` all that is made beside the messages of the client's `own`.
    pub(super) fn new(memory: Arc<dyn Memory>, own: &[Message]) -> Self {
        let own = own.to_vec();
        Self(Some(Arc::new(Counted { memory, own })))
    }

    /// Takes the memory of `messages` and of their JSON. `Err` if there is none.
    pub(super) fn take(&self, messages: &[Message]) -> Result<Option<Held>, NoMemory> {
        let Some(Counted { memory, own }) = self.0.as_deref() else {
            return Ok(None);
        };
        let mut own = own.iter();
        let mut bytes = 0_usize;
        for message in messages {
            // Those that are the client's own stand in their order.
            let mut later = own.clone();
            if later.any(|own| own.is_same(message)) {
                own = later;
            } else {
                bytes = bytes.saturating_add(tree_bytes(message.as_value()));
            }
            bytes = bytes.saturating_add(json_length(message.as_value()));
        }
        memory.take(bytes).map(Some).ok_or(NoMemory)
    }
}

/// There is no memory for a conversation.
pub(super) struct NoMemory;

impl std::fmt::Debug for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ledger")
    }
}

/// The length of `value` as JSON, with the comma behind it.
pub(crate) fn json_length(value: &Value) -> usize {
    struct Length(usize);

    impl std::io::Write for Length {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0 = self.0.saturating_add(bytes.len());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    let mut length = Length(1);
    // A value can be written, and a count can take it.
    drop(serde_json::to_writer(&mut length, value));
    length.0
}
