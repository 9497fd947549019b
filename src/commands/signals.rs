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
    /// SIGINT or SIGTERM: to end.
    End,
    /// SIGHUP: to read the configuration again.
    Reload,
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
            _ = self.interrupt.recv() => Received::End,
            _ = self.terminate.recv() => Received::End,
        }
    }

    /// Waits for one that ends the process.
    pub(super) async fn end(&mut self) {
        while let Received::Reload = self.next().await {}
    }
}
