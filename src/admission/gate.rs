//! The live limiters of one tenant, address, upstream or fallback.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::bytes::ByteCount;
use super::output::{self, Outputs};
use super::rate::{Rate, WINDOW, Wait};
use super::refused::{Dimension, Refused, Scope};
use super::reservation::{Amounts, Ask, Estimate, Reservation};
use crate::config::Limits;

mod permit;

pub(super) use permit::{CallPermit, RequestPermit};

/// The live limiters of one tenant, address, upstream or fallback.
///
/// All state is behind `&self`, under one short lock that is never held across an await. A
/// dimension without a limit has no limiter.
#[derive(Debug)]
pub struct Gate {
    scope: Scope,
    state: Mutex<State>,
    /// Request bodies in memory.
    bodies: ByteCount,
    /// An upstream call has ended, or the limit on them has changed.
    call_ended: Notify,
}

#[derive(Debug)]
struct State {
    limits: Limits,
    /// Of the limited dimensions only.
    rates: Vec<Rate>,
    /// Counted with or without a limit, so that a limit set later is right at once.
    requests_under_way: u32,
    calls_under_way: u32,
    calls_waiting: u32,
    last_id: u64,
    outputs: Option<Box<Outputs>>,
}

/// Where one rate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateStatus {
    /// Requests, tokens or upstream calls.
    pub dimension: Dimension,
    /// Units per `window`, and the burst.
    pub limit: u64,
    /// Whole units that can be had now.
    pub remaining: u64,
    /// Until the whole burst can be had again.
    pub reset: Duration,
    /// The window that the limit is meant for.
    pub window: Duration,
}

impl RateStatus {
    /// The word for this rate in headers and `whoami`.
    pub fn name(&self) -> &'static str {
        self.dimension.name()
    }
}

/// Which remembered refusals matter to a request whose body is not yet known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counts {
    /// Only requests and calls: tokens are not read from this path.
    Calls,
    /// Requests, calls and tokens.
    Tokens,
}

impl Gate {
    /// A gate that nothing has passed yet.
    pub fn new(scope: Scope, limits: &Limits) -> Self {
        let now = Instant::now();
        let rates = limited(limits)
            .map(|(dimension, limit)| Rate::new(dimension, limit, now))
            .collect();
        let state = State {
            limits: *limits,
            rates,
            requests_under_way: 0,
            calls_under_way: 0,
            calls_waiting: 0,
            last_id: 0,
            outputs: None,
        };
        Self {
            scope,
            state: Mutex::new(state),
            bodies: ByteCount::default(),
            call_ended: Notify::new(),
        }
    }

    /// Whose limits these are.
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// What the bodies of the caller's requests take. Whoever holds some keeps the gate from being
    /// forgotten.
    pub fn bodies(&self) -> &ByteCount {
        &self.bodies
    }

    /// Replaces the limits, as a reload does. What was spent and what is under way stays counted.
    pub fn relimit(&self, limits: &Limits) {
        let now = Instant::now();
        let mut state = self.lock();
        let mut old = std::mem::take(&mut state.rates);
        for (dimension, limit) in limited(limits) {
            let rate = match old.iter().position(|rate| rate.dimension() == dimension) {
                Some(index) => {
                    let mut rate = old.swap_remove(index);
                    rate.set_limit(limit, now);
                    rate
                }
                None => Rate::new(dimension, limit, now),
            };
            state.rates.push(rate);
        }
        state.limits = *limits;
        drop(state);
        self.call_ended.notify_waiters();
    }

    /// Whether it decides everything as a new gate would, so that it may be forgotten.
    pub fn is_fresh(&self) -> bool {
        let now = Instant::now();
        let mut state = self.lock();
        state.requests_under_way == 0
            && state.calls_under_way == 0
            && state
                .outputs
                .as_ref()
                .is_none_or(|outputs| outputs.is_stale(now))
            && state.rates.iter_mut().all(|rate| rate.is_fresh(now))
    }

