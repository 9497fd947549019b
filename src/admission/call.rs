//! One upstream call, from its permit to its bill.

use std::sync::atomic::{AtomicU64, Ordering};

use hone_strategies::chat::{Usage, settle_cut};
use hone_strategies::model::Bill;
use tokio::time::Instant;

use super::gate::CallPermit;
use super::reservation::{Amounts, Estimate, Reservation};
use crate::telemetry::RequestAccount;
use crate::telemetry::charges::{self, Basis};
use crate::telemetry::inflight::{InFlight, Kind};

/// One upstream call under way: its concurrency permits and its reservation.
///
/// It is billed exactly once. Dropped without a word, as when the client leaves, it charges what
/// was reserved for it or, if more than that was seen, its input and what was seen.
#[derive(Debug)]
pub struct CallGuard {
    reservations: Vec<Reservation>,
    estimate: Estimate,
    /// Output tokens seen so far.
    streamed: AtomicU64,
    billed: bool,
    /// Not sent yet: given up now, it costs nothing.
    waits: bool,
    account: RequestAccount,
    /// Where a strategy's run reads what the call was charged.
    bill: Option<Bill>,
    _permits: Vec<CallPermit>,
    _under_way: InFlight,
}

impl CallGuard {
    pub(super) fn new(
        reservations: Vec<Reservation>,
        permits: Vec<CallPermit>,
        estimate: Estimate,
        account: RequestAccount,
    ) -> Self {
        let under_way = InFlight::begin(Kind::UpstreamCalls);
        Self {
            reservations,
            estimate,
            streamed: AtomicU64::new(0),
            billed: false,
            waits: false,
            account,
            bill: None,
            _permits: permits,
            _under_way: under_way,
        }
    }

    /// Tells `bill` what the call is charged, when that is known.
    pub fn tell(&mut self, bill: Option<Bill>) {
        self.bill = bill;
    }

    /// Says whether the call still waits to be sent. Dropped meanwhile, it costs nothing.
    pub fn wait(&mut self, waits: bool) {
        self.waits = waits;
    }

    /// The call's answer ended: it used `usage`.
    pub fn settle(mut self, usage: Usage) {
        self.charge(Basis::Settled, usage);
    }

    /// The upstream refused the call, and what an upstream refuses it does not bill.
    pub fn refused(self) {
        self.settle(Usage::default());
    }

    /// The call never reached the upstream: it costs nothing.
    pub fn never_sent(mut self) {
        self.charge(Basis::NeverSent, Usage::default());
    }

    /// Notes that `output_tokens` have been seen so far, in all. A smaller number than before is
    /// ignored.
    pub fn note_streamed(&self, output_tokens: u64) {
        self.streamed.fetch_max(output_tokens, Ordering::Relaxed);
    }

    /// A try of the call used what was reserved for it in vain, and `fresh` pays for the next one.
    /// The permits stay.
    pub(super) fn renew(&mut self, fresh: Vec<Reservation>) {
        self.charge(Basis::Estimated, self.estimate.usage());
        self.billed = false;
        self.reservations = fresh;
        *self.streamed.get_mut() = 0;
    }

    pub(super) fn estimate(&self) -> Estimate {
        self.estimate
    }

    fn charge(&mut self, basis: Basis, usage: Usage) {
        self.billed = true;
        charges::charged(basis, usage.total);
        self.account.charge(&usage);
        if let Some(bill) = &self.bill {
            bill.charge(usage);
        }
        let (calls, now) = (u64::from(basis != Basis::NeverSent), Instant::now());
        for reservation in self.reservations.drain(..) {
            let actual = Amounts {
                requests: 0,
                calls,
                tokens: usage.total,
            };
            reservation.settle(actual, now);
        }
    }
}

impl Drop for CallGuard {
    fn drop(&mut self) {
        if self.billed {
            return;
        }
        if self.waits {
            return self.charge(Basis::NeverSent, Usage::default());
        }
        let streamed = *self.streamed.get_mut();
        let basis = if streamed > self.estimate.output {
            Basis::Streamed
        } else {
            Basis::Estimated
        };
        self.charge(basis, settle_cut(self.estimate.usage(), streamed));
    }
}
