//! Inference-time strategies: ways to spend extra calls to a model for a better answer.
//!
//! This crate knows nothing of HTTP, tenants, the environment or files. It reaches a model only through a port, and a strategy reaches that port
//! only through a metered handle, so that no call can be made outside a run's budget, deadline and trace.

pub mod chat;
pub mod contract;
pub mod expr;
pub mod model;
pub mod params;

pub use chat::{ChatRequest, Completion};
pub use expr::{Expr, ExprError};
pub use model::{Model, ModelError};
pub use params::Params;
