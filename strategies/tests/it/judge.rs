//! Strategies in which a judge rates or compares candidates.

pub(crate) mod choosing; // which candidate wins
mod electing; // answers named by comparison with each other
mod round_trip; // answers made again from their description
mod verdicts; // what a verdict may cost
mod verifying; // solutions and decoys
