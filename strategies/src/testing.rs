//! Models for tests: by script, or simulated with known accuracy. Both live in tokio's time, which
//! a test may pause, and keep a [`Ledger`].

mod ledger;
mod scripted;
mod simulated;
#[cfg(test)]
mod tests;

pub use crate::simulation::Confidence;
pub use ledger::{Ended, Ledger, Recorded};
pub use scripted::{Script, ScriptedModel};
pub use simulated::{Choices, Pace, SimulatedModel};
