//! What other dialects than chat say and chat cannot.

mod native;
mod origin;

pub use native::{Dialect, Native};
pub use origin::{End, Fate, Origin, Wishes};
