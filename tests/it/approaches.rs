//! Strategies as a client meets them.

mod answers; // what a client is told: cost, detail, failures
mod choice; // which approach a request gets
mod panels; // strategies that ask several models, each at its own upstream
mod permissions; // which approaches and models a tenant may choose
mod solver; // z3, the real one
