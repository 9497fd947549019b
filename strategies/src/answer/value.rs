//! What an answer says, in a form in which two answers can be compared.

use std::fmt;

use super::code;
use super::number::{Number, Ratio};

/// An answer's value. See [`equivalent`].
#[derive(Debug, Clone)]
pub struct AnswerValue {
    /// The answer as it was written, without markup.
    written: String,
    pub(super) kind: Kind,
}

/// The forms of values.
#[derive(Debug, Clone)]
pub(super) enum Kind {
    /// The letter of a listed option.
    Choice(char),
    /// Year, month, day.
    Date(u16, u8, u8),
    /// Compared byte for byte: canonical JSON, code.
    Literal(String),
    Number {
        number: Number,
        unit: Option<String>,
    },
    /// A tuple, an interval, a list in brackets.
    Ordered {
        open: char,
        items: Vec<Self>,
        close: char,
    },
    /// Words, folded.
    Text(String),
    Truth(bool),
    /// A set, a bare list, alternatives. No two items are equivalent.
    Unordered(Vec<Self>),
}

/// How strictly values are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// By their values; known units must agree where both have one.
    Equivalent,
    /// Also values that a third one could join.
    Joinable,
}

impl AnswerValue {
    pub(super) fn new(written: impl Into<String>, kind: Kind) -> Self {
        Self {
            written: written.into(),
            kind,
        }
    }

    /// A value that equals only the same text.
    pub fn literal(text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            written: text.clone(),
            kind: Kind::Literal(text),
        }
    }

    /// Code, or what stands between the fences of a block of it: compared without its layout.
    pub fn code(text: &str) -> Self {
        Self {
            written: text.to_owned(),
            kind: Kind::Literal(code::tokens(code::last_block(text).unwrap_or(text))),
        }
    }

    /// The letter of a listed option.
    pub fn option(letter: char) -> Self {
        let letter = letter.to_ascii_uppercase();
        Self {
            written: letter.to_string(),
            kind: Kind::Choice(letter),
        }
    }

    /// A fraction that is known by its size alone, as `written` tells it. None if it is no number.
    pub(super) fn about(written: String, num: i128, den: i128) -> Option<Self> {
        let number = Number::about(Ratio::new(num, den)?);
        Some(Self::new(written, Kind::Number { number, unit: None }))
    }

    /// Whether the value is more than folded words.
    pub(crate) fn is_formal(&self) -> bool {
        !matches!(self.kind, Kind::Text(_))
    }

    /// Whether the value is the letter of an option.
    pub fn is_option(&self) -> bool {
        matches!(self.kind, Kind::Choice(_))
    }

    /// Whether the value is yes or no.
    pub fn is_truth(&self) -> bool {
        matches!(self.kind, Kind::Truth(_))
    }

    /// Whether the value is one number.
    pub fn is_number(&self) -> bool {
        matches!(self.kind, Kind::Number { .. })
    }

    /// The unit of a number that has one, by its shortest name: `%`, `km`.
    pub fn unit(&self) -> Option<&str> {
        match &self.kind {
            Kind::Number { unit, .. } => unit.as_deref(),
            _ => None,
        }
    }

    /// A number's size, without its sign and unit.
    pub fn magnitude(&self) -> Option<f64> {
        match &self.kind {
            Kind::Number { number, .. } => Some(number.approx().abs()),
            _ => None,
        }
    }

    /// The number that a percentage stands for: ½ for 50 %. None for anything that is no
    /// percentage.
    ///
    /// Values are equivalent only if written alike in this respect, because a vote cannot know what
    /// a bare number means. Who knows the right answer can.
    pub fn of_percent(&self) -> Option<Self> {
        let Kind::Number {
            number,
            unit: Some(unit),
        } = &self.kind
        else {
            return None;
        };
        let number = number
            .mul(&Number::from(Ratio::new(1, 100)?))
            .filter(|_| unit == "%")?;
        Some(Self::new(
            self.written.clone(),
            Kind::Number { number, unit: None },
        ))
    }

    pub(super) fn same(&self, other: &Self, strictness: Strictness) -> bool {
        self.kind.same(&other.kind, strictness)
    }
}

/// Whether two answers say the same. Rational numbers are compared exactly, others within 1e-6 of
/// their size; known units must agree where both have one; words are compared without case.
/// Reflexive and symmetric; [`super::Votes`] takes the transitive closure.
pub fn equivalent(left: &AnswerValue, right: &AnswerValue) -> bool {
    left.same(right, Strictness::Equivalent)
}

/// The answer as it was written, for people.
impl fmt::Display for AnswerValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

impl Kind {
    pub(super) fn same(&self, other: &Self, strictness: Strictness) -> bool {
        match (self, other) {
            (Self::Choice(left), Self::Choice(right)) => left == right,
            (Self::Date(year, month, day), Self::Date(other_year, other_month, other_day)) => {
                (year, month, day) == (other_year, other_month, other_day)
            }
            (Self::Literal(left), Self::Literal(right)) | (Self::Text(left), Self::Text(right)) => {
                left == right
            }
            (Self::Truth(left), Self::Truth(right)) => left == right,
            (
                Self::Number {
                    number: left,
                    unit: left_unit,
                },
                Self::Number {
                    number: right,
                    unit: right_unit,
                },
            ) => match strictness {
                Strictness::Equivalent => {
                    left.same(right) && units_agree(left_unit.as_deref(), right_unit.as_deref())
                }
                Strictness::Joinable => left.nearly_same(right),
            },
            (
                Self::Ordered { open, items, close },
                Self::Ordered {
                    open: other_open,
                    items: other_items,
                    close: other_close,
                },
            ) => {
                let same_brackets = (open, close) == (other_open, other_close);
                same_brackets
                    && items.len() == other_items.len()
                    && items
                        .iter()
                        .zip(other_items)
                        .all(|(left, right)| left.same(right, strictness))
            }
            (Self::Unordered(left), Self::Unordered(right)) => {
                left.len() == right.len() && matches_up(left, right, strictness)
            }
            _ => false,
        }
    }

    /// A set of these items, each once; a set of one item is that item.
    pub(super) fn unordered(items: Vec<Self>) -> Option<Self> {
        let mut set: Vec<Self> = Vec::new();
        for item in items {
            if !set
                .iter()
                .any(|known| known.same(&item, Strictness::Equivalent))
            {
                set.push(item);
            }
        }
        if set.len() > 1 {
            Some(Self::Unordered(set))
        } else {
            set.pop()
        }
    }
}

/// A pound is a weight or a currency; nothing else tells which.
fn units_agree(left: Option<&str>, right: Option<&str>) -> bool {
    let is_pound = |unit: &str| matches!(unit, "pound" | "lb" | "£");
    left.zip(right).is_none_or(|(left, right)| {
        left == right
            || ((left == "pound" || right == "pound") && is_pound(left) && is_pound(right))
    })
}

/// Whether each item on the left has a partner of its own on the right.
fn matches_up(left: &[Kind], right: &[Kind], strictness: Strictness) -> bool {
    let mut free: Vec<&Kind> = right.iter().collect();
    left.iter().all(|item| {
        let partner = free
            .iter()
            .position(|candidate| item.same(candidate, strictness));
        partner.map(|at| free.swap_remove(at)).is_some()
    })
}
