//! The one account of a request: what its caller was charged for all its calls.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hone_strategies::chat::Usage;
use tokio::time::Instant;

/// What one request has been charged. Each call's guard enters here what it charges the limits, so
/// that the log line, and the sum of a strategy's calls, can say nothing else. Clones are the same
/// account.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestAccount(Arc<Mutex<Sums>>);

#[derive(Debug, Default)]
struct Sums {
    charged: Usage,
    waited: Option<Duration>,
}

impl RequestAccount {
    /// One of the request's calls was charged `usage`.
    pub(crate) fn charge(&self, usage: &Usage) {
        self.sums().charged.add(usage);
    }

    /// One of its calls has waited for its turn until now, or until this is dropped.
    pub(crate) fn wait(&self) -> Waiting<'_> {
        Waiting {
            account: self,
            since: Instant::now(),
        }
    }

    /// The sum so far.
    pub(crate) fn total(&self) -> Usage {
        self.sums().charged
    }

    /// How long its calls have waited, added up; `None` if none had to.
    pub(crate) fn waited(&self) -> Option<Duration> {
        self.sums().waited
    }

    fn sums(&self) -> MutexGuard<'_, Sums> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that waits for its turn.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    account: &'a RequestAccount,
    since: Instant,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let waited = self.since.elapsed();
        let mut sums = self.account.sums();
        sums.waited = Some(sums.waited.unwrap_or_default() + waited);
    }
}
