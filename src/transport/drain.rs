//! Drain: stop accepting, finish what runs, force after a grace period.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Shared by every listener and connection of the process. Cheap to clone; a clone drains the same
/// connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drain {
    stop: CancellationToken,
    force: CancellationToken,
    tasks: TaskTracker,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every connection finished by itself.
    Clean,
    /// The grace period passed and some connections were cut off.
    Forced {
        /// How many.
        connections: usize,
    },
}

impl Drain {
    /// Nothing is draining yet.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Cancelled when the drain begins: stop accepting, take no new request.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Cancelled when the grace period is over.
    pub(crate) fn forced(&self) -> &CancellationToken {
        &self.force
    }

    /// Where connection tasks live.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Whether the drain has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.stop.is_cancelled()
    }

    /// Begins to drain and waits until every connection has ended, by force after `grace`.
    pub(crate) async fn run(&self, grace: Duration) -> Drained {
        self.stop.cancel();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_ok() {
            return Drained::Clean;
        }
        let connections = self.tasks.len();
        self.force.cancel();
        self.tasks.wait().await;
        Drained::Forced { connections }
    }
}
