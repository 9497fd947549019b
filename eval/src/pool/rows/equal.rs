//! What every rule does, and the plain vote that its spend would buy.

use crate::compare::{between, count};
use crate::pool::cases::Cases;
use crate::pool::kept::Temperature;
use crate::pool::rules::{self, Drawing, Family, Outcome, Rule};
use crate::results::Column;

/// Everything that was computed of one rule.
pub(super) struct Computed {
    pub(super) rule: Rule,
    /// On each question.
    pub(super) outcomes: Vec<Outcome>,
    pub(super) mean: Outcome,
}

impl Computed {
    pub(super) fn spend(&self, column: Column) -> f64 {
        match column {
            Column::Money => self.mean.money,
            Column::Tokens => self.mean.tokens,
        }
    }

    pub(super) fn right(&self) -> Vec<f64> {
        self.outcomes.iter().map(|outcome| outcome.right).collect()
    }
}

/// What every rule does on every question.
pub(super) fn computed(cases: &Cases, drawing: Drawing) -> Vec<Computed> {
    let rules = rules::all(cases);
    let mut all: Vec<Computed> = rules
        .iter()
        .map(|rule| Computed {
            rule: rule.clone(),
            outcomes: Vec::new(),
            mean: Outcome::default(),
        })
        .collect();
    for (number, case) in (0..).zip(&cases.all) {
        let outcomes = rules::outcomes(case, number, &rules, drawing);
        for (each, outcome) in all.iter_mut().zip(outcomes) {
            each.outcomes.push(outcome);
        }
    }
    for each in &mut all {
        each.mean = rules::mean(&each.outcomes);
    }
    all
}

/// The plain votes of one temperature, from one vote on. At 0 that is one, since all agree.
pub(super) fn votes(all: &[Computed], group: usize) -> Vec<&Computed> {
    let is_vote = |each: &&Computed| each.rule.family == Family::Plain && each.rule.group == group;
    all.iter().filter(is_vote).collect()
}

/// The plain vote at a spend.
pub(super) struct Equal {
    pub(super) votes: f64,
    pub(super) is_capped: bool,
    pub(super) temperature: Temperature,
    pub(super) accuracy: f64,
    /// On each question.
    right: Vec<f64>,
}

/// The plain vote that the spend of `row` buys, at the temperature where that is best: another than
/// its own if it is such a vote.
fn equal(all: &[Computed], cases: &Cases, row: &Computed, column: Column) -> Option<Equal> {
    let spend = row.spend(column);
    let at = |(group, temperature): (usize, &Temperature)| {
        if row.rule.family == Family::Plain && row.rule.group == group {
            return None;
        }
        let votes = votes(all, group);
        let spends: Vec<f64> = votes.iter().map(|vote| vote.spend(column)).collect();
        let place = between(&spends, spend)?;
        let (floor, ceiling) = (votes.get(place.floor)?, votes.get(place.ceiling)?);
        let number = |each: &Computed| count(each.rule.votes);
        let right = floor.outcomes.iter().zip(&ceiling.outcomes);
        Some(Equal {
            votes: place.mix(number(floor), number(ceiling)),
            is_capped: place.is_capped && !temperature.is_greedy(),
            temperature: *temperature,
            accuracy: place.mix(floor.mean.right, ceiling.mean.right),
            right: right
                .map(|(low, high)| place.mix(low.right, high.right))
                .collect(),
        })
    };
    let each = cases.temperatures.iter().enumerate().filter_map(at);
    each.max_by(|one, other| one.accuracy.total_cmp(&other.accuracy))
}

/// A row against the plain vote in both columns, and the differences on each question.
pub(super) fn compared(
    all: &[Computed],
    cases: &Cases,
    row: &Computed,
) -> Option<[(Equal, Vec<f64>); 2]> {
    let [money, tokens] = Column::ALL.map(|column| {
        let equal = equal(all, cases, row, column)?;
        let differences = difference(&row.right(), &equal.right);
        Some((equal, differences))
    });
    money.zip(tokens).map(|(money, tokens)| [money, tokens])
}

pub(super) fn difference(row: &[f64], other: &[f64]) -> Vec<f64> {
    row.iter()
        .zip(other)
        .map(|(row, other)| row - other)
        .collect()
}
