//! What hone knows of the API before it looks at a request: its endpoints, which headers cross,
//! and how a request tells where it has been.

pub mod endpoint;
pub mod headers;
pub(crate) mod hops;
