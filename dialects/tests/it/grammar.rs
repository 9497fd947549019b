//! Strict readers of streams, one for each dialect. They share nothing with the encoders.

pub(crate) mod anthropic;
pub(crate) mod gemini;
pub(crate) mod response;
pub(crate) mod responses;