    /// Where each limited rate stands, in the order requests, tokens, upstream calls.
    pub fn status(&self) -> Vec<RateStatus> {
        let now = Instant::now();
        let mut state = self.lock();
        let status = |rate: &mut Rate| RateStatus {
            dimension: rate.dimension(),
            limit: rate.limit(),
            remaining: rate.remaining(now),
            reset: rate.reset(now),
            window: WINDOW,
        };
        state.rates.iter_mut().map(status).collect()
    }

    /// Learns how many tokens an answer had.
    pub fn observe_output(&self, tokens: u64) {
        let now = Instant::now();
        self.lock().fresh_outputs(now).observe(tokens, now);
    }

    /// How many tokens an answer is likely to have at most: the 90th percentile of the last 64, and
    /// at least 500; 500 while fewer than ten are known.
    pub fn expected_output(&self) -> u64 {
        let now = Instant::now();
        let state = self.lock();
        state
            .outputs
            .as_ref()
            .filter(|outputs| !outputs.is_stale(now))
            .map_or(output::UNKNOWN, |outputs| outputs.expected())
    }

    /// Takes `ask` in all rates, or in none.
    pub(super) fn take(self: &Arc<Self>, ask: &Ask, now: Instant) -> Result<Reservation, Refused> {
        let mut state = self.lock();
        if let Some(refused) = state.refusal(self.scope, ask, now) {
            return Err(refused);
        }
        state.last_id += 1;
        let id = state.last_id;
        let mut taken = Amounts::default();
        for rate in &mut state.rates {
            let units = ask.units(rate.dimension());
            rate.take(id, units, now);
            taken.set(rate.dimension(), units);
        }
        Ok(Reservation::new(Arc::clone(self), id, taken))
    }

    /// The longest refusal that `ask` would meet here, if any.
    pub(super) fn refusal(&self, ask: &Ask, now: Instant) -> Option<Refused> {
        self.lock().refusal(self.scope, ask, now)
    }

    /// Remembers that a request asks for `ask` and, if that does not fit now, when it will: so
    /// [`Gate::pass_the_door`] can refuse the next one.
    pub(super) fn remember(&self, ask: &Ask, now: Instant) {
        for rate in &mut self.lock().rates {
            if let Ok(amount) = ask.amount(rate.dimension(), rate.limit()) {
                rate.remember(amount, now);
            }
        }
    }

    /// One cell of the request rate, if there is one, for a request whose body is not yet read; or
    /// the refusal of one that is sure to be refused, judging by what was refused before.
    ///
    /// It is sure for requests (each needs one cell), and for the other rates while a refusal is
    /// remembered and not even the least that was lately asked for fits. So one large request that
    /// was refused does not keep small ones out.
    pub(super) fn pass_the_door(
        self: &Arc<Self>,
        counts: Counts,
    ) -> Result<Option<Reservation>, Refused> {
        let now = Instant::now();
        let mut state = self.lock();
        if let Some(refused) = state.refusal_at_the_door(self.scope, counts, now) {
            return Err(refused);
        }
        let State { rates, last_id, .. } = &mut *state;
        let mut rates = rates.iter_mut();
        let Some(rate) = rates.find(|rate| rate.dimension() == Dimension::Requests) else {
            return Ok(None);
        };
        *last_id += 1;
        rate.take(*last_id, 1, now);
        let cell = Amounts {
            requests: 1,
            ..Amounts::default()
        };
        Ok(Some(Reservation::new(Arc::clone(self), *last_id, cell)))
    }

    /// Settles reservation `id`; see [`Rate::settle`].
    pub(super) fn settle(&self, id: u64, reserved: Amounts, actual: Amounts, now: Instant) {
        for rate in &mut self.lock().rates {
            let dimension = rate.dimension();
            let (reserved, actual) = (reserved.of(dimension), actual.of(dimension));
            if reserved > 0 || actual > 0 {
                rate.settle(id, reserved, actual, now);
            }
        }
    }

