//! What is asked of a gate, and the guard over what it gave.

use std::sync::Arc;

use hone_strategies::chat::{MOST_TOKENS, Usage};

use tokio::time::Instant;

use super::gate::Gate;
use super::refused::{Dimension, Refused};
use super::shares::Asker;
use crate::telemetry::inflight::{InFlight, Kind};

/// No model writes more in one answer, whatever its client allows: who leaves such a call is not
/// charged more than it could cost.
const LONGEST_ANSWER: u64 = 1 << 20;

/// Tokens that a call is expected to use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Estimate {
    /// Tokens sent. They will be spent whatever happens.
    pub(crate) input: u64,
    /// Tokens generated at most: the client's maximum or, if it sets none,
    /// [`Gate::expected_output`].
    pub(crate) output: u64,
}

impl Estimate {
    /// `answers` answers to `input`, each of at most `each` tokens.
    pub(crate) fn answers(input: u64, each: u64, answers: u64) -> Self {
        let output = each.min(LONGEST_ANSWER).saturating_mul(answers);
        Self {
            input,
            output: output.min(MOST_TOKENS),
        }
    }

    /// Input and output.
    pub(crate) fn total(self) -> u64 {
        self.input.saturating_add(self.output)
    }

    /// The same as a usage that nobody has reported.
    pub(crate) fn usage(self) -> Usage {
        Usage::estimate(self.input, self.output)
    }
}

/// Units of each rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Amounts {
    pub(super) requests: u64,
    pub(super) calls: u64,
    pub(super) tokens: u64,
}

impl Amounts {
    pub(super) fn of(&self, dimension: Dimension) -> u64 {
        match dimension {
            Dimension::ConcurrentRequests => 0,
            Dimension::Requests => self.requests,
            Dimension::Tokens => self.tokens,
            Dimension::UpstreamCalls => self.calls,
        }
    }

    pub(super) fn set(&mut self, dimension: Dimension, units: u64) {
        match dimension {
            Dimension::ConcurrentRequests => {}
            Dimension::Requests => self.requests = units,
            Dimension::Tokens => self.tokens = units,
            Dimension::UpstreamCalls => self.calls = units,
        }
    }

    fn is_zero(&self) -> bool {
        *self == Self::default()
    }
}

/// A demand, before the limits it meets are known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Claim {
    pub(super) requests: u64,
    pub(super) calls: u64,
    /// Of all `calls` together.
    pub(super) tokens: Estimate,
    /// Calls that must fit the burst though they are not taken now.
    pub(super) whole_calls: u64,
    /// Input tokens that must fit the burst though they are not taken now.
    pub(super) whole_input: u64,
}

impl Claim {
    /// The cell of one client request.
    pub(super) const REQUEST: Self = Self {
        requests: 1,
        calls: 0,
        tokens: Estimate {
            input: 0,
            output: 0,
        },
        whole_calls: 0,
        whole_input: 0,
    };

    /// `calls` upstream calls that use `each`.
    pub(super) fn calls(calls: u32, each: Estimate) -> Self {
        let calls = u64::from(calls);
        let tokens = Estimate {
            input: each.input.saturating_mul(calls),
            output: each.output.saturating_mul(calls),
        };
        Self {
            requests: 0,
            calls,
            tokens,
            whole_calls: calls,
            whole_input: tokens.input,
        }
    }

    /// What must fit in `dimension` under `limit`. `Err` holds an amount that can never fit.
    ///
    /// Output never makes a demand impossible: with an output above the burst it fits an empty
    /// bucket. [`Claim::units`] are taken all the same, so no other call runs beside such a one.
    pub(super) fn amount(&self, dimension: Dimension, limit: u64) -> Result<u64, u64> {
        let (units, least) = match dimension {
            Dimension::ConcurrentRequests => (0, 0),
            Dimension::Requests => (self.requests, self.requests),
            Dimension::Tokens => (
                self.tokens.total().min(limit),
                self.tokens.input.max(self.whole_input),
            ),
            Dimension::UpstreamCalls => (self.calls, self.calls.max(self.whole_calls)),
        };
        if least > limit { Err(least) } else { Ok(units) }
    }

    /// What is taken in `dimension`.
    pub(super) fn units(&self, dimension: Dimension) -> u64 {
        let amounts = Amounts {
            requests: self.requests,
            calls: self.calls,
            tokens: self.tokens.total(),
        };
        amounts.of(dimension)
    }
}

/// What one gate gave for one demand. Dropped, it gives back all that has been neither split off
/// nor settled.
#[derive(Debug)]
pub(super) struct Reservation {
    gate: Arc<Gate>,
    id: u64,
    left: Amounts,
    /// On whose behalf, if tenants share the limits.
    who: Option<Asker>,
    _open: InFlight,
}

impl Reservation {
    pub(super) fn new(gate: Arc<Gate>, id: u64, left: Amounts, who: Option<&Asker>) -> Self {
        Self {
            gate,
            id,
            left,
            who: who.cloned(),
            _open: InFlight::begin(Kind::Reservations),
        }
    }

    /// Splits off the share of one of `calls` equal calls. The shares of all calls add up to
    /// exactly what was reserved.
    pub(super) fn split_call(&mut self, calls: u32) -> Self {
        let calls = u64::from(calls.max(1));
        let share = Amounts {
            requests: 0,
            calls: self.left.calls / calls,
            tokens: self.left.tokens / calls,
        };
        self.left.calls -= share.calls;
        self.left.tokens -= share.tokens;
        Self::new(Arc::clone(&self.gate), self.id, share, self.who.as_ref())
    }

    /// Makes it enough for a call of `tokens`. Refused, it is as large as before.
    pub(super) fn enlarge(&mut self, tokens: Estimate, now: Instant) -> Result<(), Refused> {
        if self.left.tokens >= tokens.total() {
            return Ok(());
        }
        let who = self.who.as_ref();
        let (id, left, result) = self.gate.enlarge(self.id, who, (self.left, tokens), now);
        (self.id, self.left) = (id, left);
        result
    }

    /// Charges `actual` in place of what was reserved.
    pub(super) fn settle(mut self, actual: Amounts, now: Instant) {
        let left = std::mem::take(&mut self.left);
        self.close(left, actual, now);
    }

    /// Charges the reserved requests, come what may. Calls and tokens stay open.
    pub(super) fn keep_requests(&mut self, now: Instant) {
        if self.left.requests == 0 {
            return;
        }
        let requests = Amounts {
            requests: std::mem::take(&mut self.left.requests),
            ..Amounts::default()
        };
        self.close(requests, requests, now);
    }

    fn close(&self, reserved: Amounts, actual: Amounts, now: Instant) {
        let who = self.who.as_ref();
        self.gate.settle(self.id, who, (reserved, actual), now);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.left.is_zero() {
            self.close(self.left, Amounts::default(), Instant::now());
        }
    }
}

/// Takes `ask` of `who` from every gate, or nothing from any.
pub(super) fn take_all(
    gates: &[Arc<Gate>],
    ask: &Claim,
    who: Option<&Asker>,
    now: Instant,
) -> Result<Vec<Reservation>, Refused> {
    gates.iter().map(|gate| gate.take(ask, who, now)).collect()
}
