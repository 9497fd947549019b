//! The signals that end or reload a server.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The signals that a server hears from its start on.
pub(super) struct Signals {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
}

/// What a signal asks for.
pub(super) enum Received {
    /// To end.
    End(By),
    /// SIGHUP: to read the configuration again.
    Reload,
}

/// Who wants an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// SIGINT: a person at a terminal, who waits.
    Person,
    /// SIGTERM: whatever runs this process.
    Supervisor,
}

impl Signals {
    /// Begins to hear them.
    ///
    /// # Errors
    ///
    /// When the system refuses a handler.
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// The next one. Cancel safe.
    pub(super) async fn next(&mut self) -> Received {
        tokio::select! {
            _ = self.hangup.recv() => Received::Reload,
            _ = self.interrupt.recv() => Received::End(By::Person),
            _ = self.terminate.recv() => Received::End(By::Supervisor),
        }
    }

    /// Waits for one that ends the process.
    pub(super) async fn end(&mut self) -> By {
        loop {
            if let Received::End(by) = self.next().await {
                return by;
            }
        }
    }
}
