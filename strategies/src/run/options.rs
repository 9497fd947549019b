//! What a run is given.

use std::sync::Arc;

use super::budget::RunLimits;
use super::event::EventSink;
use super::halt::Halt;
use crate::model::Model;
use crate::model::quality::Quality;
use crate::solver::Solver;

/// Where the words come from that mark the fences around text that others wrote.
///
/// Whoever knows the word can end a fence in the text itself and go on as if the judge were
/// addressed. A client's seed must not tell it: the text may come from a third party, such as a web
/// page or a tool, who can guess seeds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fences {
    /// From the system: nobody can know them.
    #[default]
    Secret,
    /// From the run's seed, where no stranger's text is judged and a run has to be repeatable to
    /// the byte: simulations and tests.
    Repeatable,
}

/// What a run works with.
pub struct RunOptions {
    /// The model.
    pub model: Arc<dyn Model>,
    /// A solver for the strategies that need one.
    pub solver: Option<Arc<dyn Solver>>,
    /// What may be spent.
    pub limits: RunLimits,
    /// Where all randomness comes from but that of fences.
    pub seed: u64,
    /// Where the marks of fences come from.
    pub fences: Fences,
    /// Where the answer is told as it comes, if the client wants a stream.
    pub sink: Option<EventSink>,
    /// What may end the run before its deadline.
    pub halt: Halt,
    /// What has been measured of models, if anything has.
    pub quality: Option<Arc<Quality>>,
}

impl std::fmt::Debug for RunOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunOptions")
            .field("limits", &self.limits)
            .field("seed", &self.seed)
            .finish_non_exhaustive()
    }
}
