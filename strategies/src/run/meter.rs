//! The account of one call, open from its reservation to its end.

use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

use super::Run;
use super::budget::Reservation;
use super::sub_call::SubCall;
use super::trace::{CallOutcome, CallRecord};
use crate::chat::{Choice, Chunk, Completion, Delta, Usage};
use crate::demand::OUTPUT_ESTIMATE;
use crate::error::StrategyError;
use crate::model::ModelError;

const BYTES_PER_TOKEN: u64 = 4;

/// What has come of a streamed answer: tokens where their log probabilities tell them apart, else
/// bytes.
#[derive(Debug, Default)]
struct Streamed {
    tokens: u64,
    bytes: u64,
}

impl Streamed {
    fn add(&mut self, delta: &Delta) {
        let scored = delta
            .logprobs
            .as_ref()
            .and_then(|logprobs| logprobs.get("content")?.as_array())
            .map_or(0, Vec::len);
        if scored > 0 {
            self.tokens += scored as u64;
        } else {
            self.bytes += delta.fields.values().map(text_bytes).sum::<usize>() as u64;
        }
    }

    fn tokens(&self) -> u64 {
        self.tokens + self.bytes.div_ceil(BYTES_PER_TOKEN)
    }
}

/// One call's permit, reservation and record. Dropping it closes the account of a cancelled call:
/// what it read, and what it generated if that was seen, else what it was expected to.
pub(super) struct Meter<'a> {
    run: &'a Run,
    record: usize,
    began: Instant,
    expected: Usage,
    streamed: Option<Streamed>,
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
        let permit = self.until_deadline(self.shared.budget.turn()).await?;
        let began = Instant::now();
        if began >= self.shared.deadline {
            return Err(StrategyError::Deadline);
        }
        let expected = expected(call);
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
            reservation: Some(reservation),
            _permit: permit,
        })
    }

    fn begin_record(&self, call: &SubCall, index: u32, began: Instant, usage: Usage) -> usize {
        let calls = &mut self.log().trace.calls;
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

/// What a call is expected to use.
fn expected(call: &SubCall) -> Usage {
    let choices = u64::from(call.request.n());
    let ceiling = call
        .request
        .token_limit()
        .map_or(OUTPUT_ESTIMATE, |(_, limit)| limit.min(OUTPUT_ESTIMATE));
    Usage::new(
        call.request.estimated_prompt_tokens(),
        ceiling.saturating_mul(choices),
    )
}

impl Meter<'_> {
    /// The call was answered. Where the provider reports no usage, ours stands in.
    pub(super) fn answered(mut self, completion: &mut Completion) {
        let usage = self.usage_of(completion);
        if let Some(reservation) = self.reservation.take() {
            reservation.settle(usage.total);
        }
        self.end(CallOutcome::Answered, usage);
        let mut log = self.run.log();
        log.usage.add(&usage);
        completion.usage = Some(usage);
    }

    /// The call was stopped on purpose, while its answer came. What it has used counts as used.
    pub(super) fn stopped(mut self) -> Usage {
        let usage = self.spent();
        if let Some(reservation) = self.reservation.take() {
            reservation.settle(usage.total);
        }
        self.end(CallOutcome::Cancelled, usage);
        self.run.log().usage.add(&usage);
        usage
    }

    /// The call failed. What certainly was not billed is given back.
    pub(super) fn failed(mut self, error: &ModelError) {
        let may_be_billed = match error {
            ModelError::Malformed { .. }
            | ModelError::TimedOut
            | ModelError::Unavailable { reached: true, .. } => true,
            ModelError::Limited { .. }
            | ModelError::RateLimited(_)
            | ModelError::Rejected(_)
            | ModelError::Unavailable { .. } => false,
        };
        let usage = if may_be_billed {
            self.spent()
        } else {
            Usage::default()
        };
        match self.reservation.take() {
            // A call that a limit of ours refused never left: it is no call.
            Some(reservation) if matches!(error, ModelError::Limited { .. }) => {
                reservation.cancel();
            }
            Some(reservation) => reservation.settle(usage.total),
            None => {}
        }
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
        match &self.streamed {
            Some(streamed) => Usage::new(self.expected.prompt, streamed.tokens()),
            None => self.expected,
        }
    }

    fn usage_of(&self, completion: &Completion) -> Usage {
        let counted = completion.choices.iter().map(counted_tokens).sum();
        match completion.usage {
            None => Usage::new(self.expected.prompt, counted),
            // llama.cpp reports the tokens of one choice only.
            Some(usage) if completion.choices.len() > 1 && usage.completion < counted => Usage {
                completion: counted,
                total: usage.prompt.saturating_add(counted),
                ..usage
            },
            Some(usage) => usage,
        }
    }

    fn end(&self, outcome: CallOutcome, usage: Usage) {
        let mut log = self.run.log();
        if let Some(record) = log
            .trace
            .calls
            .get_mut(self.record)
            .filter(|record| record.outcome == CallOutcome::Pending)
        {
            record.duration = self.began.elapsed();
            record.usage = usage;
            record.outcome = outcome;
        }
    }
}

impl Drop for Meter<'_> {
    fn drop(&mut self) {
        self.end(CallOutcome::Cancelled, self.spent());
    }
}

/// Our own count of the tokens of an answer.
pub(super) fn counted_tokens(choice: &Choice) -> u64 {
    let bytes: usize = choice
        .message
        .fields()
        .iter()
        .filter(|(name, _)| *name != "role")
        .map(|(_, value)| text_bytes(value))
        .sum();
    (bytes as u64).div_ceil(BYTES_PER_TOKEN)
}

fn text_bytes(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::String(text) => text.len(),
        serde_json::Value::Array(values) => values.iter().map(text_bytes).sum(),
        serde_json::Value::Object(fields) => fields.values().map(text_bytes).sum(),
        _ => 0,
    }
}
