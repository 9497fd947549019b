//! Errors of the harness.

/// An error that ends the whole run: the harness itself cannot go on.
pub(crate) type Fatal = Box<dyn std::error::Error + Send + Sync>;
