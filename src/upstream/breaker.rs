//! Outlier protection for one upstream.
//!
//! Only the failure to connect counts: it is the one fault that no tenant can cause. A status, a
//! rejected key or a slow answer may be due to a single tenant's key or prompt, and must not close
//! the upstream to the others. So its opposite counts as well: a connection that was made closes
//! the breaker at once, however long the answer takes; an answer over an older connection does so,
//! too.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::cause::{Cause, Kind};

/// Failed connects in a row that open the breaker.
const THRESHOLD: u32 = 5;
/// How long it stays open before one request may try again.
const COOL_DOWN: Duration = Duration::from_secs(5);
/// How often the operator hears of an upstream that cannot be reached for changing reasons.
const NEWS: Duration = Duration::from_secs(60);

/// Closed while the upstream can be reached; open for a while after repeated failures; then one
/// trial decides. Tells the operator when the upstream becomes unreachable, and why, and when it is
/// back; not of each request in between.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// What the operator calls the upstream, and where it is. Of one without a name nothing is
    /// told.
    named: Option<(String, String)>,
    state: Mutex<State>,
}

/// Whether an upstream can be reached, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Standing {
    /// It was, when that was last tried.
    Ok,
    /// It could not be connected to.
    Unreachable,
    /// Nothing has been tried.
    #[default]
    Untried,
}

impl Standing {
    /// A word for probes.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unreachable => "unreachable",
            Self::Untried => "untried",
        }
    }
}

#[derive(Debug, Default)]
struct State {
    standing: Standing,
    failures: u32,
    retry_at: Option<Instant>,
    /// What the operator was told, and when.
    told: Option<(Kind, Instant)>,
}

impl Breaker {
    /// The breaker of the upstream `name` at `address`.
    pub(crate) fn new(name: &str, address: String) -> Self {
        Self {
            named: Some((name.to_owned(), address)),
            state: Mutex::default(),
        }
    }

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
        if state.standing == Standing::Ok {
            return;
        }
        let is_back = state.standing == Standing::Unreachable;
        *state = State {
            standing: Standing::Ok,
            ..State::default()
        };
        drop(state);
        if let Some((upstream, address)) = self.named.as_ref().filter(|_| is_back) {
            tracing::info!(
                upstream,
                address,
                "upstream {upstream} can be reached again"
            );
        }
    }

    /// The upstream could not be connected to.
    pub(crate) fn unreachable(&self, cause: &Cause) {
        let mut state = self.state();
        let now = Instant::now();
        state.standing = Standing::Unreachable;
        state.failures = state.failures.saturating_add(1);
        if state.failures >= THRESHOLD {
            state.retry_at = Some(now + COOL_DOWN);
        }
        let is_news = state
            .told
            .is_none_or(|(kind, at)| kind != cause.kind && now >= at + NEWS);
        if is_news {
            state.told = Some((cause.kind, now));
        }
        drop(state);
        if let Some((upstream, address)) = self.named.as_ref().filter(|_| is_news) {
            tracing::warn!(
                upstream, address, cause = %cause,
                "upstream {upstream} at {address} cannot be reached: {cause}"
            );
        }
    }

    /// Whether the upstream could be reached when that was last tried.
    pub(crate) fn standing(&self) -> Standing {
        self.state().standing
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    fn refused() -> Cause {
        Cause::of(&Error::from(ErrorKind::ConnectionRefused))
    }

    #[tokio::test(start_paused = true)]
    async fn repeated_failures_to_connect_open_it_and_one_trial_closes_it() {
        let breaker = Breaker::default();
        for _ in 0..THRESHOLD {
            assert_eq!(breaker.check(), Ok(()));
            breaker.unreachable(&refused());
        }
        assert_eq!(breaker.check(), Err(COOL_DOWN));
        tokio::time::advance(COOL_DOWN).await;
        assert_eq!(breaker.check(), Ok(()), "one trial");
        assert_eq!(breaker.check(), Err(COOL_DOWN), "and only one");
        breaker.reached();
        assert_eq!(breaker.check(), Ok(()));
        assert_eq!(breaker.standing(), Standing::Ok);
    }

    #[tokio::test(start_paused = true)]
    async fn a_success_in_between_starts_the_count_anew() {
        let breaker = Breaker::default();
        for _ in 0..THRESHOLD * 3 {
            breaker.unreachable(&refused());
            breaker.reached();
        }
        assert_eq!(breaker.check(), Ok(()));
    }
}
