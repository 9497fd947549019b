//! Arithmetic in words, with known answers.

use super::arithmetic::{self, Sum};
use super::chance::{self, Chance};
use crate::answer::{self, AnswerValue, equivalent};

/// What stands before a question's number, so that it can be found again in any prompt.
const MARKER: &str = "[task ";

/// Stories of three numbers: two that are multiplied, one that is added or, where the flag says so,
/// taken away; and what is counted.
const STORIES: [(&str, bool, &str); 8] = [
    (
        "A baker makes {a} trays of {b} rolls and sells {c} rolls. How many rolls are left?",
        true,
        "rolls",
    ),
    (
        "A train has {a} coaches with {b} seats each, and {c} seats are taken. How many seats are \
            free?",
        true,
        "seats",
    ),
    (
        "Mia saves {a} dollars a week for {b} weeks and is then given {c} dollars. How many \
            dollars does she have?",
        false,
        "dollars",
    ),
    (
        "An orchard has {a} rows of {b} trees, and {c} trees are planted beside them. How many \
            trees are there?",
        false,
        "trees",
    ),
    (
        "A library has {a} shelves with {b} books each and lends {c} books. How many books remain?",
        true,
        "books",
    ),
    (
        "A printer makes {a} posters an hour for {b} hours, and {c} posters are thrown away. How \
            many posters are good?",
        true,
        "posters",
    ),
    (
        "A hall has {a} tables with {b} chairs each and {c} chairs along the wall. How many chairs \
            are in it?",
        false,
        "chairs",
    ),
    (
        "A farmer fills {a} crates with {b} pears each and keeps {c} pears. How many pears were \
            picked?",
        false,
        "pears",
    ),
];

/// A question whose answer is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Its number.
    pub id: u64,
    /// Its text, which begins with its marker, e.g. `[task 17]`.
    pub text: String,
    /// The right answer.
    pub answer: i64,
    /// What is counted.
    pub(super) unit: &'static str,
    /// The first steps, as a reply may show them.
    pub(super) product: (i64, i64),
    /// The whole calculation, where the question is somebody else's.
    pub(super) working: Option<String>,
}

impl Question {
    pub(super) fn generate(seed: u64, id: u64) -> Self {
        let mut chance = Chance::new(&[seed, id]);
        let number =
            |chance: &mut Chance, least: u32, below: u32| i64::from(least + chance.below(below));
        let (a, b) = (number(&mut chance, 12, 80), number(&mut chance, 12, 80));
        let c = number(&mut chance, 2, 100);
        let (story, takes, unit) = chance.choose(&STORIES).copied().unwrap_or_default();
        let story = story
            .replace("{a}", &a.to_string())
            .replace("{b}", &b.to_string())
            .replace("{c}", &c.to_string());
        let answer = if takes { a * b - c } else { a * b + c };
        Self {
            id,
            text: format!("{MARKER}{id}] {story}"),
            answer,
            unit,
            product: (a, b),
            working: None,
        }
    }

    /// The last question in `text` that nobody here has made: arithmetic in any words.
    pub(super) fn foreign(text: &str) -> Option<Self> {
        let Sum { working, value } = arithmetic::asked_in(text)?;
        Some(Self {
            id: chance::digest(&working),
            text: format!("What is {working}?"),
            answer: value,
            unit: "",
            product: (value, 1),
            working: Some(working),
        })
    }

    /// The number in the last marker of `text`.
    pub(super) fn id_in(text: &str) -> Option<u64> {
        text.rsplit(MARKER)
            .take(text.matches(MARKER).count())
            .find_map(|piece| piece.split_once(']')?.0.parse().ok())
    }

    /// Whether the product takes some care, as about half of all questions' do.
    pub(crate) fn is_hard(&self) -> bool {
        self.product.0 + self.product.1 > 103
    }

    /// The wrong answer that a model with a favourite prefers. It is not among the scattered ones.
    pub(super) fn favourite_error(&self) -> i64 {
        self.answer + 1 + (self.product.0 + self.product.1) % 9
    }
}

impl Question {
    /// Whether `reply` ends with the right answer, as far as [`answer::extract`] can find one.
    pub fn is_answered_by(&self, reply: &str) -> bool {
        let found = answer::extract(reply, &answer::Question::of(&self.text));
        let right = AnswerValue::parse(&self.answer.to_string());
        found
            .zip(right)
            .is_some_and(|(found, right)| equivalent(&found.value, &right))
    }
}
