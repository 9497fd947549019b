//! The one account of a request: what its caller was charged for all its calls.

use std::sync::{Arc, Mutex, PoisonError};

use hone_strategies::chat::Usage;

/// What one request has been charged. Each call's guard enters here what it charges the limits, so
/// that the log line, and the sum of a strategy's calls, can say nothing else. Clones are the same
/// account.
#[derive(Debug, Clone, Default)]
pub(crate) struct RequestAccount(Arc<Mutex<Usage>>);

impl RequestAccount {
    /// One of the request's calls was charged `usage`.
    pub(crate) fn charge(&self, usage: &Usage) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(usage);
    }

    /// The sum so far.
    pub(crate) fn total(&self) -> Usage {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
