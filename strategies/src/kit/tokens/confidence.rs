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

use serde_json::Value;

use crate::chat::{ChatRequest, Choice};
use crate::run::SubCall;

pub(crate) use groups::{Metric, Window, lowest_group, median, percentile};
pub use read::tokens;
pub(crate) use span::mean_margin_of;

/// The least log probability that is believed. Some servers write -9999 for "none".
pub const FLOOR: f64 = -100.0;
/// Alternatives that every server which tells any is taken to tell.
const FEW: u32 = 5;

/// A token and what else could have stood there.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredToken {
    /// Its text.
    pub text: String,
    /// Its own log probability, at most 0.
    pub logprob: Option<f64>,
    /// The likeliest tokens at this place, mostly itself among them, the likeliest first.
    pub top: Vec<Alternative>,
}

/// A token that could have stood somewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Alternative {
    /// Its text.
    pub text: String,
    /// Its log probability, at most 0.
    pub logprob: f64,
}

/// How spread out the alternatives are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Entropy in bits.
    pub entropy: f64,
    /// Variance of the surprise, in bits squared.
    pub varentropy: f64,
}

impl ScoredToken {
    /// The negative mean log probability of the alternatives: high where one token takes nearly
    /// all. `None` without at least two of them.
    pub fn confidence(&self) -> Option<f64> {
        let (count, sum) = self.top.iter().fold((0.0, 0.0), |(count, sum), other| {
            (count + 1.0, sum + other.logprob)
        });
        (self.top.len() >= 2).then(|| -sum / count)
    }

    /// By how much the likeliest token leads the second, as a difference of probabilities. `None`
    /// without at least two alternatives.
    pub fn margin(&self) -> Option<f64> {
        let mut best = self.top.iter().map(|other| other.logprob.exp());
        Some((best.next()? - best.next()?).max(0.0))
    }

    /// Entropy and varentropy of the alternatives, brought to a sum of 1; what is not shown counts
    /// nothing. `None` without at least two of them.
    pub fn spread(&self) -> Option<Spread> {
        if self.top.len() < 2 {
            return None;
        }
        let sum: f64 = self.top.iter().map(|other| other.logprob.exp()).sum();
        let shares: Vec<f64> = self
            .top
            .iter()
            .map(|other| other.logprob.exp() / sum)
            .filter(|share| *share > 0.0)
            .collect();
        let entropy: f64 = shares.iter().map(|share| -share * share.log2()).sum();
        let varentropy = shares
            .iter()
            .map(|share| share * (-share.log2() - entropy).powi(2))
            .sum();
        Some(Spread {
            entropy,
            varentropy,
        })
        .filter(|_| sum > 0.0)
    }
}

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

/// The choice with as much of its log probabilities as the client asked for.
pub(crate) fn as_asked(mut choice: Choice, request: &ChatRequest) -> Choice {
    if request.get("logprobs").and_then(Value::as_bool) != Some(true) {
        choice.logprobs = None;
        return choice;
    }
    let asked = request
        .get("top_logprobs")
        .and_then(Value::as_u64)
        .and_then(|asked| usize::try_from(asked).ok())
        .unwrap_or(0);
    let entries = choice
        .logprobs
        .as_mut()
        .and_then(|logprobs| logprobs.get_mut("content"))
        .and_then(Value::as_array_mut);
    for entry in entries.into_iter().flatten() {
        if let Some(top) = entry.get_mut("top_logprobs").and_then(Value::as_array_mut) {
            top.truncate(asked);
        }
    }
    choice
}

/// The mean, if there is one.
pub(crate) fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (count, sum) = values
        .into_iter()
        .fold((0.0, 0.0), |(count, sum), value| (count + 1.0, sum + value));
    (count > 0.0).then(|| sum / count)
}

#[cfg(test)]
mod tests;