    /// Takes reservation `id`, of which `left` is left, anew for a call of `tokens`, or as it was
    /// if that does not fit. Gives its new id and what it then holds.
    pub(super) fn enlarge(
        &self,
        id: u64,
        left: Amounts,
        tokens: Estimate,
        now: Instant,
    ) -> (u64, Amounts, Result<(), Refused>) {
        let ask = Ask {
            tokens,
            ..Ask::default()
        };
        let mut state = self.lock();
        let mut held = left;
        let mut result = Ok(());
        state.last_id += 1;
        let new = state.last_id;
        for rate in &mut state.rates {
            let dimension = rate.dimension();
            rate.settle(id, left.of(dimension), 0, now);
            if dimension == Dimension::Tokens {
                let amount = ask.amount(dimension, rate.limit());
                let fits = match amount {
                    Ok(amount) => rate.check(amount, now).map_err(|wait| (amount, wait)),
                    Err(amount) => Err((amount, Wait::Forever)),
                };
                match fits {
                    Ok(()) => held.tokens = tokens.total(),
                    Err((amount, wait)) => {
                        result = Err(rate.refused(self.scope, amount, wait, now));
                    }
                }
            }
            rate.take(new, held.of(dimension), now);
        }
        (new, held, result)
    }

    /// How many of `calls` that use `each` fit the burst together: one at least.
    pub(super) fn calls_that_fit(&self, calls: u32, each: Estimate) -> u32 {
        let state = self.lock();
        let mut rates = state.rates.iter();
        let fit = rates
            .find(|rate| rate.dimension() == Dimension::Tokens)
            .and_then(|rate| rate.limit().checked_div(each.total()));
        fit.map_or(calls, |fit| u32::try_from(fit).unwrap_or(u32::MAX))
            .clamp(1, calls.max(1))
    }

    /// A panic elsewhere leaves plain numbers behind, which are still the best there are.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn refusal(&mut self, scope: Scope, ask: &Ask, now: Instant) -> Option<Refused> {
        let mut refused: Option<Refused> = None;
        for rate in &mut self.rates {
            let (amount, wait) = match ask.amount(rate.dimension(), rate.limit()) {
                Err(amount) => (amount, Wait::Forever),
                Ok(amount) => match rate.check(amount, now) {
                    Err(wait) => (amount, wait),
                    Ok(()) => continue,
                },
            };
            refused = Some(longest(refused, rate.refused(scope, amount, wait, now)));
        }
        refused
    }

    fn refusal_at_the_door(
        &mut self,
        scope: Scope,
        counts: Counts,
        now: Instant,
    ) -> Option<Refused> {
        let mut refused: Option<Refused> = None;
        let mut exhausted = false;
        for rate in &mut self.rates {
            if rate.dimension() == Dimension::Tokens && counts == Counts::Calls {
                continue;
            }
            let Some((amount, wait)) = rate.owed(now) else {
                continue;
            };
            exhausted |= rate.is_exhausted(now);
            refused = Some(longest(refused, rate.refused(scope, amount, wait, now)));
        }
        refused.filter(|_| exhausted)
    }

    fn fresh_outputs(&mut self, now: Instant) -> &mut Outputs {
        if self
            .outputs
            .as_ref()
            .is_some_and(|outputs| outputs.is_stale(now))
        {
            self.outputs = None;
        }
        self.outputs
            .get_or_insert_with(|| Box::new(Outputs::new(now)))
    }
}

/// The longer of a refusal so far, if any, and another.
pub(super) fn longest(so_far: Option<Refused>, other: Refused) -> Refused {
    match so_far {
        None => other,
        Some(first) => first.longer(other),
    }
}

fn limited(limits: &Limits) -> impl Iterator<Item = (Dimension, NonZeroU64)> {
    let rates = [
        (
            Dimension::Requests,
            limits.requests_per_minute.map(NonZeroU64::from),
        ),
        (Dimension::Tokens, limits.tokens_per_minute),
        (
            Dimension::UpstreamCalls,
            limits.upstream_calls_per_minute.map(NonZeroU64::from),
        ),
    ];
    rates
        .into_iter()
        .filter_map(|(dimension, limit)| Some((dimension, limit?)))
}

#[cfg(test)]
mod tests;
