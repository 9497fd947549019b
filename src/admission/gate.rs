//! The live limiters of one tenant, address, upstream or fallback.

use std::num::NonZeroU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::bytes::ByteCount;
use super::fair_queue::FairQueue;
use super::output;
use super::rate::{Rate, WINDOW};
use super::refused::{Dimension, Refused, Scope};
use super::reservation::{Amounts, Claim, Estimate, Reservation};
use super::shares::{Asker, Shares, Sharing};
use crate::config::Limits;

mod permit;
mod state;

pub(super) use permit::{CallPermit, RequestPermit};
use state::State;
pub(super) use state::longest;

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
    /// Who waits for one of the calls, if tenants share them.
    calls: Option<Arc<FairQueue>>,
}

/// Where one rate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RateStatus {
    /// Requests, tokens or upstream calls.
    pub(crate) dimension: Dimension,
    /// Units per `window`, and the burst.
    pub(crate) limit: u64,
    /// Whole units that can be had now.
    pub(crate) remaining: u64,
    /// Until the whole burst can be had again.
    pub(crate) reset: Duration,
    /// The window that the limit is meant for.
    pub(crate) window: Duration,
}

impl RateStatus {
    /// The word for this rate in headers and `whoami`.
    pub(crate) fn name(&self) -> &'static str {
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
    pub(crate) fn new(scope: Scope, limits: &Limits) -> Self {
        let now = Instant::now();
        let rates = limited(limits)
            .map(|(dimension, limit)| Rate::new(dimension, limit, now))
            .collect();
        Self {
            scope,
            state: Mutex::new(State::new(*limits, rates)),
            bodies: ByteCount::default(),
            call_ended: Notify::new(),
            calls: None,
        }
    }

    /// The same for limits that tenants share.
    pub(crate) fn shared(scope: Scope, limits: &Limits, sharing: &Sharing) -> Self {
        let gate = Self::new(scope, limits);
        let shares = Shares::new(sharing.tenant_share, Instant::now());
        gate.lock().shares = Some(Box::new(shares));
        let calls = FairQueue::new(
            limits.concurrent_upstream_calls,
            sharing.tenant_share,
            sharing.max_waiting,
            sharing.max_wait,
        );
        Self {
            calls: Some(Arc::new(calls)),
            ..gate
        }
    }

    /// Whose limits these are.
    pub(crate) fn scope(&self) -> Scope {
        self.scope
    }

    /// What the bodies of the caller's requests take. A request that holds some keeps the gate from
    /// being forgotten.
    pub(crate) fn bodies(&self) -> &ByteCount {
        &self.bodies
    }

    /// Replaces the limits, as a reload does. What was spent and what is under way stays counted.
    pub(crate) fn relimit(&self, limits: &Limits) {
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

    /// The same for limits that tenants share.
    pub(crate) fn relimit_shared(&self, limits: &Limits, sharing: &Sharing) {
        self.relimit(limits);
        if let Some(shares) = &mut self.lock().shares {
            shares.set_share(sharing.tenant_share);
        }
        if let Some(calls) = &self.calls {
            calls.resize(
                limits.concurrent_upstream_calls,
                sharing.tenant_share,
                sharing.max_waiting,
                sharing.max_wait,
            );
        }
    }

    /// Whether it decides everything as a new gate would, so that it may be forgotten.
    pub(crate) fn is_fresh(&self) -> bool {
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
    pub(crate) fn status(&self) -> Vec<RateStatus> {
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
    pub(crate) fn observe_output(&self, tokens: u64) {
        let now = Instant::now();
        self.lock().fresh_outputs(now).observe(tokens, now);
    }

    /// How many tokens an answer is likely to have at most: the 90th percentile of the last 64, and
    /// at least 500; 500 while fewer than ten are known.
    pub(crate) fn expected_output(&self) -> u64 {
        let now = Instant::now();
        let state = self.lock();
        state
            .outputs
            .as_ref()
            .filter(|outputs| !outputs.is_stale(now))
            .map_or(output::UNKNOWN, |outputs| outputs.expected())
    }

    /// Takes `ask` on behalf of `who` in all rates, or in none.
    pub(super) fn take(
        self: &Arc<Self>,
        ask: &Claim,
        who: Option<&Asker>,
        now: Instant,
    ) -> Result<Reservation, Refused> {
        let mut state = self.lock();
        let who = state.asker(who);
        if let Some(refused) = state.refusal(self.scope, ask, (who, true), now) {
            return Err(refused);
        }
        let (id, taken) = state.take(ask, who, now);
        Ok(Reservation::new(Arc::clone(self), id, taken, who))
    }

    /// The longest refusal that `ask` would meet here, if any.
    pub(super) fn refusal(
        &self,
        ask: &Claim,
        who: Option<&Asker>,
        now: Instant,
    ) -> Option<Refused> {
        let mut state = self.lock();
        let who = state.asker(who);
        state.refusal(self.scope, ask, (who, false), now)
    }

    /// Remembers that a request asks for `ask` and, if that does not fit now, when it will: so
    /// [`Gate::pass_the_door`] can refuse the next one.
    pub(super) fn remember(&self, ask: &Claim, now: Instant) {
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
        let mut rates = state.rates.iter();
        if !rates.any(|rate| rate.dimension() == Dimension::Requests) {
            return Ok(None);
        }
        let (id, cell) = state.take(&Claim::REQUEST, None, now);
        Ok(Some(Reservation::new(Arc::clone(self), id, cell, None)))
    }

    /// Settles reservation `id` of `who`; see [`Rate::settle`].
    pub(super) fn settle(
        &self,
        id: u64,
        who: Option<&Asker>,
        (reserved, actual): (Amounts, Amounts),
        now: Instant,
    ) {
        self.lock().settle(id, who, (reserved, actual), now);
    }

    /// Takes reservation `id`, of which `left` is left, anew for a call of `tokens`, or as it was
    /// if that does not fit. Gives its new id and what it then holds.
    pub(super) fn enlarge(
        &self,
        id: u64,
        who: Option<&Asker>,
        (left, tokens): (Amounts, Estimate),
        now: Instant,
    ) -> (u64, Amounts, Result<(), Refused>) {
        let mut state = self.lock();
        state.settle(id, who, (left, Amounts::default()), now);
        let larger = Claim {
            requests: left.requests,
            calls: left.calls,
            tokens,
            ..Claim::default()
        };
        let refused = state.refusal(self.scope, &larger, (who, true), now);
        let as_before = Claim {
            tokens: Estimate {
                input: left.tokens,
                output: 0,
            },
            ..larger
        };
        let ask = if refused.is_some() { as_before } else { larger };
        let (id, taken) = state.take(&ask, who, now);
        (id, taken, refused.map_or(Ok(()), Err))
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
impl Gate {
    /// Looks at what each tenant has.
    pub(super) fn with_shares<T>(&self, look: impl FnOnce(&mut Shares) -> T) -> T {
        look(self.lock().shares.as_mut().expect("tenants share it"))
    }
}

#[cfg(test)]
mod tests;
