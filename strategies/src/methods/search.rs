//! Methods that search among plans or steps.

pub(crate) mod monte_carlo_tree_search;
pub(crate) mod mutual_reasoning;
pub(crate) mod plan_search;
pub(crate) mod planning_and_optimization;
