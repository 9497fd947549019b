//! What becomes of calls, parameters and errors, whatever the strategy.

mod calls; // retries, deadline, budget, cancellation
mod channel; // events, across threads
mod compose; // a&b, a|b, n, streams
mod errors; // an error says what happened
mod parameters; // what becomes of a client's parameters
