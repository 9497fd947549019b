//! The messages of a request, which requests made from it share.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::chat::Message;
use crate::chat::memory::{Held, Ledger, json_length};

/// Messages, and what they look like on the wire once somebody wanted to know.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub(super) messages: Vec<Message>,
    json: OnceLock<Bytes>,
    /// Their memory, which what is sent holds too.
    held: Option<Arc<Held>>,
    /// Whether there was no memory for the messages, and so there are none.
    pub(super) is_lost: bool,
}

impl PartialEq for Conversation {
    fn eq(&self, other: &Self) -> bool {
        self.messages == other.messages
    }
}

impl Conversation {
    pub(super) fn new(messages: Vec<Message>) -> Arc<Self> {
        Arc::new(Self {
            messages,
            ..Self::default()
        })
    }

    /// Messages that take their memory from `ledger`.
    pub(super) fn counted(messages: Vec<Message>, ledger: &Ledger) -> Arc<Self> {
        match ledger.take(&messages) {
            Ok(held) => Arc::new(Self {
                messages,
                held: held.map(Arc::new),
                ..Self::default()
            }),
            Err(_no_memory) => Arc::new(Self {
                is_lost: true,
                ..Self::default()
            }),
        }
    }

    /// Messages as their sender wrote them, and as they will be sent.
    pub(super) fn written(messages: Vec<Message>, json: Bytes) -> Arc<Self> {
        Arc::new(Self {
            messages,
            json: OnceLock::from(json),
            ..Self::default()
        })
    }

    pub(super) fn to_json(&self) -> Bytes {
        let write = || {
            // In the room that was taken for it. A text that grows would take twice that, and more
            // while it moves.
            let room = self
                .messages
                .iter()
                .map(|message| json_length(message.as_value()));
            let mut json = Vec::with_capacity(2 + room.sum::<usize>());
            json.push(b'[');
            for (index, message) in self.messages.iter().enumerate() {
                if index > 0 {
                    json.push(b',');
                }
                // Of a value of JSON nothing fails into memory.
                let _written = serde_json::to_writer(&mut json, message.as_value());
            }
            json.push(b']');
            match &self.held {
                Some(held) => Bytes::from_owner(Sent(json, Arc::clone(held))),
                None => Bytes::from(json),
            }
        };
        self.json.get_or_init(write).clone()
    }
}

/// JSON of messages, and their memory, for as long as anybody sends it.
struct Sent(
    Vec<u8>,
    #[expect(dead_code, reason = "held, not read")] Arc<Held>,
);

impl AsRef<[u8]> for Sent {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::chat::{ChatRequest, Memory};

    /// What is left, and who gives it back.
    #[derive(Clone)]
    struct Left(Arc<AtomicUsize>);

    struct Taken(Left, usize);

    impl Left {
        fn bytes(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    impl Drop for Taken {
        fn drop(&mut self) {
            self.0.0.fetch_add(self.1, Ordering::Relaxed);
        }
    }

    impl Memory for Left {
        fn take(&self, bytes: usize) -> Option<Held> {
            let left = self.bytes().checked_sub(bytes)?;
            self.0.store(left, Ordering::Relaxed);
            Some(Box::new(Taken(self.clone(), bytes)))
        }
    }

    fn counted(left: &Left) -> ChatRequest {
        let own = Message::user("x".repeat(100_000));
        ChatRequest::new("m", [own]).counted_in(Arc::new(left.clone()))
    }

    #[test]
    fn what_is_made_of_answers_is_counted_until_nobody_sends_it() {
        let left = Left(Arc::new(AtomicUsize::new(1_000_000)));
        let request = counted(&left);
        assert_eq!(
            left.bytes(),
            1_000_000,
            "the client's own is counted elsewhere"
        );
        let own = request.messages()[0].clone();
        let prompt = request.with_messages([own, Message::user("y".repeat(200_000))]);
        let piece = prompt.to_segments().pieces.swap_remove(1);
        let taken = 1_000_000 - left.bytes();
        assert!((500_000..520_000).contains(&taken), "{taken}");
        assert!(taken >= piece.len() + 200_000);
        drop((request, prompt));
        assert_eq!(left.bytes(), 1_000_000 - taken, "it is being sent");
        drop(piece);
        assert_eq!(left.bytes(), 1_000_000);
    }

    #[test]
    fn a_conversation_without_memory_is_lost_and_holds_nothing() {
        let left = Left(Arc::new(AtomicUsize::new(300_000)));
        let prompt = counted(&left).with_messages([Message::user("y".repeat(200_000))]);
        assert!(prompt.is_lost() && prompt.messages().is_empty());
        assert_eq!(left.bytes(), 300_000);
        assert!(!prompt.with_messages([Message::user("short")]).is_lost());
    }
}
