//! The kind of answer that a question asks for, read from its text.

use super::value::AnswerValue;
use crate::model::quality::Kind;

/// Bytes at the end of a question that are looked at.
const REACH: usize = 16 << 10;
/// Most options of a multiple-choice question: A to J.
const MAX_OPTIONS: usize = 10;

/// Phrases that ask for a number.
const ASKS_FOR_NUMBER: [&str; 28] = [
    "calculate",
    "compute",
    "evaluate",
    "find the area",
    "find the average",
    "find the number",
    "find the sum",
    "find the value",
    "how far",
    "how fast",
    "how long",
    "how many",
    "how much",
    "how old",
    "how tall",
    "solve for",
    "what is the area",
    "what is the average",
    "what is the difference",
    "what is the distance",
    "what is the number",
    "what is the probability",
    "what is the product",
    "what is the remainder",
    "what is the sum",
    "what is the total",
    "what is the value",
    "what percent",
];

/// Phrases that ask for a percentage.
const ASKS_FOR_PERCENTAGE: [&str; 6] = [
    "as a percent",
    "in percent",
    "what is the percentage",
    "what percent",
    "which percent",
    "find the percent",
];

/// Phrases that ask for code.
const ASKS_FOR_CODE: [&str; 10] = [
    "```",
    "implement a ",
    "implement the ",
    "write a class",
    "write a function",
    "write a method",
    "write a program",
    "write a python",
    "write a script",
    "write code",
];

/// First words of questions that are answered with yes or no.
const ASKS_FOR_TRUTH: [&str; 10] = [
    "are", "did", "do", "does", "had", "has", "have", "is", "was", "were",
];

/// What is known about a question's answer.
#[derive(Debug, Clone, Default)]
pub struct Question {
    pub(super) options: Vec<(char, Option<AnswerValue>)>,
    pub(super) number: bool,
    unit: Option<&'static str>,
    pub(super) code: bool,
    pub(super) truth: bool,
}

impl Question {
    /// Reads the question's text, of which only the last 16 KiB are looked at.
    ///
    /// ```
    /// use hone_strategies::answer::Question;
    /// let question = Question::of("Which is the capital?\nA) Rome\nB) Paris");
    /// assert_eq!(question.options().collect::<String>(), "AB");
    /// assert!(Question::of("How many are left?").asks_for_number());
    /// ```
    pub fn of(text: &str) -> Self {
        let from = text.ceil_char_boundary(text.len().saturating_sub(REACH));
        let text = text.get(from..).unwrap_or_default();
        let lower = text.to_lowercase();
        let code = ASKS_FOR_CODE.iter().any(|phrase| lower.contains(phrase));
        let number = !code
            && (ASKS_FOR_NUMBER.iter().any(|phrase| lower.contains(phrase))
                || asks_for_result(&lower));
        let unit = ASKS_FOR_PERCENTAGE
            .iter()
            .any(|phrase| lower.contains(phrase))
            .then_some("%");
        Self {
            options: options(text),
            number,
            unit,
            code,
            truth: asks_for_truth(&lower),
        }
    }

    /// The same question, known to ask for a number whatever its words.
    #[must_use]
    pub fn asking_for_number(self) -> Self {
        Self {
            number: true,
            ..self
        }
    }

    /// The same question, known to ask for yes or no whatever its words.
    #[must_use]
    pub fn asking_for_truth(self) -> Self {
        Self {
            truth: true,
            ..self
        }
    }

    /// The same question, known to have these options if its text lists none.
    #[must_use]
    pub fn offering(mut self, letters: impl IntoIterator<Item = char>) -> Self {
        if self.options.is_empty() {
            self.options = letters.into_iter().map(|letter| (letter, None)).collect();
        }
        self
    }

    /// The letters of the listed options.
    pub fn options(&self) -> impl Iterator<Item = char> {
        self.options.iter().map(|(letter, _)| *letter)
    }

    /// Whether the question asks for a percentage, so that a bare number in its answer is one.
    pub fn asks_for_percentage(&self) -> bool {
        self.unit.is_some()
    }

    /// Whether the question asks for a number.
    pub fn asks_for_number(&self) -> bool {
        self.number
    }

    /// Whether the question asks for yes or no.
    pub fn asks_for_truth(&self) -> bool {
        self.truth
    }

    /// What kind of answer it asks for, as measurements of models tell kinds apart.
    pub fn kind(&self) -> Kind {
        if !self.options.is_empty() {
            Kind::Choice
        } else if !self.is_closed() {
            Kind::Open
        } else if self.number {
            Kind::Number
        } else {
            Kind::Truth
        }
    }

    /// Whether the question asks for code.
    pub fn asks_for_code(&self) -> bool {
        self.code
    }

    /// Whether the kind of answer is known, so that asking for a delimited final answer cannot
    /// spoil a free one.
    pub fn is_closed(&self) -> bool {
        !self.code && (self.number || self.truth || !self.options.is_empty())
    }
}

