//! For how long a run may wait before it tries again.

use std::time::Duration;

use tokio::time::Instant;

/// Waiting of one run, all its calls together.
const WAITING: Duration = Duration::from_secs(10);

/// How long a run has waited, or is going to. Calls that wait at the same time are counted once.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    total: Duration,
    until: Option<Instant>,
}

impl Waiting {
    /// Whether a call may wait until `until`; if so, that is counted.
    pub(super) fn grant(&mut self, now: Instant, until: Instant) -> bool {
        let from = self.until.map_or(now, |counted| counted.max(now));
        let total = self.total + until.saturating_duration_since(from);
        let granted = total <= WAITING;
        if granted {
            self.total = total;
            self.until = Some(until.max(from));
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn waiting_at_the_same_time_counts_once() {
        let mut waiting = Waiting::default();
        let now = Instant::now();
        for _ in 0..8 {
            assert!(waiting.grant(now, now + Duration::from_secs(6)));
        }
        assert!(!waiting.grant(now, now + Duration::from_secs(11)));
        assert!(waiting.grant(now, now + Duration::from_secs(10)));
        assert!(!waiting.grant(now + Duration::from_secs(20), now + Duration::from_secs(21)));
    }
}
