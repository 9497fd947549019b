//! Clients and upstreams of four dialects, in every combination.

mod bytes;
mod errors;
mod google; // clients of Google's API, forwarded as they are
mod speak;
mod translated;
