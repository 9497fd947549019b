//! What is tried again, and how soon.

use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use super::handle::Run;
use super::sub_call::{Adapted, SubCall};
use crate::chat::Usage;
use crate::error::StrategyError;
use crate::model::{Fact, ModelError};

/// Retries of one call.
const RETRIES: u32 = 2;
/// First backoff; it doubles.
const BACKOFF: Duration = Duration::from_millis(250);

/// How often one call may teach the port something.
const MOST_LESSONS: u32 = 4;

/// One call and how often it was tried again.
pub(super) struct Effort {
    pub(super) call: SubCall,
    pub(super) index: u32,
    retries: u32,
    /// How often the port has learned from a refusal.
    lessons: u32,
    /// What was taken back, to be learnt if that helps.
    withdrawn: Vec<&'static str>,
}

impl Effort {
    pub(super) fn new(run: &Run, call: SubCall, index: u32) -> Self {
        let mut call = call;
        call.heed(run.shared.model.as_ref());
        Self {
            call,
            index,
            retries: 0,
            lessons: 0,
            withdrawn: Vec::new(),
        }
    }

    /// Takes back what the upstream refuses of what hone added, if that is why the call failed.
    fn adapt(&mut self, error: &ModelError) -> bool {
        let ModelError::Rejected(rejection) = error else {
            return false;
        };
        // Some models of OpenAI's forbid their log probabilities as if it were a matter of keys.
        let is_forbidden = || rejection.status == 403 && self.call.is_denied_logprobs(rejection);
        if !matches!(rejection.status, 400 | 422) && !is_forbidden() {
            return false;
        }
        if rejection.has_taught && self.lessons < MOST_LESSONS {
            self.lessons += 1;
            return true;
        }
        match self.call.adapt(rejection) {
            None => false,
            Some(Adapted::ToTheWindow) => true,
            Some(Adapted::Without(name)) => {
                self.withdrawn.push(name);
                true
            }
        }
    }

    /// Whether the call asks for more choices than the upstream gives.
    fn asks_too_many(&self, error: &ModelError) -> bool {
        match error {
            ModelError::Rejected(rejection) => {
                self.call.request.n() > 1 && rejection.refuses_choices()
            }
            _ => false,
        }
    }

    /// Remembers that the upstream does not keep to hone's ceiling, where what it reports is more:
    /// Ollama knows `max_tokens` only.
    pub(super) fn measured(&self, run: &Run, usage: Option<Usage>) {
        let reported = usage
            .filter(|usage| usage.estimated == 0)
            .map(|usage| usage.completion);
        if let Some(name) = reported.and_then(|tokens| self.call.ignored_ceiling(tokens)) {
            run.learn(self.call.request.model(), Fact::Accepts(name), false);
        }
    }

    /// Remembers what the upstream does not take: only now that the call has gone through without
    /// it is that known. A refusal may name anything, what the client wrote included.
    pub(super) fn succeeded(&self, run: &Run) {
        for name in &self.withdrawn {
            run.learn(self.call.request.model(), Fact::Accepts(name), false);
        }
    }
}

impl Run {
    /// After a failure: changes the call or waits, so that it can be made again; or gives the error
    /// back.
    pub(super) async fn recover(
        &self,
        effort: &mut Effort,
        error: ModelError,
    ) -> Result<(), StrategyError> {
        if effort.adapt(&error) {
            return Ok(());
        }
        if effort.retries >= RETRIES || !is_passing(&error) || effort.asks_too_many(&error) {
            return Err(error.into());
        }
        let wait = asked_wait(&error).unwrap_or_else(|| self.backoff(effort));
        effort.retries += 1;
        let now = Instant::now();
        // An upstream may ask for more time than a clock can tell.
        let Some(until) = now.checked_add(wait) else {
            return Err(error.into());
        };
        let may_wait = || {
            self.shared
                .waiting
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .grant(now, until)
        };
        if until >= self.shared.deadline || !may_wait() {
            return Err(error.into());
        }
        tokio::time::sleep_until(until).await;
        Ok(())
    }

    fn backoff(&self, effort: &Effort) -> Duration {
        let mut rng = self.rng(&format!(
            "backoff {:?} {} {}",
            effort.call.purpose, effort.index, effort.retries
        ));
        (BACKOFF * 2_u32.saturating_pow(effort.retries)).mul_f64(rng.random_range(0.5..1.0))
    }
}

/// Whether the same call may succeed a little later.
fn is_passing(error: &ModelError) -> bool {
    match error {
        ModelError::RateLimited(rejection) => rejection.may_pass(),
        ModelError::Rejected(rejection) => {
            matches!(rejection.status, 408 | 409 | 429 | 500..=599) && rejection.may_pass()
        }
        ModelError::Unavailable { .. } => true,
        ModelError::Limited { .. }
        | ModelError::Malformed { .. }
        | ModelError::NoRoom
        | ModelError::TimedOut
        | ModelError::Unspeakable(_) => false,
    }
}

fn asked_wait(error: &ModelError) -> Option<Duration> {
    match error {
        ModelError::RateLimited(rejection) | ModelError::Rejected(rejection) => {
            rejection.retry_after
        }
        _ => None,
    }
}
