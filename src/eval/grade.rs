//! Telling right answers from wrong ones.
//!
//! The answer is found in the reply by the same rules as in a vote ([`hone_strategies::answer`]), which know LaTeX, fractions, units, percentages and
//! listed options, and compared by what it says. A reply without an answer is wrong.

use hone_strategies::answer::{self, AnswerValue, equivalent, extract};
use hone_strategies::reasoning;
use regex::Regex;
use serde::{Deserialize, Serialize};

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
pub(super) enum Grader {
    /// Any of these texts occurs in the reply.
    Contains(Vec<String>),
    /// A judge decides; any of these is right.
    Judge(Vec<String>),
    /// Any of these patterns matches the reply.
    Matches(Vec<Regex>),
    /// Any of these values is the answer.
    Says(Vec<AnswerValue>),
}

impl Kind {
    /// The comparison that suits the form of what is expected.
    pub(super) fn fitting(expected: &[String], shape: &answer::Question) -> Self {
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
    letters.next().is_none().then(|| letter.to_ascii_uppercase())
}

impl Grader {
    pub(super) fn new(kind: Kind, expected: Vec<String>) -> Result<Self, String> {
        let values = |parse: &dyn Fn(&str) -> Option<AnswerValue>, what: &str| {
            let read = |text: &String| parse(text).ok_or_else(|| format!("`{text}` is not {what}"));
            expected.iter().map(read).collect::<Result<_, _>>().map(Self::Says)
        };
        match kind {
            Kind::Choice => values(&|text| option(text).map(AnswerValue::option), "the letter of an option"),
            Kind::Contains => Ok(Self::Contains(expected.iter().map(|text| text.to_lowercase()).collect())),
            Kind::Exact => values(&AnswerValue::parse, "an answer that can be compared"),
            Kind::Judge => Ok(Self::Judge(expected)),
            Kind::Numeric => values(&|text| AnswerValue::parse(text).filter(AnswerValue::is_number), "a number"),
            Kind::Regex => {
                let pattern = |text: &String| Regex::new(text).map_err(|error| error.to_string());
                expected.iter().map(pattern).collect::<Result<_, _>>().map(Self::Matches)
            }
        }
    }

    /// Whether `reply` is right; `None` if only a judge can tell.
    pub(super) fn grade(&self, reply: &str, shape: &answer::Question) -> Option<bool> {
        let said = reasoning::strip(reply);
        Some(match self {
            Self::Contains(texts) => {
                let said = said.to_lowercase();
                texts.iter().any(|text| said.contains(text))
            }
            Self::Judge(_) => return None,
            Self::Matches(patterns) => patterns.iter().any(|pattern| pattern.is_match(&said)),
            Self::Says(values) => self.value(reply, shape).is_some_and(|said| values.iter().any(|value| equivalent(value, &said))),
        })
    }

    /// The answer that a reply gives, as far as this grader looks for one.
    pub(super) fn value(&self, reply: &str, shape: &answer::Question) -> Option<AnswerValue> {
        let shape = shape.clone();
        let shape = match self {
            Self::Says(values) if values.iter().all(AnswerValue::is_number) => shape.asking_for_number(),
            Self::Says(values) if values.iter().all(AnswerValue::is_option) => shape.offering('A'..='J'),
            Self::Says(_) | Self::Contains(_) | Self::Judge(_) | Self::Matches(_) => shape,
        };
        extract(reply, &shape).map(|found| found.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grader(kind: Kind, expected: &[&str]) -> Grader {
        Grader::new(kind, expected.iter().map(|text| (*text).to_owned()).collect()).unwrap()
    }

    #[test]
    fn graders_know_the_forms_of_an_answer() {
        use Kind::{Choice, Contains, Exact, Numeric, Regex};
        let mcq = "Which is a metal?\nA) wood\nB) iron";
        let cases = [
            (Numeric, "1/2", "q", "So the answer is $\\boxed{\\frac{1}{2}}$.", true),
            (Numeric, "50%", "q", "That makes half.\nFinal answer: 50%", true),
            (Numeric, "1234", "q", "#### 1,234", true),
            (Numeric, "42", "q", "<think>41</think>\nThe answer is 42 apples.", true),
            (Numeric, "42", "q", "I think 42 is too low, it must be 43.", false),
            (Numeric, "42", "q", "", false),
            (Choice, "B", mcq, "The answer is (b).", true),
            (Choice, "B", mcq, "Final answer: iron", true),
            (Choice, "B", mcq, "**A**", false),
            (Choice, "C", "Which one?", "Final answer: C", true),
            (Exact, "Paris", "Which city?", "Final answer: paris.", true),
            (Exact, "\\sqrt{2}", "q", "Final answer: $\\sqrt2$", true),
            (Exact, "(1, 2)", "q", "\\boxed{(1,2)}", true),
            (Contains, "Eiffel", "q", "It is the EIFFEL tower.", true),
            (Contains, "Eiffel", "q", "<think>Eiffel?</think>Big Ben.", false),
            (Regex, r"(?i)\bpari[sz]\b", "q", "in Paris", true),
        ];
        for (kind, expected, question, reply, right) in cases {
            let graded = grader(kind, &[expected]).grade(reply, &answer::Question::of(question));
            assert_eq!(graded, Some(right), "{kind:?} {expected}: {reply}");
        }
    }

    #[test]
    fn any_of_several_answers_is_right() {
        let either = grader(Kind::Exact, &["USA", "United States"]);
        for reply in ["Final answer: usa", "Final answer: the United States"] {
            assert_eq!(either.grade(reply, &answer::Question::default()), Some(true), "{reply}");
        }
    }

    #[test]
    fn the_form_of_what_is_expected_chooses_the_grader() {
        let of = |expected: &str, question: &str| Kind::fitting(&[expected.to_owned()], &answer::Question::of(question));
        assert_eq!(of("12.5", "How many?"), Kind::Numeric);
        assert_eq!(of("B", "Which?\nA) x\nB) y"), Kind::Choice);
        assert_eq!(of("B", "Which vitamin?"), Kind::Exact);
        assert_eq!(of("Paris", "Where?"), Kind::Exact);
    }
}
