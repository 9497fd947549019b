//! The events of a stream, by their ends.

use std::sync::Arc;

use tokio::time::Instant;

use crate::tally::Times;

/// Counts events as they arrive, and when.
#[derive(Debug)]
pub(crate) struct Events {
    asked: Instant,
    last: Option<Instant>,
    /// What a stream says when it is complete.
    mark: Arc<str>,
    is_complete: bool,
    tail: Vec<u8>,
    pub(crate) count: u64,
    pub(crate) first: Times,
    pub(crate) gaps: Times,
}

impl Events {
    /// A stream that is asked for now, and is complete once it has said `mark`.
    pub(crate) fn new(mark: &Arc<str>) -> Self {
        Self {
            asked: Instant::now(),
            last: None,
            mark: Arc::clone(mark),
            is_complete: false,
            tail: Vec::new(),
            count: 0,
            first: Times::default(),
            gaps: Times::default(),
        }
    }

    /// Takes the next piece of the stream, which has just arrived. Events that arrive together have
    /// no time between them.
    pub(crate) fn take(&mut self, bytes: &[u8]) {
        let split = self.tail.last() == Some(&b'\n') && bytes.first() == Some(&b'\n');
        let ends = memchr::memmem::find_iter(bytes, b"\n\n").count() + usize::from(split);
        self.look_for_mark(bytes);
        let mut now = None;
        for _ in 0..ends {
            let now = *now.get_or_insert_with(Instant::now);
            match self.last {
                None => self.first.push(now - self.asked),
                Some(last) => self.gaps.push(now - last),
            }
            self.last = Some(now);
            self.count += 1;
        }
    }

    /// Whether the stream said that it was complete.
    pub(crate) fn complete(&self) -> bool {
        self.is_complete
    }

    /// Looks for the mark in `bytes`, and where it may have been cut.
    fn look_for_mark(&mut self, bytes: &[u8]) {
        let mark = self.mark.as_bytes();
        let rest = mark.len().saturating_sub(1);
        let head = bytes.get(..rest.min(bytes.len())).unwrap_or_default();
        self.tail.extend_from_slice(head);
        let is_cut = memchr::memmem::find(&self.tail, mark).is_some();
        self.is_complete |= is_cut || memchr::memmem::find(bytes, mark).is_some();
        let tail = bytes.get(head.len()..).unwrap_or_default();
        let tail = tail.get(tail.len().saturating_sub(rest)..);
        self.tail.extend_from_slice(tail.unwrap_or_default());
        self.tail.drain(..self.tail.len().saturating_sub(rest));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events() -> Events {
        Events::new(&Arc::from("data: [DONE]\n\n"))
    }

    const STREAM: &[u8] = b"data: {\"a\":1}\n\ndata: x\n\n: note\n\ndata: [DONE]\n\n";

    proptest! {
        #[test]
        fn events_are_counted_however_they_are_cut(sizes in prop::collection::vec(1_usize..9,
            1..60)) {
            let (mut events, mut left) = (events(), STREAM);
            for size in sizes.into_iter().chain([usize::MAX]) {
                let (piece, rest) = left.split_at(size.min(left.len()));
                events.take(piece);
                left = rest;
            }
            prop_assert_eq!((events.count, events.first.len(), events.gaps.len(),
                events.complete()), (4, 1, 3, true));
        }
    }

    #[test]
    fn a_stream_without_its_end_is_not_complete() {
        let mut events = events();
        events.take(b"data: [DONE]\n");
        assert!(!events.complete());
        assert_eq!(events.count, 0);
    }
}