/// Whether `what is` or `what's` is followed by arithmetic.
fn asks_for_result(lower: &str) -> bool {
    ["what is ", "what's "].iter().any(|phrase| {
        lower
            .split(phrase)
            .skip(1)
            .any(|rest| rest.starts_with(|c: char| c.is_ascii_digit() || c == '\\'))
    })
}

fn asks_for_truth(lower: &str) -> bool {
    let Some(asked) = lower.trim_end().strip_suffix('?') else {
        return false;
    };
    let sentence = asked
        .rsplit(['.', '!', '?', '\n', ':'])
        .next()
        .unwrap_or_default();
    let first = sentence.split_whitespace().next();
    first.is_some_and(|first| ASKS_FOR_TRUTH.contains(&first)) && !sentence.contains(" or ")
}

/// A marker such as `(A)`, `A)`, or at the beginning of a line `A.`, `A:`.
struct Marker<'a> {
    letter: char,
    /// Byte offset of the marker.
    at: usize,
    /// What follows the marker.
    behind: &'a str,
}

/// The last list of options from A on, at least two.
fn options(text: &str) -> Vec<(char, Option<AnswerValue>)> {
    let mut found: Vec<Marker<'_>> = Vec::new();
    let mut best: Vec<Marker<'_>> = Vec::new();
    for marker in markers(text) {
        let expected = ('A'..='J').nth(found.len());
        if marker.letter == 'A' {
            if found.len() > 1 {
                best = std::mem::take(&mut found);
            }
            found = vec![marker];
        } else if !found.is_empty() && expected == Some(marker.letter) && found.len() < MAX_OPTIONS
        {
            found.push(marker);
        }
    }
    if found.len() > 1 {
        best = found;
    }
    let ends: Vec<usize> = best
        .iter()
        .skip(1)
        .map(|marker| marker.at)
        .chain([text.len()])
        .collect();
    let option = |(marker, end): (&Marker<'_>, usize)| {
        let start = text.len() - marker.behind.len();
        let line = text.get(start..end)?.lines().next()?;
        Some((marker.letter, AnswerValue::parse(line)))
    };
    best.iter().zip(ends).filter_map(option).collect()
}

fn markers(text: &str) -> impl Iterator<Item = Marker<'_>> {
    let mut previous = '\n';
    text.char_indices().filter_map(move |(at, c)| {
        let before = previous;
        previous = if matches!(c, '(' | '[' | '*') && before.is_whitespace() {
            before
        } else {
            c
        };
        let letter = c.to_ascii_uppercase();
        if !('A'..='J').contains(&letter) || !before.is_whitespace() {
            return None;
        }
        let at_line_start = before == '\n';
        let rest = text.get(at + 1..)?;
        let close = rest.chars().next()?;
        let parenthesis = matches!(close, ')' | ']') && (at_line_start || c.is_ascii_uppercase());
        let stop = matches!(close, '.' | ':') && at_line_start && c.is_ascii_uppercase();
        let behind = rest.get(1..)?;
        let separated =
            behind.is_empty() || behind.starts_with(|c: char| c.is_whitespace() || c == '*');
        ((parenthesis || stop) && separated).then_some(Marker { letter, at, behind })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letters(text: &str) -> String {
        Question::of(text).options().collect()
    }

    #[test]
    fn a_question_is_of_the_kind_of_its_answer() {
        for (text, kind) in [
            ("How many apples are left?", Kind::Number),
            ("Which one?\nA) one\nB) two\nC) three", Kind::Choice),
            ("Is the earth flat?", Kind::Truth),
            ("Write a poem about the sea.", Kind::Open),
        ] {
            assert_eq!(Question::of(text).kind(), kind, "{text}");
        }
    }

    #[test]
    fn options_are_found_in_their_usual_layouts() {
        assert_eq!(letters("Which?\nA) one\nB) two\nC) three"), "ABC");
        assert_eq!(letters("Which?\n(A) one\n(B) two"), "AB");
        assert_eq!(letters("Which? (A) one (B) two (C) three"), "ABC");
        assert_eq!(letters("Which?\nA. one\nB. two\nC. three\nD. four"), "ABCD");
        assert_eq!(letters("Which?\na) one\nb) two"), "AB");
        assert_eq!(letters("Which?\n**A)** one\n**B)** two"), "AB");
    }

    #[test]
    fn prose_has_no_options() {
        for text in [
            "A dog and a cat.",
            "Plan A: wait. Plan B: go.",
            "See (a) and (b).",
            "A) only one",
            "B) two\nC) three",
            "f(A) + f(B)",
        ] {
            assert_eq!(letters(text), "", "{text}");
        }
    }

    #[test]
    fn the_kind_of_answer_is_known_only_where_the_text_tells() {
        assert!(Question::of("How many apples are left?").is_closed());
        assert!(Question::of("What is 3 + 4?").asks_for_number());
        assert!(Question::of("Is 91 prime?").is_closed());
        for open in [
            "Write a poem about how it rains.",
            "Is it A or B?",
            "Can you help me?",
            "Write a function that tells how many bits are set.",
        ] {
            assert!(!Question::of(open).is_closed(), "{open}");
        }
    }
}
