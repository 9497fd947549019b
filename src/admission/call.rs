//! One upstream call, from its permit to its bill.

use std::sync::atomic::{AtomicU64, Ordering};

use super::gate::CallPermit;
use super::reservation::{Amounts, Estimate, Reservation};
use crate::telemetry::inflight::{InFlight, Kind};

/// One upstream call under way: its concurrency permits and its reservation.
///
/// It is billed exactly once. Dropped without a word, as when the client leaves, it charges the input and the tokens that streamed by or, if none did,
/// the estimate.
#[derive(Debug)]
pub struct CallGuard {
    reservations: Vec<Reservation>,
    estimate: Estimate,
    /// Output tokens seen so far.
    streamed: AtomicU64,
    _permits: Vec<CallPermit>,
    _under_way: InFlight,
}

impl CallGuard {
    pub(super) fn new(reservations: Vec<Reservation>, permits: Vec<CallPermit>, estimate: Estimate) -> Self {
        Self { reservations, estimate, streamed: AtomicU64::new(0), _permits: permits, _under_way: InFlight::begin(Kind::UpstreamCalls) }
    }

    /// The call used `actual_tokens`, input and output.
    pub fn settle(mut self, actual_tokens: u64) {
        self.bill(Amounts { requests: 0, calls: 1, tokens: actual_tokens });
    }

    /// The call never reached the upstream: it costs nothing.
    pub fn never_sent(mut self) {
        self.bill(Amounts::default());
    }

    /// Notes that `output_tokens` have been seen so far, in all. A smaller number than before is ignored.
    pub fn note_streamed(&self, output_tokens: u64) {
        self.streamed.fetch_max(output_tokens, Ordering::Relaxed);
    }

    /// A try of the call used `tokens` in vain, and `fresh` pays for the next one. The permits stay.
    pub(super) fn renew(&mut self, fresh: Vec<Reservation>, tokens: u64) {
        self.bill(Amounts { requests: 0, calls: 1, tokens });
        self.reservations = fresh;
        *self.streamed.get_mut() = 0;
    }

    pub(super) fn estimate(&self) -> Estimate {
        self.estimate
    }

    fn bill(&mut self, actual: Amounts) {
        for reservation in self.reservations.drain(..) {
            reservation.settle(actual);
        }
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        let tokens = match *self.streamed.get_mut() {
            0 => self.estimate.total(),
            streamed => self.estimate.input.saturating_add(streamed),
        };
        self.bill(Amounts { requests: 0, calls: 1, tokens });
    }
}
