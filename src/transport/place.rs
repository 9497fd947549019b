//! The places of requests over HTTP/2.
//!
//! What hone may hold for its clients is counted for connections with one request each, and a
//! client may have [`STREAMS`](super::windows::STREAMS) requests on one. So one request at a time
//! goes with its connection, and each other one takes the place of another connection. It has it
//! until the client's socket has taken all of its answer: what h2 has yet to write holds it, too,
//! or answers that nobody reads would gather there without a bound.

use std::any::Any;
use std::sync::Arc;

use bytes::Bytes;

/// A place, given back with the last clone and the last bytes that hold it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    _held: Arc<dyn Any + Send + Sync>,
}

impl Place {
    /// The place that is given back when `held` is dropped.
    pub(super) fn new(held: impl Any + Send + Sync) -> Self {
        Self {
            _held: Arc::new(held),
        }
    }

    /// `bytes`, which hold the place until they are written. Of each chunk: a short last one may be
    /// part of a large buffer.
    pub(super) fn held_by(&self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Holding {
            bytes,
            _place: self.clone(),
        })
    }
}

struct Holding {
    bytes: Bytes,
    _place: Place,
}

impl AsRef<[u8]> for Holding {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_held_by_all_parts_of_what_is_not_written() {
        let held = Arc::new(());
        let place = Place::new(Arc::clone(&held));
        let mut unwritten = place.held_by(Bytes::from_static(b"answer"));
        drop(place);
        drop(unwritten.split_to(3));
        assert_eq!((Arc::strong_count(&held), &unwritten[..]), (2, &b"wer"[..]));
        drop(unwritten);
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
