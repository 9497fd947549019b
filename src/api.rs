//! What hone knows of the API: its endpoints, in which dialect a client speaks, which headers
//! cross, how a request tells where it has been, which pages may ask, and what an error tells of
//! the account that paid.

pub(crate) mod account;
pub(crate) mod cors;
pub(crate) mod dialect;
pub mod endpoint;
pub mod headers;
pub(crate) mod hops;
