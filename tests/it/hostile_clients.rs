//! Malformed, oversized, slow, truncated, duplicated and contradictory requests: each has a stated
//! outcome, and the process serves the next request.

mod answers; // how much memory hone takes for answers, whatever comes
mod bodies; // what is no chat request, what cannot be read, what is too large
mod floods; // frames of HTTP/2 that cost their sender nothing
mod framing; // heads and bodies that could be read in two ways
mod memory; // bodies that are held, and who pays for the room
mod peaks; // how much memory hone takes for requests, whatever comes
mod process; // hone as a process whose memory can be read
mod slow; // bodies and heads that take their time
mod streams; // many requests on one connection
mod unsent; // bodies that upstreams do not read
mod uploads; // bodies that are handed on as they come
