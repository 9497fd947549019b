//! Inference-time strategies: ways to spend extra calls to a model for a better answer.
//!
//! This crate knows nothing of HTTP, tenants, the environment or files. It reaches a model only
//! through a port, and a strategy reaches that port only through a metered handle, so that no call
//! can be made outside a run's budget, deadline and trace.
//!
//! [`plan()`] turns an approach into a [`Plan`]; [`execute()`] runs it on a request. [`STRATEGIES`]
//! lists what there is.

pub mod answer;
mod auto;
mod autothink;
mod best_of_n;
mod cascade;
pub mod catalogue;
pub mod chat;
mod compose;
pub mod contract;
mod cot_decoding;
mod cot_reflection;
mod deep_think;
mod deepconf;
pub mod demand;
mod entropy_decoding;
pub mod error;
pub mod execute;
pub mod expr;
mod fusion;
mod generative_selection;
mod kit;
mod knockout;
mod long_context;
mod majority_voting;
mod memory;
mod mixture_of_agents;
pub mod model;
mod monte_carlo_tree_search;
mod multi_agent_reasoning;
mod mutual_reasoning;
mod none;
mod parallel_distill_refine;
pub mod params;
pub mod plan;
mod plan_search;
mod planning_and_optimization;
mod principle_learning;
mod prover_verifier_game;
mod race;
pub mod reasoning;
mod recursive_aggregation;
mod reread;
mod round_trip_optimization;
mod run;
mod self_certainty;
mod self_consistency;
pub mod simulation;
pub mod smt;
pub mod solver;
mod spec;
mod strategy;
#[cfg(feature = "testing")]
pub mod testing;
mod thinkdeeper;
mod universal_self_consistency;
mod z3;

pub use catalogue::{Entry, ParamSpec, STRATEGIES, nearest_slug, param_names};
pub use chat::{ChatRequest, Completion};
pub use demand::Demand;
pub use error::{Exhausted, Missing, SpecError, SpecErrorKind, StrategyError};
pub use execute::{Outcome, execute, execute_on};
pub use expr::{Expr, ExprError};
pub use kit::reading::verdict;
pub use kit::tokens::confidence;
pub use model::{Model, ModelError};
pub use params::Params;
pub use plan::{Plan, PlanLimits, plan};
pub use run::account::{Account, Spent};
pub use run::budget::RunLimits;
pub use run::event::{Event, EventSink};
pub use run::options::RunOptions;
pub use run::trace::{CallOutcome, CallRecord, CandidateRecord, Note, Trace};
pub use solver::{Solver, SolverError};
