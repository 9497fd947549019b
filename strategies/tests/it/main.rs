//! Behavioural tests of the strategies crate.
