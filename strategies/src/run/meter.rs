//! The account of one call, open from its reservation to its end.
//!
//! What a call has cost is what its port says in the call's [`Bill`]; a port that charges nobody
//! leaves that to the meter, which settles by the same rule ([`settle`], [`settle_cut`]).

use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use super::budget::Reservation;
use super::handle::Run;
use super::sub_call::SubCall;
use super::trace::{CallOutcome, CallRecord};
use crate::chat::{Chunk, Completion, TokenCounter, Usage, Written, settle, settle_cut};
use crate::error::StrategyError;
use crate::model::{Bill, ModelError};

/// One call's permit, reservation and record. Dropping it closes the account of a cancelled call:
/// what it read, and what it generated if that was seen, else what it was expected to.
pub(super) struct Meter<'a> {
    run: &'a Run,
    record: usize,
    began: Instant,
    expected: Usage,
    streamed: Option<TokenCounter>,
    bill: Bill,
    reservation: Option<Reservation<'a>>,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Run {
    /// Waits for a turn, reserves from the budget and begins a record.
    pub(super) async fn meter(
        &self,
        call: &SubCall,
        index: u32,
    ) -> Result<Meter<'_>, StrategyError> {
        if call.request.is_lost() {
            return Err(ModelError::NoRoom.into());
        }
        let permit = self.until_deadline(self.shared.budget.turn()).await?;
        let began = Instant::now();
        if self.is_over() {
            return Err(StrategyError::Deadline);
        }
        let expected = self.shared.model.expected(&call.request);
        let reservation = self
            .shared
            .budget
            .reserve(expected.total)
            .map_err(StrategyError::Budget)?;
        let record = self.begin_record(call, index, began, expected);
        Ok(Meter {
            run: self,
            record,
            began,
            expected,
            streamed: None,
            bill: Bill::default(),
            reservation: Some(reservation),
            _permit: permit,
        })
    }

    fn begin_record(&self, call: &SubCall, index: u32, began: Instant, usage: Usage) -> usize {
        let calls = &mut self.log().trace.calls;
        if calls.is_empty() {
            // Many runs make one call, and a stream holds its record as long as it lasts.
            calls.reserve_exact(1);
        }
        calls.push(CallRecord {
            branch: self.branch.to_string(),
            purpose: call.purpose,
            model: call.request.model().to_owned(),
            index,
            started: began.saturating_duration_since(self.shared.began),
            duration: std::time::Duration::ZERO,
            usage,
            outcome: CallOutcome::Pending,
        });
        calls.len() - 1
    }
}

impl Meter<'_> {
    /// Where the port says what the call has cost.
    pub(super) fn bill(&self) -> Bill {
        self.bill.clone()
    }

    /// The call was answered. Where the provider reports no usage, ours stands in.
    pub(super) fn answered(mut self, completion: &mut Completion) {
        let written = Written::of(&completion.choices);
        let usage = settle(completion.usage, written, self.expected.prompt);
        self.run.log().reported.add(&completion.reported);
        completion.usage = Some(self.end(CallOutcome::Answered, usage));
    }

    /// The call was stopped on purpose, while its answer came. What it has used counts as used.
    pub(super) fn stopped(mut self) -> Usage {
        let usage = self.spent();
        self.end(CallOutcome::Cancelled, usage)
    }

    /// The call failed. What certainly was not billed is given back.
    pub(super) fn failed(mut self, error: &ModelError) {
        let may_be_billed = match error {
            ModelError::Malformed { .. }
            | ModelError::NoRoom
            | ModelError::TimedOut
            | ModelError::Unavailable { reached: true, .. } => true,
            ModelError::Limited { .. }
            | ModelError::RateLimited(_)
            | ModelError::Rejected(_)
            | ModelError::Unavailable { .. }
            | ModelError::Unspeakable(_) => false,
        };
        if matches!(
            error,
            ModelError::Limited { .. } | ModelError::Unspeakable(_)
        ) {
            // A call that hone refused itself never left: it is no call.
            if let Some(reservation) = self.reservation.take() {
                reservation.cancel();
            }
        }
        let usage = if may_be_billed {
            self.spent()
        } else {
            Usage::default()
        };
        self.end(error.into(), usage);
    }

    /// A piece of a streamed answer arrived.
    pub(super) fn saw(&mut self, chunk: &Chunk) {
        let streamed = self.streamed.get_or_insert_default();
        for choice in &chunk.choices {
            streamed.add(&choice.delta);
        }
        let spent = self.spent().total;
        if let Some(reservation) = &mut self.reservation {
            reservation.expect(spent);
        }
    }

    /// What the call has used so far, as far as can be told.
    fn spent(&self) -> Usage {
        let written = self.streamed.as_ref().map_or(0, TokenCounter::tokens);
        settle_cut(self.expected, written)
    }

    /// Closes the account once, with what was billed, else with `usage`. Returns what it was.
    fn end(&mut self, outcome: CallOutcome, usage: Usage) -> Usage {
        let usage = self.bill.charged().unwrap_or(usage);
        if let Some(reservation) = self.reservation.take() {
            reservation.settle(usage.total);
        }
        let mut log = self.run.log();
        let pending = |record: &&mut CallRecord| record.outcome == CallOutcome::Pending;
        if let Some(record) = log.trace.calls.get_mut(self.record).filter(pending) {
            record.duration = self.began.elapsed();
            record.usage = usage;
            record.outcome = outcome;
            log.usage.add(&usage);
        }
        usage
    }
}

impl Drop for Meter<'_> {
    /// A call that is dropped on the way. Its port's future has been dropped before, and has told
    /// its bill.
    fn drop(&mut self) {
        let usage = self.spent();
        self.end(CallOutcome::Cancelled, usage);
    }
}
