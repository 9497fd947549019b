//! Inference-time strategies: ways to spend extra calls to a model for a better answer.
//!
//! This crate knows nothing of HTTP, tenants, the environment or files. It reaches a model only
//! through a port, and a strategy reaches that port only through a metered handle, so that no call
//! can be made outside a run's budget, deadline and trace.
//!
//! [`plan()`] turns an approach into a [`Plan`]; [`execute()`] runs it on a request. [`STRATEGIES`]
//! lists what there is.

/// The example of CONTRIBUTING.md, which uses what only this crate's own strategies can.
#[cfg(test)]
#[path = "../examples/adding/check.rs"]
mod adding;
pub mod answer;
pub mod catalogue;
pub mod chat;
pub mod contract;
pub mod demand;
pub mod error;
mod kit;
mod methods;
pub mod model;
mod non_empty;
pub mod params;
pub mod plan;
pub mod reasoning;
mod run;
pub mod simulation;
pub mod solver;
mod spec;
mod strategy;
#[cfg(feature = "testing")]
pub mod testing;

pub use catalogue::{Entry, ParamSpec, STRATEGIES, nearest_slug};
pub use chat::{ChatRequest, Completion};
pub use demand::Demand;
pub use error::{Exhausted, Missing, SpecError, SpecErrorKind, StrategyError};
pub use kit::reading::verdict;
pub use kit::tokens::confidence;
pub use model::{Model, ModelError};
pub use params::Params;
pub use plan::execute::{Outcome, execute, execute_on};
pub use plan::expr::{Expr, ExprError};
pub use plan::{Plan, PlanLimits, execute, expr, param_names, plan};
pub use run::account::{Account, Spent};
pub use run::budget::RunLimits;
pub use run::event::{Event, EventSink};
pub use run::options::RunOptions;
pub use run::trace::{CallOutcome, CallRecord, CandidateRecord, Note, Trace};
pub use simulation::share::{self, Share};
pub use solver::{Solver, SolverError, smt};
