//! How sure a model was of what it wrote: the log probabilities of an answer's tokens, and what can
//! be read from them.
//!
//! Servers agree on the idea and on little else, so every shape that is known is read: OpenAI's
//! `content` list, the legacy parallel lists, maps from a token to its log probability, llama.cpp's
//! `probs`, Gemini's candidates. What cannot be read is left out; nothing here fails. An API shows
//! at most the few likeliest alternatives to a token, so every measure is over those, and says so
//! where that makes it another one than a paper's.

mod groups;
mod read;
mod span;
mod token;

use serde_json::Value;

use crate::run::SubCall;

pub(crate) use groups::{Metric, Window, lowest_group, median, percentile};
pub(crate) use read::scored;
pub use read::tokens;
pub(crate) use span::mean_margin_of;
pub(crate) use token::mean;
pub use token::{Alternative, FLOOR, ScoredToken, Spread};

/// Alternatives that every server which tells any is taken to tell.
const FEW: u32 = 5;

/// The call with log probabilities of `wanted` alternatives at each place, at least as many as the
/// client asked for. A server that refuses so many is asked for five.
pub(crate) fn with_alternatives(call: SubCall, wanted: u32) -> SubCall {
    let mut call = call.set("logprobs", true);
    let own = call
        .request
        .get("top_logprobs")
        .and_then(Value::as_u64)
        .unwrap_or(0);
    if own >= u64::from(wanted) {
        return call;
    }
    if own < u64::from(FEW) {
        call.request.set("top_logprobs", wanted.min(FEW));
    }
    call.set("top_logprobs", wanted)
}

#[cfg(test)]
mod tests;
