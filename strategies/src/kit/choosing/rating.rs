//! The rating of one answer by a judge that sees no other.
//!
//! Where the model tells log probabilities, the rating is the mean of what it might have written at
//! that place, weighed by how likely that was: Liu et al., *G-Eval* (2023, arXiv 2303.16634). A
//! judge that says 8 to nearly everything differs in how sure it is of that. It costs no token.

pub(crate) mod bests;
mod weighted;

use crate::contract::SCORE;
use crate::kit::case::Case;
use crate::kit::reading::verdict::parse_score;
use crate::model::Fact;
use crate::run::{Run, SubCall};

const ROLE: &str = include_str!("rating/role.txt");
const WANTED: &str = include_str!("rating/wanted.txt");

/// Alternatives that every server tells which tells any. The digits beyond are hardly likely, and a
/// server that refuses this many tells none: it is asked once.
const ALTERNATIVES: u32 = 5;
/// What a model must tell for a rating to be weighed.
const NEEDED: [Fact; 2] = [Fact::Accepts("logprobs"), Fact::TellsAlternatives];

/// The call that asks for a rating of `text`.
pub(crate) fn call(case: &Case<'_>, text: &str) -> SubCall {
    case.verdict(ROLE, &[text.to_owned()], WANTED, SCORE)
}

/// The rating from 0 to 10 that a judge's reply holds.
pub(crate) fn read(reply: &str) -> Option<f64> {
    parse_score(reply, 0.0..=10.0)
}

/// What a judge that is asked by `call` gives, or `None` if that is no rating; then the run says
/// why.
pub(crate) async fn rating(run: &Run, call: &SubCall, index: u32) -> Option<f64> {
    let model = call.request.model();
    let lacks = |fact: &Fact| run.knows(model, *fact) == Some(false);
    let may_tell = !NEEDED.iter().any(lacks);
    let call = if may_tell {
        let told = call.clone().set("logprobs", true);
        told.set("top_logprobs", ALTERNATIVES)
    } else {
        call.clone()
    };
    let (said, reply) = run.judged(&call, index, SCORE, read).await?;
    if may_tell && reply.logprobs.is_none() {
        run.learn(model, Fact::TellsAlternatives, false);
    }
    Some(weighted::score(&reply, said).unwrap_or(said))
}

/// The rating of `text` from 0 to 10, or `None` if the judge gave none; then the run says why.
pub(crate) async fn rate(run: &Run, case: &Case<'_>, text: &str, index: u32) -> Option<f64> {
    rating(run, &call(case, text).set("temperature", 0.0), index).await
}
