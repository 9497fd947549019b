//! Behavioural tests of hone, as its users see it.
#![expect(
    unreachable_pub,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test fails by panicking, reads best as one table, and may start a server of its own"
)]

mod accounts; // one sum for limiter, log, usage, trace and metric
mod approaches; // choosing a strategy, what it answers, what it may ask whom
mod bounds; // every bound of the configuration, and where it is tested
mod cancellation; // a client that leaves stops costing money
mod connections; // how many connections, from where, and how long without a request
mod dialects; // clients of other dialects than OpenAI's chat
mod docs; // the documents say nothing that is not so
mod early_answers; // answers that come before the body was read
mod endpoints; // known ones by other spellings and methods, unknown ones, who may use which
mod hostile_clients; // malformed, oversized, slow and contradictory requests
mod keys; // whose key pays, and who sees it
mod limits; // what is refused, what it costs, what the answer says
mod operations; // drain, reload, TLS, probes, metrics, bounds
mod relay; // what each side receives are the other side's bytes
mod support;
mod tidy; // the house rules that no compiler checks
mod upstreams; // broken ones, retries, one list of models over several
mod ways_around; // ways around a rule, each closed
mod windows; // a stream of HTTP/2 that stands still holds up no other
