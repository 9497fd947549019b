//! Whose turn it is for the slots of one upstream.
//!
//! Weighted round robin over the tenants that wait, in its start-time form: each tenant has a
//! *tag*, the virtual time of its next turn. The least tag goes next, and each turn moves a
//! tenant's tag on by one stride divided by its weight. Virtual time moves on by one stride divided
//! by the weight of all that wait, and a newcomer starts at the present; so a flood cannot keep a
//! newcomer waiting, and newcomers cannot keep anybody waiting for ever. (P. Goyal, H. M. Vin, H.
//! Cheng: Start-time Fair Queuing, SIGCOMM 1996; virtual time as in weighted fair queuing.)
//!
//! Without a limit a slot is only counted, so that a limit that is set later knows what runs.
//!
//! While several tenants wait, none is given more than its share of the slots. When nobody waits,
//! all history is forgotten.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

mod line;

use line::Queue;

use crate::telemetry::inflight::{InFlight, Kind};

/// When to come back to a queue that was full, or too slow. Nobody can know; this is long enough
/// not to be a busy loop.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Names a tenant within a queue.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TenantKey(pub(crate) Arc<str>);

impl From<&str> for TenantKey {
    fn from(name: &str) -> Self {
        Self(Arc::from(name))
    }
}

/// No slot could be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QueueError {
    /// As many wait as may wait.
    #[error("too many are waiting for the upstream")]
    Full {
        /// When to try again.
        retry_after: Duration,
    },
    /// No turn came within the longest wait.
    #[error("no turn at the upstream within the longest wait")]
    TimedOut {
        /// When to try again.
        retry_after: Duration,
    },
}

/// The slots of one upstream, and who waits for them.
#[derive(Debug)]
pub(crate) struct FairQueue {
    line: Mutex<Queue>,
}

/// The right to one call to the upstream; the next in line gets it when this is dropped.
#[derive(Debug)]
pub(crate) struct QueuePermit {
    queue: Arc<FairQueue>,
    /// `None` if there was no limit when it was given.
    tenant: Option<TenantKey>,
    /// When the longest wait is over; `None` if there was none yet.
    until: Option<Instant>,
}

impl FairQueue {
    /// `slots` of them (`None`: any number), of which a tenant holds at most ⌈`tenant_share` ×
    /// `slots`⌉ while others wait. At most `max_waiting` wait, each at most `max_wait`.
    pub(crate) fn new(
        slots: impl Into<Option<NonZeroU32>>,
        tenant_share: f64,
        max_waiting: usize,
        max_wait: Duration,
    ) -> Self {
        let line = Queue::new(slots.into(), tenant_share, max_waiting, max_wait);
        Self {
            line: Mutex::new(line),
        }
    }

    /// Replaces the bounds, as a reload does. Slots that are held stay held, and who waits keeps
    /// its place and its longest wait.
    pub(crate) fn resize(
        &self,
        slots: impl Into<Option<NonZeroU32>>,
        tenant_share: f64,
        max_waiting: usize,
        max_wait: Duration,
    ) {
        self.lock()
            .resize(slots.into(), tenant_share, max_waiting, max_wait);
    }

    /// Gives no more slots than `ceiling`, however many the operator allows: what the upstream's
    /// connections can take, once that is known.
    pub(crate) fn bound(&self, ceiling: Option<NonZeroU32>) {
        self.lock().bound(ceiling);
    }

    /// Waits for `tenant`'s turn. `weight` is relative to 1 and read when the tenant starts to
    /// wait.
    ///
    /// Cancel safe: a waiter that is dropped leaves no trace, and a slot that it was just given
    /// goes to the next.
    ///
    /// In a full queue a tenant that has nobody waiting takes the last place of the tenant that has
    /// most of them.
    pub(crate) async fn acquire(
        self: &Arc<Self>,
        tenant: &TenantKey,
        weight: u32,
    ) -> Result<QueuePermit, QueueError> {
        let ticket = Arc::new(Ticket::default());
        let max_wait = {
            let mut line = self.lock();
            let uncounted = line.take_unlimited();
            if uncounted || line.try_take(tenant) {
                return Ok(QueuePermit {
                    queue: Arc::clone(self),
                    tenant: (!uncounted).then(|| tenant.clone()),
                    until: None,
                });
            }
            line.join(tenant, weight, &ticket)?;
            line.max_wait()
        };
        let mut waiter = Waiter {
            queue: Arc::clone(self),
            tenant: tenant.clone(),
            ticket: Some(ticket),
            _queued: InFlight::begin(Kind::Queued),
        };
        waiter.turn(max_wait).await
    }

    /// How long a call waits for its turn at most.
    pub(crate) fn longest_wait(&self) -> Duration {
        self.lock().max_wait()
    }

    /// How many wait now.
    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.lock().waiting()
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl QueuePermit {
    /// When the call has waited as long as it may, if it had to wait for its turn.
    pub(crate) fn until(&self) -> Option<Instant> {
        self.until
    }
}

impl Drop for QueuePermit {
    fn drop(&mut self) {
        let mut line = self.queue.lock();
        match &self.tenant {
            Some(tenant) => line.release(tenant),
            None => line.release_unlimited(),
        }
    }
}

/// A place in the line. Its outcome is set once, under the line's lock, at the moment the place is
/// taken from the line.
#[derive(Debug, Default)]
struct Ticket {
    outcome: OnceLock<TurnOutcome>,
    called: Notify,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TurnOutcome {
    /// A slot is counted as this waiter's.
    Granted,
    /// The place went to a tenant that had none.
    Displaced,
}

impl Ticket {
    fn call(&self, outcome: TurnOutcome) {
        if self.outcome.set(outcome).is_ok() {
            self.called.notify_one();
        }
    }
}

/// Someone in the line. Leaves it when dropped.
struct Waiter {
    queue: Arc<FairQueue>,
    tenant: TenantKey,
    /// `None` once it has left.
    ticket: Option<Arc<Ticket>>,
    _queued: InFlight,
}

impl Waiter {
    async fn turn(&mut self, max_wait: Duration) -> Result<QueuePermit, QueueError> {
        let Some(ticket) = self.ticket.clone() else {
            return Err(QueueError::Full {
                retry_after: RETRY_AFTER,
            });
        };
        let until = Instant::now() + max_wait;
        let called = tokio::time::timeout_at(until, ticket.called.notified()).await;
        // A turn that came at the last moment is still taken.
        match (self.leave(), called) {
            (Some(TurnOutcome::Granted), _) => Ok(QueuePermit {
                queue: Arc::clone(&self.queue),
                tenant: Some(self.tenant.clone()),
                until: Some(until),
            }),
            (Some(TurnOutcome::Displaced), _) | (None, Ok(())) => Err(QueueError::Full {
                retry_after: RETRY_AFTER,
            }),
            (None, Err(_)) => Err(QueueError::TimedOut {
                retry_after: RETRY_AFTER,
            }),
        }
    }

    /// Leaves the line. Tells how the place was lost, if it was no longer there.
    fn leave(&mut self) -> Option<TurnOutcome> {
        let ticket = self.ticket.take()?;
        let mut line = self.queue.lock();
        let outcome = ticket.outcome.get().copied();
        if outcome.is_none() {
            line.leave(&self.tenant, &ticket);
        }
        outcome
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        if self.leave() == Some(TurnOutcome::Granted) {
            self.queue.lock().release(&self.tenant);
        }
    }
}

#[cfg(test)]
mod tests;
