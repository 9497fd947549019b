//! Methods that change the prompt alone, and `none`, which changes nothing.

pub(crate) mod cot_reflection;
pub(crate) mod none;
pub(crate) mod principle_learning;
pub(crate) mod reread;
