//! Methods that merge several answers into a better one, in several rounds.

pub(crate) mod multi_agent_reasoning;
pub(crate) mod parallel_distill_refine;
pub(crate) mod recursive_aggregation;
