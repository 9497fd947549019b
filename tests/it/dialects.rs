//! Clients and upstreams of four dialects, in every combination.

mod errors;
mod speak;
mod translated;
