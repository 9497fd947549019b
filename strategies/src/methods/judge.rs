//! Methods in which a judge rates or compares candidates.

pub(crate) mod best_of_n;
pub(crate) mod generative_selection;
pub(crate) mod knockout;
pub(crate) mod prover_verifier_game;
pub(crate) mod round_trip_optimization;
