//! Behaviour of runs, seen through the crate's two entry points.

mod calls; // retries, deadline, budget, cancellation
mod compose; // a&b, a|b, n, streams
mod support;
