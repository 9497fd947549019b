//! The handle itself: what every call of a run shares, and what a strategy may ask and say.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::account::{Account, Log};
use super::budget::Budget;
use super::event::{ChoiceSink, Event, EventSink};
use super::halt::Halt;
use super::manner::{Judging, Manner, Stopping, VoteWeight};
use super::options::{Fences, RunOptions};
use super::trace::{CandidateRecord, Note};
use super::waiting::Waiting;
use crate::chat::Shown;
use crate::demand::Demand;
use crate::error::StrategyError;
use crate::model::quality::{Kind, Measured, Quality};
use crate::model::{Allowance, Fact, Model};
use crate::solver::smt::Script;
use crate::solver::{Solver, SolverError};

/// How far apart the seeds of two choices are; more than the candidates of one.
const SEEDS_PER_CHOICE: i64 = 1024;

/// Why a script was not solved.
pub(crate) enum SolveError {
    /// The run has no solver, or its deadline passed.
    Run(StrategyError),
    /// The solver gave nothing.
    Solver(SolverError),
}

/// A strategy's handle on its run. Cloning it is cheap and gives the same handle.
#[derive(Clone)]
pub(crate) struct Run {
    pub(super) shared: Arc<Shared>,
    pub(super) branch: Arc<str>,
    pub(super) choice: u32,
    pub(super) sink: Option<ChoiceSink>,
}

pub(super) struct Shared {
    pub(super) model: Arc<dyn Model>,
    solver: Option<Arc<dyn Solver>>,
    pub(super) budget: Budget,
    pub(super) deadline: Instant,
    halt: Halt,
    quality: Option<Arc<Quality>>,
    pub(super) began: Instant,
    seed: u64,
    fences: Fences,
    pub(super) manner: Manner,
    /// What the client wants to see of log probabilities.
    pub(super) shown: Shown,
    events: Option<EventSink>,
    is_announced: AtomicBool,
    account: Account,
    pub(super) waiting: Mutex<Waiting>,
    /// The words that fences have been made with.
    nonces: Mutex<Vec<String>>,
}

impl Run {
    pub(crate) fn new(
        options: RunOptions,
        manner: Manner,
        (shown, account): (Shown, Account),
    ) -> Self {
        let RunOptions {
            model,
            solver,
            limits,
            seed,
            fences,
            sink: events,
            halt,
            quality,
        } = options;
        let shared = Shared {
            model,
            solver,
            budget: Budget::new(&limits),
            deadline: limits.deadline,
            halt,
            quality,
            began: Instant::now(),
            seed,
            fences,
            manner,
            shown,
            events,
            is_announced: AtomicBool::new(false),
            account,
            waiting: Mutex::default(),
            nonces: Mutex::default(),
        };
        Self {
            shared: Arc::new(shared),
            branch: Arc::from(""),
            choice: 0,
            sink: None,
        }
    }

