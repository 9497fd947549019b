//! Methods for texts that are too long to be read at once.

pub(crate) mod long_context;
pub(crate) mod memory;
