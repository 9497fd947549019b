//! Behaviour of runs, seen through the crate's two entry points.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test's support fails the test"
)]

mod confidence; // the probabilities of tokens
mod judge; // rating and comparing candidates
mod long_text; // texts that are too long to be read at once
mod matrix; // what every strategy must do
mod merge; // answers made from answers
mod panel; // several models
mod principles; // what worked examples teach
mod runs; // calls, parameters and errors, whatever the strategy
mod search; // plans and steps
mod solving; // problems given to a solver
mod statistics; // what strategies gain, against theory
mod support;
mod table; // what each approach costs
mod thinking; // how long, and how, a model thinks
mod vote; // votes
