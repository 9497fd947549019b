//! What methods share. No method stands here, and nothing here knows one.

pub(crate) mod case;
pub(crate) mod choosing;
pub(crate) mod reading;
pub(crate) mod tokens;
