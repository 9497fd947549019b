//! Telling right answers from wrong ones.
//!
//! The answer is found in the reply by the same rules as in a vote ([`hone_strategies::answer`]),
//! which know LaTeX, fractions, units, percentages and listed options, and compared by what it
//! says. A reply without an answer is wrong.
//!
//! A percentage is the number that it stands for where the other side has no unit: 50 % is 0.5,
//! whichever is expected. A bare number above one may also be a percentage whose sign was left out,
//! so 50 is 50 %; one up to one may not, so 0.5 is not 0.5 %. Where the question asks for a
//! percentage, a bare number is nothing else: there 50 and 0.5 are 50 % and 0.5 %.

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
pub(crate) enum Grader {
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
    pub(crate) fn new(kind: Kind, expected: Vec<String>) -> Result<Self, String> {
        let values = |parse: &dyn Fn(&str) -> Option<AnswerValue>, what: &str| {
            let read = |text: &String| parse(text).ok_or_else(|| format!("`{text}` is not {what}"));
            expected
                .iter()
                .map(read)
                .collect::<Result<_, _>>()
                .map(Self::Says)
        };
        match kind {
            Kind::Choice => values(
                &|text| option(text).map(AnswerValue::option),
                "the letter of an option",
            ),
            Kind::Contains => Ok(Self::Contains(
                expected.iter().map(|text| text.to_lowercase()).collect(),
            )),
            Kind::Exact => values(&AnswerValue::parse, "an answer that can be compared"),
            Kind::Judge => Ok(Self::Judge(expected)),
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

    /// Whether `reply` is right; `None` if only a judge can tell.
    pub(crate) fn grade(&self, reply: &str, shape: &answer::Question) -> Option<bool> {
        let said = reasoning::strip(reply);
        Some(match self {
            Self::Contains(texts) => {
                let said = said.to_lowercase();
                texts.iter().any(|text| said.contains(text))
            }
            Self::Judge(_) => return None,
            Self::Matches(patterns) => patterns.iter().any(|pattern| pattern.is_match(&said)),
            Self::Says(values) => self
                .value(reply, shape)
                .is_some_and(|said| values.iter().any(|value| same(value, &said, shape))),
        })
    }

    /// The answer that a reply gives, as far as this grader looks for one.
    pub(crate) fn value(&self, reply: &str, shape: &answer::Question) -> Option<AnswerValue> {
        let shape = shape.clone();
        let shape = match self {
            Self::Says(values) if values.iter().all(AnswerValue::is_number) => {
                shape.asking_for_number()
            }
            Self::Says(values) if values.iter().all(AnswerValue::is_option) => {
                shape.offering('A'..='J')
            }
            Self::Says(_) | Self::Contains(_) | Self::Judge(_) | Self::Matches(_) => shape,
        };
        extract(reply, &shape).map(|found| found.value)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn grader(kind: Kind, expected: &[&str]) -> Grader {
        Grader::new(
            kind,
            expected.iter().map(|text| (*text).to_owned()).collect(),
        )
        .unwrap()
    }

    #[test]
    fn graders_know_the_forms_of_an_answer() {
        use Kind::{Choice, Contains, Exact, Numeric, Regex};
        let mcq = "Which is a metal?\nA) wood\nB) iron";
        let cases = [
            (
                Numeric,
                "1/2",
                "q",
                "So the answer is $\\boxed{\\frac{1}{2}}$.",
                true,
            ),
            (
                Numeric,
                "50%",
                "q",
                "That makes half.\nFinal answer: 50%",
                true,
            ),
            (Numeric, "1234", "q", "#### 1,234", true),
            (
                Numeric,
                "42",
                "q",
                "<think>41</think>\nThe answer is 42 apples.",
                true,
            ),
            (
                Numeric,
                "42",
                "q",
                "I think 42 is too low, it must be 43.",
                false,
            ),
            (Numeric, "42", "q", "", false),
            (Choice, "B", mcq, "The answer is (b).", true),
            (Choice, "B", mcq, "Final answer: iron", true),
            (Choice, "B", mcq, "**A**", false),
            (Choice, "C", "Which one?", "Final answer: C", true),
            (Exact, "Paris", "Which city?", "Final answer: paris.", true),
            (Exact, "\\sqrt{2}", "q", "Final answer: $\\sqrt2$", true),
            (Exact, "(1, 2)", "q", "\\boxed{(1,2)}", true),
            (Contains, "Eiffel", "q", "It is the EIFFEL tower.", true),
            (
                Contains,
                "Eiffel",
                "q",
                "<think>Eiffel?</think>Big Ben.",
                false,
            ),
            (Regex, r"(?i)\bpari[sz]\b", "q", "in Paris", true),
        ];
        for (kind, expected, question, reply, right) in cases {
            let graded = grader(kind, &[expected]).grade(reply, &answer::Question::of(question));
            assert_eq!(graded, Some(right), "{kind:?} {expected}: {reply}");
        }
    }

    #[test]
    fn a_percentage_is_the_number_that_it_stands_for() {
        let (share, percent) = ("How much of it is left?", "What percentage of it is left?");
        let cases = [
            (share, "0.5", "50%", true),
            (share, "1/2", "50 percent", true),
            (share, "50%", "0.5", true),
            (share, "50%", "1/2", true),
            (share, "1.5", "150%", true),
            (share, "1", "100%", true),
            (share, "50%", "50 percent", true),
            // The sign was left out.
            (share, "50", "50%", true),
            (share, "50%", "50", true),
            // It cannot have been.
            (share, "0.5", "0.5%", false),
            (share, "0.5%", "0.5", false),
            (share, "1", "1%", false),
            (share, "50%", "5", false),
            // The question says what a bare number means.
            (percent, "50", "50%", true),
            (percent, "0.5", "0.5%", true),
            (percent, "0.5", "50%", false),
            (percent, "50%", "0.5", false),
            // Other units have nothing to do with it.
            (share, "0.5", "50 km", false),
            (share, "50 km", "50%", false),
        ];
        for (question, expected, said, right) in cases {
            let graded = grader(Kind::Numeric, &[expected]).grade(
                &format!("Final answer: {said}"),
                &answer::Question::of(question),
            );
            assert_eq!(graded, Some(right), "{question} {expected}: {said}");
        }
    }

    /// What OptiLLM's answer extraction and benchmark scripts take for right or for wrong by
    /// mistake.
    #[test]
    fn what_optillms_scripts_get_wrong_is_graded_right() {
        use Kind::{Choice, Exact, Numeric};
        let mcq = "Which is a metal?\nA) wood\nB) iron";
        let cases = [
            // A minus sign that stands for both signs.
            (Exact, r"3 \pm \sqrt{2}", "q", r"\boxed{3-\sqrt{2}}", false),
            (Numeric, "-7", "q", "Final answer: 7", false),
            // Nested braces in the box, and a box that was crossed out by a later one.
            (Numeric, "1/2", "q", r"\boxed{\frac{1}{2}}", true),
            (
                Numeric,
                "5",
                "q",
                r"At first \boxed{4}, but no: \boxed{5}",
                true,
            ),
            // The digits of the known answer anywhere in the text.
            (
                Numeric,
                "2112",
                "q",
                "One might guess 2112.\nFinal answer: 4048",
                false,
            ),
            // Answers below 0 and above 999, and floats that are whole.
            (Numeric, "1024", "q", "The answer is 1024.", true),
            (Numeric, "8", "q", "#### 8.0", true),
            (Numeric, "1234567", "q", "#### 1,234,567", true),
            // An option whose text is mentioned and refused; its number is not its letter.
            (
                Choice,
                "B",
                mcq,
                "Iron (B) comes to mind, but no.\nFinal answer: A",
                false,
            ),
            (Choice, "B", mcq, "Final answer: B. iron", true),
            // Yes and true, with a full stop.
            (Exact, "true", "Is it so?", "Final answer: Yes.", true),
            (Exact, "false", "Is it so?", "Final answer: Yes.", false),
            // Sets have no order, tuples have one, and brackets mean something.
            (Exact, r"\{1, 2\}", "q", r"\boxed{\{2,1\}}", true),
            (Exact, "(1, 2)", "q", r"\boxed{(2,1)}", false),
            (Exact, "[1, 2)", "q", r"\boxed{(1,2)}", false),
            // Units: stripped, unless they contradict.
            (Numeric, "90", "q", r"\boxed{90^\circ}", true),
            (Numeric, "5 cm", "q", r"\boxed{5\text{ cm}}", true),
            (Numeric, "5 cm", "q", r"\boxed{5\text{ m}}", false),
            // Reasoning is no answer, not even where it never ends.
            (Numeric, "12", "q", "<think>It must be 12", false),
            (Numeric, "12", "q", "I do not know.", false),
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
            assert_eq!(
                either.grade(reply, &answer::Question::default()),
                Some(true),
                "{reply}"
            );
        }
    }

    #[test]
    fn the_form_of_what_is_expected_chooses_the_grader() {
        let of = |expected: &str, question: &str| {
            Kind::fitting(&[expected.to_owned()], &answer::Question::of(question))
        };
        assert_eq!(of("12.5", "How many?"), Kind::Numeric);
        assert_eq!(of("B", "Which?\nA) x\nB) y"), Kind::Choice);
        assert_eq!(of("B", "Which vitamin?"), Kind::Exact);
        assert_eq!(of("Paris", "Where?"), Kind::Exact);
    }
}
