//! Behaviour of runs, seen through the crate's two entry points.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test's support fails the test"
)]

mod agents; // mars: verifying, improving, stopping
mod calls; // retries, deadline, budget, cancellation
mod choosing; // which candidate wins
mod compose; // a&b, a|b, n, streams
mod decoding; // certainty, first tokens, forks
mod deepconf; // confidence that cuts and weighs
mod effort; // thinking of a wanted length, effort by difficulty
mod electing;
mod errors; // answers named by comparison with each other
mod improving; // answers made from answers
mod long_contexts; // texts beyond a window, read question by question
mod long_texts; // what is read in parts
mod matrix; // what every strategy must do
mod panel; // strategies that ask several models
mod parameters; // what becomes of a client's parameters
mod plan_search; // observations, plans, and what is made of them
mod planning; // cepo: plans, steps, ratings
mod principles; // what worked examples teach
mod round_trip; // answers made again from their description
mod search; // trees of answers
mod solving; // problems given to a solver
mod statistics; // what strategies gain, against theory
mod stopping; // what stopping a vote early saves and costs
mod support;
mod sureness; // who spends more only where a first answer is unsure
mod table;
mod thinking; // structures of thought, and answers that follow them
mod verifying; // solutions and decoys
mod voting; // what is the same answer, when a vote is decided
