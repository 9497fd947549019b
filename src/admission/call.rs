//! One upstream call, from its permit to its bill.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use super::gate::CallPermit;
use super::reservation::{Amounts, Estimate, Reservation};
use crate::telemetry::charges::{self, Basis};
use crate::telemetry::inflight::{InFlight, Kind};

/// One upstream call under way: its concurrency permits and its reservation.
///
/// It is billed exactly once. Dropped without a word, as when the client leaves, it charges the
/// input and the tokens that streamed by or, if none did, the estimate.
#[derive(Debug)]
pub struct CallGuard {
    reservations: Vec<Reservation>,
    estimate: Estimate,
    /// Output tokens seen so far.
    streamed: AtomicU64,
    billed: bool,
    /// Not sent yet: given up now, it costs nothing.
    waits: bool,
    _permits: Vec<CallPermit>,
    _under_way: InFlight,
}

impl CallGuard {
    pub(super) fn new(
        reservations: Vec<Reservation>,
        permits: Vec<CallPermit>,
        estimate: Estimate,
    ) -> Self {
        let under_way = InFlight::begin(Kind::UpstreamCalls);
        Self {
            reservations,
            estimate,
            streamed: AtomicU64::new(0),
            billed: false,
            waits: false,
            _permits: permits,
            _under_way: under_way,
        }
    }

    /// Says whether the call still waits to be sent. Dropped meanwhile, it costs nothing.
    pub fn wait(&mut self, waits: bool) {
        self.waits = waits;
    }

    /// The call used `actual_tokens`, input and output.
    pub fn settle(mut self, actual_tokens: u64) {
        self.bill(Basis::Settled, actual_tokens);
    }

    /// The call never reached the upstream: it costs nothing.
    pub fn never_sent(mut self) {
        self.bill(Basis::NeverSent, 0);
    }

    /// Notes that `output_tokens` have been seen so far, in all. A smaller number than before is
    /// ignored.
    pub fn note_streamed(&self, output_tokens: u64) {
        self.streamed.fetch_max(output_tokens, Ordering::Relaxed);
    }

    /// A try of the call used `tokens` in vain, and `fresh` pays for the next one. The permits
    /// stay.
    pub(super) fn renew(&mut self, fresh: Vec<Reservation>, tokens: u64) {
        self.bill(Basis::Settled, tokens);
        self.billed = false;
        self.reservations = fresh;
        *self.streamed.get_mut() = 0;
    }

    pub(super) fn estimate(&self) -> Estimate {
        self.estimate
    }

    fn bill(&mut self, basis: Basis, tokens: u64) {
        self.billed = true;
        charges::charged(basis, tokens);
        let (calls, now) = (u64::from(basis != Basis::NeverSent), Instant::now());
        for reservation in self.reservations.drain(..) {
            reservation.settle(
                Amounts {
                    requests: 0,
                    calls,
                    tokens,
                },
                now,
            );
        }
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        if self.billed {
            return;
        }
        match *self.streamed.get_mut() {
            _ if self.waits => self.bill(Basis::NeverSent, 0),
            0 => self.bill(Basis::Estimated, self.estimate.total()),
            streamed => self.bill(
                Basis::Streamed,
                self.estimate.input.saturating_add(streamed),
            ),
        }
    }
}
