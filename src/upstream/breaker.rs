//! Outlier protection for one upstream.
//!
//! Only the failure to connect counts: it is the one fault that no tenant can cause. A status, a
//! rejected key or a slow answer may be due to a single tenant's key or prompt, and must not close
//! the upstream to the others. So its opposite counts as well: a connection that was made closes
//! the breaker at once, however long the answer takes; an answer over an older connection does so,
//! too.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

/// Failed connects in a row that open the breaker.
const THRESHOLD: u32 = 5;
/// How long it stays open before one request may try again.
const COOL_DOWN: Duration = Duration::from_secs(5);

/// Closed while the upstream can be reached; open for a while after repeated failures; then one
/// trial decides.
#[derive(Debug, Default)]
pub(crate) struct Breaker(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    failures: u32,
    retry_at: Option<Instant>,
}

impl Breaker {
    /// Whether a request may be sent now; if not, after what time one may be tried.
    ///
    /// When the cool-down has passed, one caller is let through and the others wait for another
    /// cool-down.
    pub(crate) fn check(&self) -> Result<(), Duration> {
        let mut state = self.state();
        let Some(retry_at) = state.retry_at else {
            return Ok(());
        };
        let now = Instant::now();
        if now < retry_at {
            return Err(retry_at - now);
        }
        state.retry_at = Some(now + COOL_DOWN);
        Ok(())
    }

    /// The upstream was reached: a connection was made, or it answered over an older one.
    pub(crate) fn reached(&self) {
        let mut state = self.state();
        if state.failures > 0 {
            *state = State::default();
        }
    }

    /// The upstream could not be connected to.
    pub(crate) fn unreachable(&self) {
        let mut state = self.state();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= THRESHOLD {
            state.retry_at = Some(Instant::now() + COOL_DOWN);
        }
    }

    /// Whether requests are being refused.
    pub(crate) fn is_open(&self) -> bool {
        self.state().retry_at.is_some()
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn repeated_failures_to_connect_open_it_and_one_trial_closes_it() {
        let breaker = Breaker::default();
        for _ in 0..THRESHOLD {
            assert_eq!(breaker.check(), Ok(()));
            breaker.unreachable();
        }
        assert_eq!(breaker.check(), Err(COOL_DOWN));
        tokio::time::advance(COOL_DOWN).await;
        assert_eq!(breaker.check(), Ok(()), "one trial");
        assert_eq!(breaker.check(), Err(COOL_DOWN), "and only one");
        breaker.reached();
        assert_eq!(breaker.check(), Ok(()));
        assert!(!breaker.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_in_between_starts_the_count_anew() {
        let breaker = Breaker::default();
        for _ in 0..THRESHOLD * 3 {
            breaker.unreachable();
            breaker.reached();
        }
        assert_eq!(breaker.check(), Ok(()));
    }
}
