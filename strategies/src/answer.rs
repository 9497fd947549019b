//! Final answers: finding them in replies, comparing them, voting over them.
//!
//! Voting on whole replies compares derivations, which never agree. Here the answer is found
//! ([`extract`]), brought to a value ([`AnswerValue`]) and compared by what it says
//! ([`equivalent`]): `1/2`, `\frac12` and `0.50` are one answer, `12` and `13` never are. What
//! cannot be recognised abstains. Every step reads a bounded part of its input, in time linear in
//! that part.

mod code;
mod expression;
mod extract;
mod guarantee;
mod latex;
mod mention;
mod normalize;
mod number;
mod posterior;
pub mod program;
mod question;
mod scale;
#[cfg(test)]
mod tests;
mod tools;
mod unit;
mod value;
mod vote;

pub use extract::{Extracted, Rule, extract};
pub use mention::formulas;
pub use posterior::Prior;
pub use question::Question;
pub(crate) use scale::normal_cdf;
pub use scale::{Odds, Scale, Scheme};
pub use tools::canonical_tool_calls;
pub use value::{AnswerValue, equivalent};
pub use vote::{Tally, Votes};
