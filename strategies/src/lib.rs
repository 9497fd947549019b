//! Inference-time strategies: ways to spend extra calls to a model for a better answer.
//!
//! This crate knows nothing of HTTP, tenants, the environment or files. The application
//! that embeds it brings a model and sets what a run may spend; the crate brings the methods.
//!
//! # Strategies
//!
//! A *strategy* answers a chat request with more than one call: best-of-n samples candidates and
//! has a judge rate them, self-consistency has them vote, a tree search rewrites the best so far.
//! Each has a slug, and [`STRATEGIES`] lists them with their parameters, their cost and the paper
//! they follow. An *approach* is what a user writes: a slug, or several joined by `&` (one after
//! the other) and `|` (side by side), read by [`Expr::parse`].
//!
//! # The ports
//!
//! [`Model`] is the one way to a model: a whole answer or a stream, for a request in OpenAI's shape
//! ([`chat`]). The embedder implements it over its own client. It also remembers what was learned
//! about an upstream, for example that it ignores `n`. [`Solver`] is the port to an SMT solver, for
//! the one strategy that needs it. Dropping a future of either must cancel the work behind it.
//!
//! # A run
//!
//! [`plan()`] checks an approach and its parameters, and tells by [`Plan::demand`] what the worst
//! case costs, before anything is spent. [`execute()`] runs the plan on a request. A strategy
//! reaches the model only through a handle that reserves each call from the budget, ends it at the
//! deadline, tries it again where that can help, and records it in the [`Trace`], so no call can be
//! made outside of these. Nothing is spawned: dropping the future of a run cancels every call. With
//! the same seed and the same replies a run makes the same calls.
//!
//! An answer that is less than what was asked for is still an answer: [`Outcome::degraded`] says
//! why. [`StrategyError`] is for runs that have none.
//!
//! # Example
//!
//! The model here follows a script, from the feature `testing`.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use hone_strategies::chat::Message;
//! use hone_strategies::model::Purpose;
//! use hone_strategies::testing::{Script, ScriptedModel};
//! use hone_strategies::{
//!     ChatRequest, Expr, Fences, Halt, Params, PlanLimits, RunLimits, RunOptions, execute, plan,
//! };
//! use tokio::time::Instant;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
//! # runtime.block_on(async {
//! let model = Arc::new(ScriptedModel::new("It is 42.").when(
//!     |_, call| call.purpose == Purpose::Judge,
//!     Script::text("Score: 9\nCorrect and brief."),
//! ));
//!
//! // Two candidates, and a rating of each.
//! let mut params = Params::new();
//! params.set("best_of_n", 2);
//! params.set("judge_always", true);
//! let plan = plan(&Expr::parse("bon")?, &params, &PlanLimits::default())?;
//! let request = ChatRequest::new("some-model", [Message::user("How much is 6 times 7?")]);
//! assert_eq!(plan.demand(&request).calls, 3);
//!
//! let limits = RunLimits {
//!     calls: 10,
//!     tokens: 100_000,
//!     deadline: Instant::now() + Duration::from_secs(60),
//!     parallel: 4,
//! };
//! let asked = Arc::clone(&model) as Arc<_>;
//! let options = RunOptions {
//!     model: asked,
//!     solver: None,
//!     limits,
//!     seed: 1,
//!     fences: Fences::Secret,
//!     sink: None,
//!     halt: Halt::default(),
//!     quality: None,
//! };
//! let outcome = execute(&plan, request, options).await?;
//!
//! assert_eq!(outcome.choices[0].message.text(), "It is 42.");
//! assert_eq!(outcome.calls as usize, model.ledger().calls().len());
//! // The script tells no log probabilities: what would be weighed by them counts whole.
//! assert_eq!(outcome.degraded, ["logprobs"]);
//! # Ok(())
//! # })
//! # }
//! ```
//!
//! # What else is here
//!
//! [`answer`] finds the final answer in a reply and compares it with others, [`contract`] holds the
//! lines by which prompts ask for machine-readable replies, and [`simulation`] is a model that is
//! right with a known probability, against which the gain of every strategy is measured.

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

pub use answer::program;
pub use catalogue::{Entry, ParamSpec, STRATEGIES, nearest_slug};
pub use chat::{ChatRequest, Completion};
pub use demand::Demand;
pub use error::{Exhausted, Missing, SpecError, SpecErrorKind, StrategyError};
pub use kit::choosing::weighing::Sureness;
pub use kit::reading::verdict;
pub use kit::tokens::confidence;
pub use methods::vote::pal::program_request;
pub use model::quality;
pub use model::{Model, ModelError};
pub use params::Params;
pub use plan::execute::{Outcome, execute, execute_on};
pub use plan::expr::{Expr, ExprError};
pub use plan::{Plan, PlanLimits, execute, expr, param_names, plan};
pub use run::account::{Account, Spent};
pub use run::budget::RunLimits;
pub use run::event::{Closed, Event, EventSink, EventStream, Sink, Source, event_channel};
pub use run::halt::Halt;
pub use run::options::{Fences, RunOptions};
pub use run::trace::{CallOutcome, CallRecord, CandidateRecord, Note, Trace};
pub use simulation::share::{self, Share};
pub use solver::{Solver, SolverError, smt};
