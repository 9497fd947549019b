//! Answers to several calls that are not the same: calls to different models, for example.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, timeout_at};

use super::call::Reply;
use super::candidate::{Candidate, Candidates};
use super::handle::Run;
use super::sub_call::SubCall;
use crate::error::StrategyError;
use crate::model::ModelError;
use crate::non_empty::NonEmpty;

/// How long the slow ones of several are waited for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// Whole answers that are enough.
    pub(crate) quorum: usize,
    /// How long the others are waited for once there are enough.
    pub(crate) grace: Duration,
}

/// Makes up for failed calls.
pub(crate) trait Refill: Send + Sync {
    /// A call in place of one that failed, if there is a model worth asking. `failed` are the
    /// models of all calls that have failed so far.
    fn refill(&self, failed: &[String]) -> Option<SubCall>;
}

/// Nothing takes the place of what failed.
pub(crate) struct NoRefill;

impl Refill for NoRefill {
    fn refill(&self, _failed: &[String]) -> Option<SubCall> {
        None
    }
}

impl Run {
    /// The answers to `calls`, all asked at the same time, ordered by number; at least one. Those
    /// that fail are missing.
    ///
    /// With `patience`, once enough have answered the rest gets its grace and is then cancelled. A
    /// call that fails before that is made up for once by what `refill` says; but not until
    /// something has answered, so that a failing first wave costs nothing more.
    ///
    /// # Errors
    ///
    /// The last error if nothing answered.
    pub(crate) async fn gather(
        &self,
        calls: Vec<SubCall>,
        patience: Option<Patience>,
        refill: &dyn Refill,
    ) -> Result<Candidates, StrategyError> {
        let ask = |index: u32, call: SubCall| async move {
            let model = call.request.model().to_owned();
            (
                index,
                model,
                self.complete(call.numbered(self.seed_offset(index)), index)
                    .await,
            )
        };
        let seats = u32::try_from(calls.len()).unwrap_or(u32::MAX);
        let mut gathered = Gathered {
            seats,
            ..Gathered::default()
        };
        let mut open: FuturesUnordered<_> = (0..)
            .zip(calls)
            .map(|(index, call)| ask(index, call))
            .collect();
        let mut until = None;
        loop {
            let next = match until {
                None => open.next().await,
                Some(until) => timeout_at(until, open.next())
                    .await
                    .unwrap_or_else(|_elapsed| {
                        self.degrade("stragglers");
                        None
                    }),
            };
            let Some((index, model, result)) = next else {
                break;
            };
            gathered.take(self, index, model, result);
            if until.is_none() {
                until = patience
                    .filter(|patience| gathered.sound() >= patience.quorum)
                    .map(|patience| Instant::now() + patience.grace);
            }
            if until.is_none() && !gathered.candidates.is_empty() {
                for (index, call) in gathered.refills(refill) {
                    open.push(ask(index, call));
                }
            }
        }
        gathered.finish()
    }
}

/// What has come in.
#[derive(Default)]
struct Gathered {
    seats: u32,
    candidates: Vec<Candidate>,
    /// The models whose calls failed or gave no whole answer.
    failed: Vec<String>,
    /// Seats to be filled anew.
    vacant: Vec<u32>,
    last_error: Option<StrategyError>,
}

impl Gathered {
    fn take(&mut self, run: &Run, index: u32, model: String, result: Result<Reply, StrategyError>) {
        let mut may_refill = index < self.seats;
        match result {
            Ok(reply) => {
                let candidate = reply.candidate(index);
                may_refill &= !candidate.is_sound();
                self.candidates.push(candidate);
            }
            Err(error) => {
                run.degrade(error.reason());
                // Without room, time or permission for this call there is none for another.
                may_refill &= matches!(&error, StrategyError::Model(error) if !matches!(error,
                    ModelError::Limited { .. }));
                self.last_error = Some(error);
            }
        }
        if may_refill {
            self.failed.push(model);
            self.vacant.push(index);
        }
    }

    fn sound(&self) -> usize {
        self.candidates
            .iter()
            .filter(|candidate| candidate.is_sound())
            .count()
    }

    /// The calls that take the vacant seats, under numbers of their own.
    fn refills(&mut self, refill: &dyn Refill) -> Vec<(u32, SubCall)> {
        let failed = &self.failed;
        let seats = self.seats;
        self.vacant
            .drain(..)
            .filter_map(|seat| Some((seat.saturating_add(seats), refill.refill(failed)?)))
            .collect()
    }

    fn finish(self) -> Result<Candidates, StrategyError> {
        let Some(mut candidates) = NonEmpty::new(self.candidates) else {
            let nothing = StrategyError::Unreachable("nobody was asked");
            return Err(self.last_error.unwrap_or(nothing));
        };
        candidates.sort_by_key(|candidate| candidate.index);
        Ok(candidates)
    }
}
