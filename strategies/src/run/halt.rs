//! An end that nobody could know of when the run began.

use std::future::pending;

use tokio::sync::watch::Receiver;

/// Ends a run before its deadline, as the deadline would: the best answer so far is returned.
/// Without a receiver, or once its sender is gone, it never does.
#[derive(Debug, Clone, Default)]
pub struct Halt(Option<Receiver<bool>>);

impl Halt {
    /// Halts once `receiver` has `true`.
    pub fn by(receiver: Receiver<bool>) -> Self {
        Self(Some(receiver))
    }

    /// Whether the run is to end now.
    pub fn has_come(&self) -> bool {
        self.0.as_ref().is_some_and(|halted| *halted.borrow())
    }

    /// Waits for the end. Cancel safe.
    pub(super) async fn comes(&self) {
        if let Some(mut halted) = self.0.clone()
            && halted.wait_for(|halted| *halted).await.is_ok()
        {
            return;
        }
        pending::<()>().await;
    }
}
