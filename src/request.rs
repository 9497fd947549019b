//! What a request says, read once: its route, its headers for hone, its body, and the plan that
//! follows from them.

pub(crate) mod asking;
pub mod envelope;
pub mod form;
pub(crate) mod head;
pub mod headers;
pub(crate) mod intake;
pub mod plan;
pub mod route;
