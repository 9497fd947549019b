//! Drain: say so, stop accepting, finish what runs, and after a grace period end what is left:
//! first as well as it can be ended, then by force.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How long runs that are halted may take to put the answer together that they have.
const BEST_SO_FAR: Duration = Duration::from_millis(500);
/// How long what is said last may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Shared by every listener and connection of the process. Cheap to clone; a clone drains the same
/// connections.
#[derive(Debug, Clone)]
pub(crate) struct Drain {
    leaving: Arc<AtomicBool>,
    stop: CancellationToken,
    hurry: CancellationToken,
    halt: Arc<watch::Sender<bool>>,
    closing: CancellationToken,
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
        Self {
            leaving: Arc::default(),
            stop: CancellationToken::new(),
            hurry: CancellationToken::new(),
            halt: Arc::new(watch::Sender::new(false)),
            closing: CancellationToken::new(),
            force: CancellationToken::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Cancelled when connections stop: accept none, take no new request.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.stop
    }

    /// Has `true` when the grace period is over: runs end with what they have.
    pub(crate) fn halting(&self) -> watch::Receiver<bool> {
        self.halt.subscribe()
    }

    /// Cancelled soon after that: what is not answered yet is refused, and streams say that they
    /// end.
    pub(crate) fn closing(&self) -> &CancellationToken {
        &self.closing
    }

    /// Cancelled in the end: connections close, whatever was said on them.
    pub(crate) fn forced(&self) -> &CancellationToken {
        &self.force
    }

    /// Where connection tasks live.
    pub(crate) fn tasks(&self) -> &TaskTracker {
        &self.tasks
    }

    /// Tells probes that this process will stop, while it accepts as before.
    pub(crate) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether it will stop, or has.
    pub(crate) fn has_begun(&self) -> bool {
        self.leaving.load(Ordering::Relaxed)
    }

    /// Ends the grace period now.
    pub(crate) fn hurry(&self) {
        self.hurry.cancel();
    }

    /// Begins to drain and waits until every connection has ended, by force after `grace`.
    pub(crate) async fn run(&self, grace: Duration) -> Drained {
        self.leave();
        self.stop.cancel();
        self.tasks.close();
        tokio::select! {
            biased;
            () = self.tasks.wait() => return Drained::Clean,
            () = tokio::time::sleep(grace) => {}
            () = self.hurry.cancelled() => {}
        }
        let connections = self.tasks.len();
        self.halt.send_replace(true);
        if !self.end_within(BEST_SO_FAR).await {
            self.closing.cancel();
            if !self.end_within(LAST_WORDS).await {
                self.force.cancel();
                self.tasks.wait().await;
            }
        }
        Drained::Forced { connections }
    }

    async fn end_within(&self, limit: Duration) -> bool {
        tokio::time::timeout(limit, self.tasks.wait()).await.is_ok()
    }
}
