//! Choosing among candidates: by votes, by ratings, by what a model makes of them.

pub(crate) mod comparison;
pub(crate) mod leaders;
pub(crate) mod rating;
pub(crate) mod selection;
pub(crate) mod synthesis;
pub(crate) mod uncertainty;
pub(crate) mod voting;
pub(crate) mod weighing;
