//! Malformed, oversized, slow and contradictory requests.

mod bodies; // each has a stated outcome, and the process serves the next request
mod uploads; // bodies that are handed on as they come
