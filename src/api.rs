//! What hone knows of the API before it looks at a request: its endpoints, and which headers cross.

pub mod endpoint;
pub mod headers;
