//! What a run is given.

use std::sync::Arc;

use super::budget::RunLimits;
use super::event::EventSink;
use crate::model::Model;
use crate::solver::Solver;

/// What a run works with.
pub struct RunOptions {
    /// The model.
    pub model: Arc<dyn Model>,
    /// A solver for the strategies that need one.
    pub solver: Option<Arc<dyn Solver>>,
    /// What may be spent.
    pub limits: RunLimits,
    /// Where all randomness comes from.
    pub seed: u64,
    /// Where the answer is told as it comes, if the client wants a stream.
    pub sink: Option<EventSink>,
}

impl std::fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunOptions")
            .field("limits", &self.limits)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
