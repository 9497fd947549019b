//! What a run has cost, whatever becomes of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::trace::{CallOutcome, Trace};
use crate::chat::{Reported, Usage};

/// A run's account. It outlives the run, and so tells also what was spent by one that failed or was
/// dropped. Clones are the same account.
#[derive(Debug, Clone, Default)]
pub struct Account(Arc<Mutex<Log>>);

/// What a run leaves behind.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) trace: Trace,
    pub(crate) usage: Usage,
    pub(crate) reported: Reported,
    pub(crate) degraded: Vec<String>,
}

/// What a run had spent when its account was closed.
#[derive(Debug, Clone, Default)]
pub struct Spent {
    /// Calls made, retries included.
    pub calls: u32,
    /// What they are taken to have used, answered or not.
    pub usage: Usage,
    /// What the answer would have had to do without.
    pub degraded: Vec<String>,
    /// What happened.
    pub trace: Trace,
}

impl Account {
    /// Takes what has been entered so far. After a run that has an answer that is nothing: its
    /// outcome holds everything.
    pub fn close(&self) -> Spent {
        let Log {
            trace,
            usage,
            reported: _,
            degraded,
        } = std::mem::take(&mut *self.log());
        // A call that a limit of ours refused never left.
        let made = trace
            .calls
            .iter()
            .filter(|call| call.outcome != CallOutcome::Limited)
            .count();
        Spent {
            calls: u32::try_from(made).unwrap_or(u32::MAX),
            usage,
            degraded,
            trace,
        }
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
