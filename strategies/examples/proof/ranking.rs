//! What an approach gains for its tokens, and whether that is more than chance.

use crate::QUESTIONS;
use crate::measure::{Figure, Row};
use crate::page::MAIN_TABLES;
use crate::setting::{JUDGED_AT, Table};

/// An approach and what it gains for its tokens.
#[derive(Debug)]
pub(crate) struct Ranked<'a> {
    pub(crate) row: &'a Row,
    /// Percentage points more than one answer, the mean of both main tables.
    pub(crate) points: f64,
    /// Tokens more than one answer, the mean of both main tables.
    pub(crate) tokens: f64,
}

impl<'a> Ranked<'a> {
    /// All approaches but the plain model, the best for its tokens first.
    pub(crate) fn all(rows: &[&'a Row]) -> Vec<Self> {
        let mut ranked: Vec<Self> = rows
            .iter()
            .filter_map(|row| Self::of(row, rows, &[Table::Independent, Table::Systematic]))
            .collect();
        ranked.sort_by(|a, b| b.merit().total_cmp(&a.merit()));
        ranked
    }

    pub(crate) fn of(row: &'a Row, rows: &[&Row], tables: &[Table]) -> Option<Self> {
        let plain = rows.iter().find(|row| row.slug == "none")?;
        if row.slug == plain.slug {
            return None;
        }
        let (mut points, mut tokens, mut count) = (0.0, 0.0, 0.0);
        for table in tables {
            let (one, this) = (at(plain, *table)?, at(row, *table)?);
            points += 100.0 * (this.accuracy - one.accuracy);
            tokens += this.tokens - one.tokens;
            count += 1.0;
        }
        Some(Self {
            row,
            points: points / count,
            tokens: tokens / count,
        })
    }

    /// Points gained per 1,000 tokens.
    pub(crate) fn merit(&self) -> f64 {
        1_000.0 * self.points / self.tokens.max(1.0)
    }

    /// Whether it beats a vote of equal cost at any accuracy of one table.
    fn beats_vote(row: &Row, table: Table) -> bool {
        row.figures
            .iter()
            .filter(|figure| figure.table == table)
            .any(pays)
    }

    /// The same in words, over both main tables.
    pub(crate) fn verdict(&self) -> &'static str {
        match MAIN_TABLES.map(|(table, _)| Self::beats_vote(self.row, table)) {
            [true, true] => "both",
            [true, false] => "independent errors",
            [false, true] => "systematic errors",
            [false, false] => "no",
        }
    }
}

/// The figure of a row at the accuracy at which judges are compared.
pub(crate) fn at(row: &Row, table: Table) -> Option<&Figure> {
    row.figures
        .iter()
        .find(|figure| figure.table == table && (figure.base - JUDGED_AT).abs() < 1e-9)
}

/// Whether it beats the vote, and one answer too, by more than chance: where most answers are wrong
/// in the same way, all that does not vote beats a vote.
pub(crate) fn pays(figure: &Figure) -> bool {
    [figure.vote, figure.base]
        .into_iter()
        .all(|other| figure.accuracy - other > 3.0 * deviation(figure.accuracy, other))
}

/// The standard deviation of the difference of two shares of all questions, as if they were
/// measured on different ones.
pub(crate) fn deviation(a: f64, b: f64) -> f64 {
    ((a * (1.0 - a) + b * (1.0 - b)) / f64::from(QUESTIONS)).sqrt()
}
