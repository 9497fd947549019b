//! One upstream call, from its permit to its bill.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
/// was reserved for it or, if more than that was seen, what was seen. A call that hone itself gave
/// up ([`CallGuard::may_be_given_up`]) charges what such calls are expected to have used by then.
#[derive(Debug)]
pub(crate) struct CallGuard {
    reservations: Vec<Reservation>,
    estimate: Estimate,
    billed: bool,
    given_up: Option<GivenUp>,
    /// Not sent yet: given up now, it costs nothing.
    waits: bool,
    account: RequestAccount,
    /// Where a strategy's run reads what the call was charged.
    bill: Option<Bill>,
    _permits: Vec<CallPermit>,
    _under_way: InFlight,
}

/// What a call costs that hone gives up.
#[derive(Debug)]
struct GivenUp {
    /// Tokens that it is expected to have generated.
    output: u64,
    /// Whether the client has left, so that it was not hone.
    left: Arc<AtomicBool>,
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
            billed: false,
            given_up: None,
            waits: false,
            account,
            bill: None,
            _permits: permits,
            _under_way: under_way,
        }
    }

    /// Tells `bill` what the call is charged, when that is known.
    pub(crate) fn tell(&mut self, bill: Option<Bill>) {
        self.bill = bill;
    }

    /// hone may give the call up before it ends, as when a vote is decided. Dropped while the
    /// client has not `left`, it then charges `output` tokens, or what was seen if that is more.
    pub(crate) fn may_be_given_up(&mut self, output: u64, left: Arc<AtomicBool>) {
        self.given_up = Some(GivenUp { output, left });
    }

    /// Says whether the call still waits to be sent. Dropped meanwhile, it costs nothing.
    pub(crate) fn wait(&mut self, waits: bool) {
        self.waits = waits;
    }

    /// The call's answer ended: it used `usage`.
    pub(crate) fn settle(mut self, usage: Usage) {
        self.charge(Basis::Settled, usage);
    }

    /// The upstream refused the call, and what an upstream refuses it does not bill.
    pub(crate) fn refused(self) {
        self.settle(Usage::default());
    }

    /// The call never reached the upstream: it costs nothing.
    pub(crate) fn never_sent(mut self) {
        self.charge(Basis::NeverSent, Usage::default());
    }

    /// The answer broke off after it had used `seen` at least.
    pub(crate) fn cut(mut self, seen: Usage) {
        self.charge_cut(self.estimate.usage(), seen);
    }

    /// Nobody wants the rest of the answer, which has used `seen` at least.
    pub(crate) fn unwanted(mut self, seen: Usage) {
        self.charge_unwanted(seen);
    }

    /// A try of the call used what was reserved for it in vain, and `fresh` pays for the next one.
    /// The permits stay.
    pub(super) fn renew(&mut self, fresh: Vec<Reservation>) {
        self.charge(Basis::Estimated, self.estimate.usage());
        self.billed = false;
        self.reservations = fresh;
    }

    pub(super) fn estimate(&self) -> Estimate {
        self.estimate
    }

    fn charge_unwanted(&mut self, seen: Usage) {
        let reserved = self.estimate.usage();
        let expected = match &self.given_up {
            Some(by_hone) if !by_hone.left.load(Ordering::Relaxed) => {
                Usage::estimate(reserved.prompt, by_hone.output.min(reserved.completion))
            }
            _ => reserved,
        };
        self.charge_cut(expected, seen);
    }

    fn charge_cut(&mut self, expected: Usage, seen: Usage) {
        let basis = if seen.completion > expected.completion {
            Basis::Streamed
        } else {
            Basis::Estimated
        };
        let input = expected.prompt.max(seen.prompt);
        let read = Usage::estimate(input, expected.completion);
        self.charge(basis, settle_cut(read, seen.completion));
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
        self.charge_unwanted(Usage::default());
    }
}
