//! Google's `generateContent`, both ways.

mod answers; // whole answers
mod chunked; // turns in several contents
mod requests; // what becomes of requests
mod sealed; // thought signatures in envelopes
mod signatures; // thought signatures, through clients of every dialect
mod streams; // streams, read and passed on
mod tools; // calls, results and tools of clients
mod upstreams; // what is written for an upstream
mod written; // streams, written for clients
