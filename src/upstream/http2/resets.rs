//! How many requests may be taken back on one connection.
//!
//! A server takes a request that is reset before it was answered for the beginning of a flood
//! (CVE-2023-44487), and ends the connection, with everybody's streams, when there are too many:
//! h2, under hyper and other hones, at 20 that it has not begun to serve; Envoy when of 500 streams
//! half were; others at some hundred a minute. One caller must not do that to the others.
//!
//! So a connection has an account. It begins with [`MOST`] = 8, a reset takes one from it, and an
//! answer gives a quarter back, up to 8 again, but only the answer to a stream that was begun after
//! the last reset: streams are begun and served in order, so that with its answer all that were
//! reset before have been seen. By that at most 8 < 20 resets are ever under way that the server
//! may have yet to see, however long it sleeps, and of n streams that are answered there are at
//! most 8 + n/4 that were not: a fifth, where half is too much.
//!
//! A stream that may not be reset runs on, keeping its place and its caller's turn in the queue,
//! until the account allows it, its answer begins, which makes its reset an ordinary one, or only
//! such streams are left on the connection. Then that is closed as it is.

/// Resets of unanswered streams at once.
const MOST: u32 = 8;
/// Answers that make up for one.
const ANSWERS: u32 = 4;

/// The account of one connection.
#[derive(Debug)]
pub(super) struct Resets {
    /// Streams so far.
    begun: u64,
    /// How many there were at the last reset.
    then: u64,
    /// In answers, of which each reset takes [`ANSWERS`].
    left: u32,
}

impl Default for Resets {
    fn default() -> Self {
        Self {
            begun: 0,
            then: 0,
            left: MOST * ANSWERS,
        }
    }
}

impl Resets {
    /// Numbers another stream.
    pub(super) fn begin(&mut self) -> u64 {
        self.begun += 1;
        self.begun
    }

    /// A stream is answered. Whether there may be a reset that there might not have been.
    pub(super) fn answered(&mut self, stream: u64) -> bool {
        if stream <= self.then || self.left >= MOST * ANSWERS {
            return false;
        }
        self.left += 1;
        self.left.is_multiple_of(ANSWERS)
    }

    /// Takes a reset, if there is one left.
    pub(super) fn take(&mut self) -> bool {
        let Some(left) = self.left.checked_sub(ANSWERS) else {
            return false;
        };
        self.left = left;
        self.then = self.begun;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(resets: &mut Resets) -> u32 {
        (0..1000).map(|_| u32::from(resets.take())).sum()
    }

    #[test]
    fn answers_to_what_was_begun_since_make_up_for_resets() {
        let mut resets = Resets::default();
        let before = resets.begin();
        assert_eq!(taken(&mut resets), MOST);
        for _ in 0..100 {
            assert!(!resets.answered(before));
        }
        assert_eq!(taken(&mut resets), 0, "it may not have seen one of them");
        let mut news = 0;
        for _ in 0..2 * ANSWERS {
            let stream = resets.begin();
            news += u32::from(resets.answered(stream));
        }
        assert_eq!((news, taken(&mut resets)), (2, 2));
    }

    #[test]
    fn no_more_are_saved_than_there_were() {
        let mut resets = Resets::default();
        for _ in 0..1000 {
            let stream = resets.begin();
            assert!(!resets.answered(stream));
        }
        assert_eq!(taken(&mut resets), MOST);
    }
}
