//! Concurrency: requests, which are refused beyond the limit, and upstream calls, which wait.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use super::Gate;
use crate::admission::refused::{Dimension, Refused};

/// When a caller refused for concurrency may try again. Nobody can know; this is long enough not to
/// be a busy loop.
const CONCURRENCY_RETRY: Duration = Duration::from_secs(1);

impl Gate {
    /// Counts one more request under way.
    pub(in crate::admission) fn start_request(self: &Arc<Self>) -> Result<RequestPermit, Refused> {
        let mut state = self.lock();
        if let Some(limit) = state
            .limits
            .concurrent_requests
            .filter(|limit| state.requests_under_way >= limit.get())
        {
            return Err(self.too_many(Dimension::ConcurrentRequests, limit));
        }
        state.requests_under_way += 1;
        Ok(RequestPermit(Arc::clone(self)))
    }

    /// Counts one more upstream call under way, as soon as the limit allows: first come, first
    /// served. Cancel safe: dropped while it waits, it has counted nothing.
    pub(in crate::admission) async fn start_call(self: &Arc<Self>) -> CallPermit {
        let mut waiting: Option<Waiting<'_>> = None;
        loop {
            let mut ended = std::pin::pin!(self.call_ended.notified());
            ended.as_mut().enable();
            {
                let mut state = self.lock();
                let full = state
                    .limits
                    .concurrent_upstream_calls
                    .is_some_and(|limit| state.calls_under_way >= limit.get());
                // A newcomer must not overtake a waiter that has been called but has not yet run.
                if !full && (waiting.is_some() || state.calls_waiting == 0) {
                    state.calls_under_way += 1;
                    return CallPermit(Arc::clone(self));
                }
                if waiting.is_none() {
                    state.calls_waiting += 1;
                    waiting = Some(Waiting(self));
                }
            }
            ended.await;
        }
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
pub(in crate::admission) struct RequestPermit(Arc<Gate>);

impl Drop for RequestPermit {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.requests_under_way = state.requests_under_way.saturating_sub(1);
    }
}

/// One upstream call under way; dropped when it is over.
#[derive(Debug)]
pub(in crate::admission) struct CallPermit(Arc<Gate>);

impl Drop for CallPermit {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.calls_under_way = state.calls_under_way.saturating_sub(1);
        drop(state);
        self.0.call_ended.notify_one();
    }
}