    /// A handle for the strategy `label` working on `choice`, with no way to the client.
    pub(crate) fn child(&self, label: &str, choice: u32) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            branch: format!("{label}#{choice}").into(),
            choice,
            sink: None,
        }
    }

    /// The same handle with a way to the client, if the client wants to watch.
    pub(crate) fn aloud(mut self) -> Self {
        self.sink = self
            .shared
            .events
            .clone()
            .map(|events| ChoiceSink::new(events, self.choice));
        self
    }

    /// Has a script solved in at most `limit`, and gives what the solver printed.
    pub(crate) async fn solve(
        &self,
        script: &Script,
        limit: Duration,
    ) -> Result<String, SolveError> {
        let Some(solver) = &self.shared.solver else {
            return Err(SolveError::Run(StrategyError::NoSolver));
        };
        let solved = self.until_deadline(solver.solve(script, limit)).await;
        solved.map_err(SolveError::Run)?.map_err(SolveError::Solver)
    }

    /// Whether the client sees the answer while it comes.
    pub(crate) fn is_watched(&self) -> bool {
        self.sink.is_some()
    }

    /// What was learned about `model`, if it was learned recently.
    pub(crate) fn knows(&self, model: &str, fact: Fact) -> Option<bool> {
        self.shared.model.knows(model, fact)
    }

    /// When a vote is over before all have voted.
    pub(crate) fn stopping(&self) -> Stopping {
        self.shared.manner.stopping
    }

    /// What was measured of the request's model on questions like this one.
    pub(crate) fn measured(&self, model: &str, kind: Kind) -> Option<&Measured> {
        self.shared.quality.as_ref()?.of(model, kind)
    }

    /// What votes are weighed by.
    pub(crate) fn weighing(&self) -> VoteWeight {
        self.shared.manner.weight
    }

    /// Whom judges are asked about, and how much they may say.
    pub(crate) fn judging(&self) -> Judging {
        self.shared.manner.judging
    }

    /// Room for what models wrote in one prompt, in bytes.
    pub(crate) fn shown_bytes(&self) -> usize {
        self.shared.manner.shown_bytes
    }

    /// How many calls the budget still has room for.
    pub(crate) fn calls_left(&self) -> u32 {
        self.shared.budget.calls_left()
    }

    /// Whether the run's budget and, as far as they are known, the caller's limits have room for
    /// `demand`.
    pub(crate) fn has_room_for(&self, demand: Demand) -> bool {
        let Allowance { calls, tokens } = self.shared.model.allowance();
        let calls = calls.min(self.calls_left().into());
        u64::from(demand.calls) <= calls
            && demand.total_tokens <= tokens.min(self.shared.budget.tokens_left())
    }

    /// Remembers what was learned about `model`.
    pub(crate) fn learn(&self, model: &str, fact: Fact, value: bool) {
        self.shared.model.learn(model, fact, value);
    }

    /// Whether the upstream is not known to refuse the parameter `name`.
    pub(crate) fn may_accept(&self, model: &str, name: &'static str) -> bool {
        self.shared.model.knows(model, Fact::Accepts(name)) != Some(false)
    }

    /// Random numbers for `purpose`, the same ones for the same seed, strategy and choice.
    pub(crate) fn rng(&self, purpose: &str) -> SmallRng {
        let bytes = self.branch.bytes().chain([0]).chain(purpose.bytes());
        // FNV-1a: the standard library's hasher may change between releases.
        SmallRng::seed_from_u64(
            bytes.fold(self.shared.seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
            }),
        )
    }

    /// A word that nobody who wrote to the model can know, for fences around foreign text. Each is
    /// another one: a model that has seen one may repeat it in what the next fence stands around.
    pub(crate) fn nonce(&self) -> String {
        use rand::Rng;
        let word: u64 = match self.shared.fences {
            Fences::Secret => rand::random(),
            Fences::Repeatable => self.rng("nonce").random(),
        };
        // Twelve digits, which a text full of guesses does not hit.
        let nonce = format!("{:012x}", word >> 16);
        self.lock_nonces().push(nonce.clone());
        nonce
    }

    /// The words that fences have been made with.
    pub(super) fn nonces(&self) -> Vec<String> {
        self.lock_nonces().clone()
    }

    fn lock_nonces(&self) -> MutexGuard<'_, Vec<String>> {
        let nonces = self.shared.nonces.lock();
        nonces.unwrap_or_else(PoisonError::into_inner)
    }

    /// Remarks something in the trace.
    pub(crate) fn note(&self, name: &'static str, value: impl Into<Value>) {
        let note = Note {
            branch: self.branch.to_string(),
            name,
            value: value.into(),
        };
        self.log().trace.notes.push(note);
    }

    /// Shows in the trace what there was to choose from.
    pub(crate) fn record(&self, candidates: impl IntoIterator<Item = CandidateRecord>) {
        let named = candidates.into_iter().map(|candidate| CandidateRecord {
            branch: self.branch.to_string(),
            ..candidate
        });
        self.log().trace.candidates.extend(named);
    }

    /// Counts tokens that a call has generated as reasoning: what they say is told as that.
    pub(crate) fn reasoned(&self, tokens: u64) {
        let mut log = self.log();
        let reasoning = log.usage.reasoning.saturating_add(tokens);
        log.usage.reasoning = reasoning.min(log.usage.completion);
    }

    /// Says that the answer is not all that was asked for, and why. A reason is told once.
    pub(crate) fn degrade(&self, reason: &str) {
        let mut log = self.log();
        if !log.degraded.iter().any(|known| known == reason) {
            tracing::debug!(branch = %self.branch, reason, "degraded");
            log.degraded.push(reason.to_owned());
        }
    }

    /// Calls made so far, and what the run leaves behind.
    pub(crate) fn close(&self) -> (u32, Log) {
        (self.shared.budget.calls(), std::mem::take(&mut *self.log()))
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.shared.account.log()
    }

    /// What a client's seed is raised by for the call number `index` of several alike.
    pub(crate) fn seed_offset(&self, index: u32) -> i64 {
        i64::from(self.choice) * SEEDS_PER_CHOICE + i64::from(index)
    }

    /// `work`, dropped at the deadline or when the run is halted. Dropping a call's future is what
    /// cancels it.
    pub(super) async fn until_deadline<T>(
        &self,
        work: impl Future<Output = T>,
    ) -> Result<T, StrategyError> {
        tokio::select! {
            biased;
            done = timeout_at(self.shared.deadline, work) => {
                done.map_err(|_elapsed| StrategyError::Deadline)
            }
            () = self.shared.halt.comes() => Err(StrategyError::Deadline),
        }
    }

    /// Whether nothing more may begin.
    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.shared.deadline || self.shared.halt.has_come()
    }

    /// Tells the first success, once per run.
    pub(super) async fn announce(&self) -> Result<(), StrategyError> {
        match &self.shared.events {
            // Swapped before the send, which may wait: calls that succeed meanwhile say nothing.
            Some(events) if !self.shared.is_announced.swap(true, Ordering::Relaxed) => events
                .send(Event::Started)
                .await
                .map_err(|_closed| StrategyError::Gone),
            _ => Ok(()),
        }
    }
}
