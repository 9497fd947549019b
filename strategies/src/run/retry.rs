//! What is tried again, and how soon.

use std::time::Duration;

use rand::Rng;
use tokio::time::Instant;

use super::handle::Run;
use super::sub_call::SubCall;
use crate::error::StrategyError;
use crate::model::{Fact, ModelError};

/// Retries of one call.
const RETRIES: u32 = 2;
/// First backoff; it doubles.
const BACKOFF: Duration = Duration::from_millis(250);

/// One call and how often it was tried again.
pub(super) struct Effort {
    pub(super) call: SubCall,
    pub(super) index: u32,
    retries: u32,
    /// Fields that have been taken back because the upstream blamed them.
    taken_back: Vec<&'static str>,
}

impl Effort {
    pub(super) fn new(run: &Run, call: SubCall, index: u32) -> Self {
        let mut call = call;
        call.heed(run.shared.model.as_ref());
        Self {
            call,
            index,
            retries: 0,
            taken_back: Vec::new(),
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
        if adapt(effort, &error) {
            return Ok(());
        }
        if effort.retries >= RETRIES || !is_passing(&error) {
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

    /// The call was answered, so what was taken back of it was refused. Not before: an error may
    /// name a field because the client's own text has its name in it.
    pub(super) fn learn_from(&self, effort: &Effort) {
        for refused in &effort.taken_back {
            let model = effort.call.request.model();
            self.shared
                .model
                .learn(model, Fact::Accepts(refused), false);
        }
    }

    fn backoff(&self, effort: &Effort) -> Duration {
        let mut rng = self.rng(&format!(
            "backoff {:?} {} {}",
            effort.call.purpose, effort.index, effort.retries
        ));
        (BACKOFF * 2_u32.saturating_pow(effort.retries)).mul_f64(rng.random_range(0.5..1.0))
    }
}

/// Takes back a field of hone's that the upstream blames for its refusal.
fn adapt(effort: &mut Effort, error: &ModelError) -> bool {
    let ModelError::Rejected(rejection) = error else {
        return false;
    };
    if !matches!(rejection.status, 400 | 422) {
        return false;
    }
    let Some(refused) = effort.call.adapt(rejection) else {
        return false;
    };
    effort.taken_back.push(refused);
    true
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
        | ModelError::TimedOut => false,
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
