//! What is told when a run ends, however it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hone_strategies::{Account, Halt, Outcome, StrategyError};

use crate::answer::error::ProxyError;
use crate::telemetry::RequestRecord;

/// Enters into the record what a run has cost if it ends without an answer: it fails, or its future
/// is dropped.
pub(super) struct Tally<'a> {
    pub(super) account: Account,
    pub(super) record: &'a mut RequestRecord,
}

impl Tally<'_> {
    /// The run goes on in the body of a stream, which tells itself what the run has cost.
    pub(super) fn leave_to_the_stream(mut self) {
        self.account = Account::default();
    }
}

impl Drop for Tally<'_> {
    fn drop(&mut self) {
        self.record.ran_in_vain(&self.account);
    }
}

/// Tells the calls of a run that its client has left, if it is dropped before the run's end: what
/// hone gives up itself costs less.
pub(super) struct Presence(pub(super) Option<Arc<AtomicBool>>);

impl Presence {
    pub(super) fn ends(mut self) {
        self.0 = None;
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some(left) = &self.0 {
            left.store(true, Ordering::Relaxed);
        }
    }
}

/// What a run comes to if hone may have halted it: what it had to do without for want of time, it
/// had to because hone shuts down.
pub(super) fn after(
    result: Result<Outcome, StrategyError>,
    halt: &Halt,
) -> Result<Outcome, Result<ProxyError, StrategyError>> {
    if !halt.has_come() {
        return result.map_err(Err);
    }
    match result {
        Ok(mut outcome) => {
            let late = outcome
                .degraded
                .iter_mut()
                .filter(|what| *what == "deadline");
            late.for_each(|what| "shutdown".clone_into(what));
            Ok(outcome)
        }
        Err(StrategyError::Deadline) => Err(Ok(ProxyError::ShuttingDown)),
        Err(error) => Err(Err(error)),
    }
}
