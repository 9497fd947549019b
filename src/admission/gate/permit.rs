//! Concurrency: requests, which are refused beyond the limit, and upstream calls, which wait.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::{Counts, Gate, State};
use crate::admission::fair_queue::{QueueError, QueuePermit, TenantKey};
use crate::admission::refused::{Dimension, Refused, Scope};
use crate::admission::shares::Asker;

/// When a caller refused for concurrency may try again. Nobody can know; this is long enough not to
/// be a busy loop.
const CONCURRENCY_RETRY: Duration = Duration::from_secs(1);

impl Gate {
    /// Counts one more request of `who` under way.
    pub(in crate::admission) fn start_request(
        self: &Arc<Self>,
        who: Option<&Asker>,
    ) -> Result<RequestPermit, Refused> {
        let mut state = self.lock();
        let mut tenant = None;
        if let Some(limit) = state.limits.concurrent_requests {
            let all = state.requests_under_way;
            let may_start = match state.shares.as_mut().zip(who) {
                None => all < limit.get(),
                Some((shares, who)) => {
                    tenant = Some(who.tenant.clone());
                    shares.start_request(who, (limit.into(), all), Instant::now())
                }
            };
            if !may_start {
                return Err(self.too_many(Dimension::ConcurrentRequests, limit));
            }
        }
        state.requests_under_way += 1;
        Ok(RequestPermit {
            gate: Arc::clone(self),
            tenant,
        })
    }

    /// Counts one more upstream call under way, as soon as the limit allows: first come, first
    /// served. While the caller is in debt, its calls that use tokens run one at a time, so that
    /// each begins with what is known of the one before.
    ///
    /// Calls of limits that tenants share take turns, and may wait in vain.
    ///
    /// Cancel safe: dropped while it waits, it has counted nothing.
    pub(in crate::admission) async fn start_call(
        self: &Arc<Self>,
        uses: Counts,
        who: Option<&Asker>,
    ) -> Result<CallPermit, QueueError> {
        let Some(calls) = &self.calls else {
            return Ok(self.start_own_call(uses).await);
        };
        let turn = match who {
            Some(who) => calls.acquire(&who.tenant, who.weight).await?,
            None => calls.acquire(&TenantKey::from(""), 1).await?,
        };
        Ok(CallPermit::Shared(turn))
    }

    async fn start_own_call(self: &Arc<Self>, uses: Counts) -> CallPermit {
        let mut waiting: Option<Waiting<'_>> = None;
        loop {
            let mut ended = std::pin::pin!(self.call_ended.notified());
            ended.as_mut().enable();
            if self.try_start(uses, waiting.is_some()) {
                return CallPermit::Own(OwnCall(Arc::clone(self)));
            }
            waiting.get_or_insert_with(|| Waiting(self));
            ended.await;
        }
    }

    /// Counts one more call under way, or one more that waits.
    fn try_start(&self, uses: Counts, waits: bool) -> bool {
        let mut state = self.lock();
        let in_debt = uses == Counts::Tokens && self.has_debtor(&mut state);
        // A newcomer must not overtake a waiter that has been called but has not yet run.
        if state.is_full(in_debt) || !waits && state.calls_waiting > 0 {
            state.calls_waiting += u32::from(!waits);
            return false;
        }
        state.calls_under_way += 1;
        // The end of one call may be the end of a debt, and let several begin.
        let others = state.calls_waiting > u32::from(waits);
        if others && !state.is_full(in_debt) {
            self.call_ended.notify_one();
        }
        true
    }

    /// Whether it is one caller's, and that has used more tokens than it may.
    fn has_debtor(&self, state: &mut State) -> bool {
        let own = matches!(self.scope, Scope::Tenant | Scope::Address);
        let mut rates = state.rates.iter_mut();
        own && rates
            .any(|rate| rate.dimension() == Dimension::Tokens && rate.is_in_debt(Instant::now()))
    }

    fn too_many(&self, dimension: Dimension, limit: NonZeroU32) -> Refused {
        let (scope, limit) = (self.scope, u64::from(limit.get()));
        Refused {
            dimension,
            scope,
            limit,
            window: None,
            requested: 1,
            remaining: 0,
            retry_after: Some(CONCURRENCY_RETRY),
        }
    }
}

impl State {
    fn is_full(&self, in_debt: bool) -> bool {
        let limit = self.limits.concurrent_upstream_calls.map(NonZeroU32::get);
        let limit = if in_debt { Some(1) } else { limit };
        limit.is_some_and(|limit| self.calls_under_way >= limit)
    }
}

/// A call that waits for its permit; dropped when it waits no more.
struct Waiting<'a>(&'a Gate);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.calls_waiting = state.calls_waiting.saturating_sub(1);
    }
}

/// One request under way; dropped when it is over.
#[derive(Debug)]
pub(in crate::admission) struct RequestPermit {
    gate: Arc<Gate>,
    /// Whose it is, if tenants share the limit.
    tenant: Option<TenantKey>,
}

impl Drop for RequestPermit {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.requests_under_way = state.requests_under_way.saturating_sub(1);
        if let Some((tenant, shares)) = self.tenant.as_ref().zip(state.shares.as_mut()) {
            shares.end_request(tenant);
        }
    }
}

/// One upstream call under way; dropped when it is over.
#[derive(Debug)]
pub(in crate::admission) enum CallPermit {
    Own(#[expect(dead_code, reason = "held, not read")] OwnCall),
    Shared(#[expect(dead_code, reason = "held, not read")] QueuePermit),
}

/// A call of one caller's own limits.
#[derive(Debug)]
pub(in crate::admission) struct OwnCall(Arc<Gate>);

impl Drop for OwnCall {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.calls_under_way = state.calls_under_way.saturating_sub(1);
        drop(state);
        self.0.call_ended.notify_one();
    }
}
