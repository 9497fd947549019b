//! Strategies that look at the probabilities of tokens.

mod decoding; // certainty, first tokens, forks
mod deepconf; // confidence that cuts and weighs
