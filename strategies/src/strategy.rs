//! What a strategy is: a future over a metered handle, a worst case to be admitted with, and an
//! entry in the catalogue.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use crate::chat::ChatRequest;
use crate::demand::Demand;
use crate::error::{SpecError, StrategyError};
use crate::params::Params;
use crate::run::{Answer, Run};
use crate::spec::ParamSpec;

/// One method. Authors write `execute` as an `async fn`.
pub(crate) trait Strategy: Send + Sync + 'static {
    /// What it needs for this request.
    fn demand(&self, request: &ChatRequest) -> Demand;

    /// The models beside the request's own that it may ask, by the names that it was given.
    fn models(&self) -> &[String] {
        &[]
    }

    /// Whether it cannot run without a solver.
    fn needs_solver(&self) -> bool {
        false
    }

    /// Does it. Dropping the future stops every call under way.
    ///
    /// # Errors
    ///
    /// Only where there is nothing to answer with: a strategy that has one candidate answers.
    fn execute(
        &self,
        run: &Run,
        request: &ChatRequest,
    ) -> impl Future<Output = Result<Output, StrategyError>> + Send;
}

/// What a strategy makes of a request.
#[derive(Debug, Clone)]
pub(crate) enum Output {
    /// An answer, already handed over.
    Answer(Box<Answer>),
    /// A better request, for whatever comes next.
    Request(ChatRequest),
}

impl From<Answer> for Output {
    fn from(answer: Answer) -> Self {
        Self::Answer(Box::new(answer))
    }
}

/// Any strategy.
#[derive(Clone)]
pub(crate) struct DynStrategy(Arc<dyn Erased>);

impl DynStrategy {
    pub(crate) fn new(strategy: impl Strategy) -> Self {
        Self(Arc::new(strategy))
    }

    pub(crate) fn demand(&self, request: &ChatRequest) -> Demand {
        self.0.demand(request)
    }

    pub(crate) fn models(&self) -> &[String] {
        self.0.models()
    }

    pub(crate) fn needs_solver(&self) -> bool {
        self.0.needs_solver()
    }

    pub(crate) fn execute<'a>(
        &'a self,
        run: &'a Run,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<Output, StrategyError>> {
        self.0.execute(run, request)
    }
}

/// The object-safe twin of [`Strategy`].
trait Erased: Send + Sync {
    fn demand(&self, request: &ChatRequest) -> Demand;
    fn models(&self) -> &[String];
    fn needs_solver(&self) -> bool;
    fn execute<'a>(
        &'a self,
        run: &'a Run,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<Output, StrategyError>>;
}

impl<S: Strategy> Erased for S {
    fn demand(&self, request: &ChatRequest) -> Demand {
        Strategy::demand(self, request)
    }

    fn models(&self) -> &[String] {
        Strategy::models(self)
    }

    fn needs_solver(&self) -> bool {
        Strategy::needs_solver(self)
    }

    fn execute<'a>(
        &'a self,
        run: &'a Run,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<Output, StrategyError>> {
        Strategy::execute(self, run, request).boxed()
    }
}

/// One strategy.
#[derive(Clone, Copy)]
pub struct Entry {
    /// How users ask for it.
    pub slug: &'static str,
    /// Its name in full.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// Where it comes from.
    pub paper: &'static str,
    /// Its parameters, in lists: its own, and those of each method that it may run.
    pub(crate) params: &'static [&'static [ParamSpec]],
    /// Calls and depth, in its parameters.
    pub cost: &'static str,
    /// What it makes of a request.
    pub makes: Makes,
    /// Whether tools the client offers reach the call that answers.
    pub tools: Support,
    /// Whether spoken answers survive it.
    pub audio: Support,
    pub(crate) build: fn(&Params) -> Result<DynStrategy, SpecError>,
}

/// What a strategy makes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Makes {
    /// An answer.
    Answer,
    /// Another request; as the last step it is followed by a plain call.
    Request,
}

/// Whether a strategy can honour something a client asks for. One that cannot is replaced by a
/// plain call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Support {
    /// It survives.
    Honours,
    /// It would be lost.
    Loses,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("slug", &self.slug)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl Entry {
    /// Its parameters, those of the methods that it may run included.
    pub fn params(&self) -> impl Iterator<Item = &'static ParamSpec> + Clone + use<> {
        self.params.iter().copied().flatten()
    }

    /// Whether it cannot run without a [`crate::Solver`].
    pub fn needs_solver(&self) -> bool {
        (self.build)(&Params::new()).is_ok_and(|strategy| strategy.needs_solver())
    }
}
