//! How long a tenant's answers tend to be: the estimate for requests that set no maximum.
//!
//! What is learned raises the estimate and never lowers it below [`UNKNOWN`], or a tenant could
//! have many short answers first and then many long ones for which next to nothing is reserved.

use std::time::Duration;

use tokio::time::Instant;

/// The estimate without enough observations, and the least one, in tokens.
pub(super) const UNKNOWN: u64 = 500;
/// Observations kept.
const KEPT: usize = 64;
/// Fewer have no ninth decile.
const ENOUGH: usize = 10;
/// What was learned is forgotten after this time without an observation, so that an idle tenant's
/// entry can be evicted.
const FORGET_AFTER: Duration = Duration::from_secs(600);

/// A running 90th percentile of output tokens over the last 64 answers.
#[derive(Debug)]
pub(super) struct Outputs {
    /// A ring; its oldest element is at `next` once it is full.
    tokens: Vec<u32>,
    next: usize,
    p90: u64,
    last: Instant,
}

impl Outputs {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            tokens: Vec::new(),
            next: 0,
            p90: UNKNOWN,
            last: now,
        }
    }

    pub(super) fn is_stale(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.last) >= FORGET_AFTER
    }

    /// The estimate, in tokens.
    pub(super) fn expected(&self) -> u64 {
        self.p90.max(UNKNOWN)
    }

    pub(super) fn observe(&mut self, tokens: u64, now: Instant) {
        let tokens = u32::try_from(tokens).unwrap_or(u32::MAX);
        let leaves = self
            .tokens
            .get_mut(self.next)
            .map(|oldest| std::mem::replace(oldest, tokens));
        if leaves.is_none() {
            self.tokens.push(tokens);
        }
        self.next = (self.next + 1) % KEPT;
        self.last = now;
        // One that takes the place of another on the same side of the percentile does not move it.
        let side = |tokens: u32| u64::from(tokens).cmp(&self.p90);
        if leaves.is_none_or(|leaves| side(leaves) != side(tokens)) {
            self.p90 = p90(&self.tokens).unwrap_or(UNKNOWN);
        }
    }
}

/// The smallest observation that at least nine tenths do not exceed.
fn p90(tokens: &[u32]) -> Option<u64> {
    if tokens.len() < ENOUGH {
        return None;
    }
    let mut sorted = tokens.to_vec();
    let rank = (sorted.len() * 9).div_ceil(10) - 1;
    let (_, value, _) = sorted.select_nth_unstable(rank);
    Some(u64::from(*value))
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nine_of_ten_answers_are_at_most_as_long_as_expected() {
        let now = Instant::now();
        let mut outputs = Outputs::new(now);
        for tokens in 1..=9 {
            outputs.observe(tokens, now);
            assert_eq!(
                outputs.expected(),
                UNKNOWN,
                "nine observations have no ninth decile"
            );
        }
        outputs.observe(10, now);
        assert_eq!(outputs.p90, 9);
        assert_eq!(
            outputs.expected(),
            UNKNOWN,
            "what is learned lowers nothing"
        );
    }

    proptest! {
        #[test]
        fn the_estimate_is_that_of_the_last_answers_whatever_came_before(
            answers in vec(496_u64..505, 0..4 * KEPT)
        ) {
            let now = Instant::now();
            let mut outputs = Outputs::new(now);
            for (index, tokens) in answers.iter().enumerate() {
                outputs.observe(*tokens, now);
                let mut last: Vec<u64> = answers[(index + 1).saturating_sub(KEPT)..=index].to_vec();
                last.sort_unstable();
                let expected = if last.len() < ENOUGH { UNKNOWN } else { last[(last.len() * 9)
                    .div_ceil(10) - 1] };
                prop_assert_eq!(outputs.expected(), expected.max(UNKNOWN));
            }
        }
    }

    #[test]
    fn only_the_last_answers_count() {
        let now = Instant::now();
        let mut outputs = Outputs::new(now);
        for _ in 0..1000 {
            outputs.observe(7, now);
        }
        for _ in 0..KEPT {
            outputs.observe(1000, now);
        }
        assert_eq!(outputs.expected(), 1000);
        assert_eq!(outputs.tokens.len(), KEPT);
    }
}
