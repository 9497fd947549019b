//! A count of bytes in memory, against a bound that may change between two requests.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Bytes that are held now. One atomic number: a request's body is charged without a lock.
#[derive(Debug, Default)]
pub(crate) struct ByteCount(AtomicUsize);

impl ByteCount {
    /// Adds `bytes` if the sum stays within `most`. A bound that has become smaller than what is
    /// held lets nothing more in.
    #[must_use]
    pub(crate) fn take(&self, bytes: usize, most: usize) -> bool {
        let add = |held: usize| held.checked_add(bytes).filter(|sum| *sum <= most);
        self.0
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .is_ok()
    }

    /// What is held now.
    pub(crate) fn held(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Gives back what was taken.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_held_than_the_bound_of_the_moment() {
        let count = ByteCount::default();
        assert!(count.take(6, 10) && count.take(4, 10));
        assert!(!count.take(1, 10) && !count.take(usize::MAX, usize::MAX));
        assert!(count.take(1, 11), "a bound may grow");
        assert!(!count.take(1, 5), "or shrink below what is held");
        count.give_back(11);
        assert!(count.take(5, 5));
    }
}
