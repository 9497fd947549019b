//! Methods that may ask several models.

pub(crate) mod cascade;
pub(crate) mod fusion;
pub(crate) mod mixture_of_agents;
pub(crate) mod race;
