//! Methods that return what most candidates answer.

pub(crate) mod deep_think;
pub(crate) mod majority_voting;
pub(crate) mod pal;
pub(crate) mod self_consistency;
pub(crate) mod universal_self_consistency;
