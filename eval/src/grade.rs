//! Telling right answers from wrong ones.
//!
//! The answer is found in the reply by the same rules as in a vote ([`hone_strategies::answer`]),
//! which know LaTeX, fractions, units, percentages and listed options, and compared by what it
//! says. Where those rules find nothing, [`spoken`] reads what people write: a leading yes, the
//! letter in `I'd go with B.`, a fenced answer. A reply without an answer is wrong, and counted as
//! unread.
//!
//! A percentage is the number that it stands for where the other side has no unit: 50 % is 0.5,
//! whichever is expected. A bare number above one may also be a percentage whose sign was left out,
//! so 50 is 50 %; one up to one may not, so 0.5 is not 0.5 %. Where the question asks for a
//! percentage, a bare number is nothing else: there 50 and 0.5 are 50 % and 0.5 %.

use hone_strategies::answer::{self, AnswerValue, equivalent};
use hone_strategies::reasoning;
use regex::Regex;
use serde::{Deserialize, Serialize};

mod reading;
mod spoken;
#[cfg(test)]
mod tests;

use reading::Sought;

/// How an answer is compared with the expected one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The same option.
    Choice,
    /// The reply contains it, whatever the case.
    Contains,
    /// The answer says the same: numbers by value, words without case.
    Exact,
    /// A model says whether the reply gives it.
    Judge,
    /// The same number.
    Numeric,
    /// The reply matches it.
    Regex,
}

/// A way to compare, with what is expected.
#[derive(Debug, Clone)]
pub(crate) enum Grader {
    /// Any of these texts occurs in the reply.
    Contains(Vec<String>),
    /// A judge decides.
    Judge,
    /// Any of these patterns matches the reply.
    Matches(Vec<Regex>),
    /// Any of these values is the answer.
    Says(Vec<AnswerValue>, Sought),
}

impl Kind {
    /// The comparison that suits the form of what is expected.
    pub(crate) fn fitting(expected: &[String], shape: &answer::Question) -> Self {
        let all = |test: &dyn Fn(&str) -> bool| expected.iter().all(|text| test(text));
        if shape.options().next().is_some() && all(&|text| option(text).is_some()) {
            Self::Choice
        } else if all(&|text| AnswerValue::parse(text).is_some_and(|value| value.is_number())) {
            Self::Numeric
        } else {
            Self::Exact
        }
    }
}

/// The letter of an option: `B`, `(b)`, `B.`.
fn option(text: &str) -> Option<char> {
    let mut letters = text.trim().trim_matches(['(', ')', '.', ':']).chars();
    let letter = letters.next().filter(char::is_ascii_alphabetic)?;
    letters
        .next()
        .is_none()
        .then(|| letter.to_ascii_uppercase())
}

impl Grader {
    /// Compares as `kind` says with any of `expected`, the answers to a question of this `shape`.
    pub(crate) fn new(
        kind: Kind,
        expected: &[String],
        shape: &answer::Question,
    ) -> Result<Self, String> {
        let values = |parse: &dyn Fn(&str) -> Option<AnswerValue>, what: &str| {
            let read = |text: &String| parse(text).ok_or_else(|| format!("`{text}` is not {what}"));
            expected
                .iter()
                .map(read)
                .collect::<Result<Vec<_>, _>>()
                .map(Self::says)
        };
        let is_code = |text: &str| shape.asks_for_code() || text.trim().contains('\n');
        match kind {
            Kind::Choice => values(
                &|text| option(text).map(AnswerValue::option),
                "the letter of an option",
            ),
            Kind::Contains => Ok(Self::Contains(
                expected.iter().map(|text| text.to_lowercase()).collect(),
            )),
            Kind::Exact if expected.iter().all(|text| is_code(text)) => Ok(Self::Says(
                expected
                    .iter()
                    .map(|text| AnswerValue::code(text))
                    .collect(),
                Sought::Code,
            )),
            Kind::Exact => values(&AnswerValue::parse, "an answer that can be compared"),
            Kind::Judge => Ok(Self::Judge),
            Kind::Numeric => values(
                &|text| AnswerValue::parse(text).filter(AnswerValue::is_number),
                "a number",
            ),
            Kind::Regex => {
                let pattern = |text: &String| Regex::new(text).map_err(|error| error.to_string());
                expected
                    .iter()
                    .map(pattern)
                    .collect::<Result<_, _>>()
                    .map(Self::Matches)
            }
        }
    }

    fn says(values: Vec<AnswerValue>) -> Self {
        let sought = Sought::of(&values);
        Self::Says(values, sought)
    }

    /// Whether `reply` is right; `None` if only a judge can tell.
    pub(crate) fn grade(&self, reply: &str, shape: &answer::Question) -> Option<bool> {
        let said = reasoning::strip(reply);
        Some(match self {
            Self::Contains(texts) => {
                let said = said.to_lowercase();
                texts.iter().any(|text| said.contains(text))
            }
            Self::Judge => return None,
            Self::Matches(patterns) => patterns.iter().any(|pattern| pattern.is_match(&said)),
            Self::Says(_, sought) => sought
                .readings(&said, shape)
                .iter()
                .any(|said| self.accepts(said, shape)),
        })
    }

    /// Whether `said` is one of the values that are right.
    pub(crate) fn accepts(&self, said: &AnswerValue, shape: &answer::Question) -> bool {
        match self {
            Self::Says(values, _) => values.iter().any(|value| same(value, said, shape)),
            Self::Contains(_) | Self::Judge | Self::Matches(_) => false,
        }
    }

    /// The answer that a reply gives, as far as this grader looks for one.
    pub(crate) fn value(&self, reply: &str, shape: &answer::Question) -> Option<AnswerValue> {
        let said = reasoning::strip(reply);
        match self {
            Self::Says(_, sought) => sought.readings(&said, shape).into_iter().next(),
            Self::Contains(_) | Self::Judge | Self::Matches(_) => {
                answer::extract(&said, shape).map(|found| found.value)
            }
        }
    }

    /// Whether `reply` has nothing in it that could be graded.
    pub(crate) fn is_unread(&self, reply: &str, shape: &answer::Question) -> bool {
        match self {
            Self::Says(..) => self.value(reply, shape).is_none(),
            Self::Contains(_) | Self::Judge | Self::Matches(_) => {
                reasoning::strip(reply).trim().is_empty()
            }
        }
    }

    /// Whether answers can be counted in a vote.
    pub(crate) const fn votes(&self) -> bool {
        matches!(self, Self::Says(..))
    }
}

/// Whether a reply to a question says what is expected.
fn same(expected: &AnswerValue, said: &AnswerValue, shape: &answer::Question) -> bool {
    let (bare, percentage) = if said.unit().is_none() {
        (said, expected)
    } else {
        (expected, said)
    };
    let is_bare = bare.is_number() && bare.unit().is_none();
    let Some(number) = percentage.of_percent().filter(|_| is_bare) else {
        return equivalent(expected, said);
    };
    // A bare number and a percentage of the same digits are equivalent.
    let as_written = equivalent(bare, percentage);
    if shape.asks_for_percentage() {
        return as_written;
    }
    equivalent(bare, &number) || (as_written && bare.magnitude().is_some_and(|size| size > 1.0))
}
