//! Methods that decide how long a model thinks.

pub(crate) mod autothink;
pub(crate) mod shortest;
pub(crate) mod thinkdeeper;
