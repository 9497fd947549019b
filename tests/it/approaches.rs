//! Strategies as a client meets them.

mod choice; // choosing an approach, and what a client sees of it
mod panels; // strategies that ask several models, and whose keys go where
mod solver; // z3, the real one
