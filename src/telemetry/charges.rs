//! What callers were charged for upstream calls, and on what grounds: the sum that must agree with
//! the providers' bills.
//!
//! Counted without a look at the recorder, and told to it when somebody asks.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics::{counter, describe_counter};

const CALLS: &str = "hone_charged_calls_total";
const TOKENS: &str = "hone_charged_tokens_total";

static PROCESS: ChargeTotals = ChargeTotals::new();

/// Why a call was charged what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// Its answer ended: what the provider reported, else what was counted in it.
    Settled,
    /// It was cut off: its input, and what had been seen of its output.
    Streamed,
    /// It was cut off, given up or tried again, or ended without a word of its usage: what it was
    /// expected to use, since no more was seen.
    Estimated,
    /// It never reached the provider: nothing.
    NeverSent,
}

impl Basis {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Settled, "settled"),
        (Self::Streamed, "streamed"),
        (Self::Estimated, "estimated"),
        (Self::NeverSent, "never_sent"),
    ];
}

/// One call was charged `tokens`.
pub(crate) fn charged(basis: Basis, tokens: u64) {
    PROCESS.add(basis, tokens);
}

/// Tells the recorder what each metric is.
pub(super) fn describe() {
    describe_counter!(
        CALLS,
        "Upstream calls that are over, by what they were charged for."
    );
    describe_counter!(
        TOKENS,
        "Tokens, input and output, that callers were charged for upstream calls."
    );
}

/// Tells the recorder how many there are.
pub(super) fn report() {
    for (basis, name) in Basis::ALL {
        let sum = PROCESS.of(basis);
        counter!(CALLS, "basis" => name).absolute(sum.calls.load(Ordering::Relaxed));
        counter!(TOKENS, "basis" => name).absolute(sum.tokens.load(Ordering::Relaxed));
    }
}

#[derive(Debug)]
struct Sum {
    calls: AtomicU64,
    tokens: AtomicU64,
}

impl Sum {
    const fn new() -> Self {
        Self {
            calls: AtomicU64::new(0),
            tokens: AtomicU64::new(0),
        }
    }
}

#[derive(Debug)]
struct ChargeTotals {
    settled: Sum,
    streamed: Sum,
    estimated: Sum,
    never_sent: Sum,
}

impl ChargeTotals {
    const fn new() -> Self {
        Self {
            settled: Sum::new(),
            streamed: Sum::new(),
            estimated: Sum::new(),
            never_sent: Sum::new(),
        }
    }

    fn of(&self, basis: Basis) -> &Sum {
        match basis {
            Basis::Settled => &self.settled,
            Basis::Streamed => &self.streamed,
            Basis::Estimated => &self.estimated,
            Basis::NeverSent => &self.never_sent,
        }
    }

    fn add(&self, basis: Basis, tokens: u64) {
        let sum = self.of(basis);
        sum.calls.fetch_add(1, Ordering::Relaxed);
        sum.tokens.fetch_add(tokens, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_basis_is_summed_by_itself() {
        let ledger = ChargeTotals::new();
        for (index, (basis, _)) in Basis::ALL.into_iter().enumerate() {
            ledger.add(basis, 10 * index as u64);
            ledger.add(basis, 1);
        }
        let sums = Basis::ALL.map(|(basis, _)| {
            (
                ledger.of(basis).calls.load(Ordering::Relaxed),
                ledger.of(basis).tokens.load(Ordering::Relaxed),
            )
        });
        assert_eq!(sums, [(2, 1), (2, 11), (2, 21), (2, 31)]);
    }
}
