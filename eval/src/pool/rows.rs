//! The rows of a pool, and what beats the plain vote at equal spend.

use std::collections::HashMap;

use serde::Serialize;

use super::cases::{Case, Cases};
use super::kept::Temperature;
use super::rules::{self, Drawing, Family, Outcome, Rule, Signal};
use super::{Hypothesis, PoolReading};
use crate::compare::{
    Discrimination, Draws, Estimate, between, bootstrap, discrimination, holm, mean_discrimination,
};
use crate::prices::USUAL;
use crate::results::Column;
use crate::settings::Settings;
use crate::summary::Verdict;

/// A difference with a smaller p is taken to be more than chance.
const SIGNIFICANT: f64 = 0.05;
/// Two spends that differ by less are equal.
const SAME_SPEND: f64 = 1.005;

/// What a pool says of one model.
#[derive(Debug, Clone, Serialize)]
pub(super) struct ModelRows {
    pub(super) model: String,
    /// Questions that were compared.
    pub(super) questions: usize,
    /// Questions that lack samples.
    pub(super) incomplete: usize,
    /// Questions whose answers cannot be compared.
    pub(super) uncountable: usize,
    /// Whether money is by a price table; else it is weighted tokens.
    pub(super) has_prices: bool,
    /// Written by the report.
    pub(super) conclusion: String,
    pub(super) tests: Vec<Test>,
    pub(super) rows: Vec<Row>,
    /// The plain vote at each temperature.
    pub(super) curves: Vec<Curve>,
    pub(super) signals: Vec<SignalRow>,
}

/// What one way to answer does.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    pub(super) name: String,
    pub(super) accuracy: f64,
    /// Its 95 % interval, by the bootstrap over questions.
    pub(super) interval: (f64, f64),
    pub(super) calls: f64,
    pub(super) tokens: f64,
    pub(super) weighted_tokens: f64,
    pub(super) money: f64,
    /// Against the plain vote at equal money and at equal tokens; nothing for a plain vote and for
    /// the oracle.
    pub(super) against: Option<[Against; 2]>,
    /// What both say, unadjusted: exploratory.
    pub(super) verdict: Option<Verdict>,
}

/// A row against the plain vote at equal spend.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Against {
    /// How many votes that are.
    pub(super) votes: f64,
    /// Whether the spend would buy more than were drawn.
    pub(super) is_capped: bool,
    /// The temperature at which the vote is best there.
    pub(super) temperature: Temperature,
    pub(super) accuracy: f64,
    #[serde(flatten)]
    pub(super) estimate: Estimate,
}

/// A hypothesis, tested.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Test {
    #[serde(flatten)]
    pub(super) hypothesis: Hypothesis,
    /// At equal money and at equal tokens; against a row, twice the same.
    pub(super) estimates: [Estimate; 2],
    /// The row's spend over that of what it is compared with, in money and tokens.
    pub(super) spend: [f64; 2],
    /// The greater p of both columns, adjusted by Holm's procedure.
    pub(super) p: f64,
    pub(super) verdict: Verdict,
}

/// The plain vote at one temperature.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Curve {
    pub(super) temperature: Temperature,
    /// Money, tokens and accuracy of a vote of 1, 2, ….
    pub(super) points: Vec<(f64, f64, f64)>,
}

/// How well signals tell right from wrong at one temperature.
#[derive(Debug, Clone, Serialize)]
pub(super) struct SignalRow {
    pub(super) temperature: Temperature,
    pub(super) signal: &'static str,
    pub(super) discrimination: Option<Discrimination>,
}

/// Everything that was computed of one rule.
struct Computed {
    rule: Rule,
    /// On each question.
    outcomes: Vec<Outcome>,
    mean: Outcome,
}

impl Computed {
    fn spend(&self, column: Column) -> f64 {
        match column {
            Column::Money => self.mean.money,
            Column::Tokens => self.mean.tokens,
        }
    }

    fn right(&self) -> Vec<f64> {
        self.outcomes.iter().map(|outcome| outcome.right).collect()
    }
}

/// The rows of one model.
///
/// # Errors
///
/// When there is nothing to compare, or no such row as a hypothesis names.
pub(super) fn model(
    model: &str,
    cases: &Cases,
    reading: &PoolReading,
    settings: &Settings,
) -> Result<ModelRows, String> {
    let seed = settings.seed.into();
    let drawing = Drawing {
        subsamples: reading.subsamples,
        seed,
        usual: USUAL,
        prices: settings.prices.weights(model),
    };
    let draws = Draws {
        groups: &cases.groups,
        resamples: reading.resamples,
        seed,
        width: 0.95,
    };
    let all = computed(cases, drawing);
    let curves = curves(&all, cases);
    if curves.is_empty() {
        return Err(format!(
            "no question has all samples of `{model}`, so nothing can be compared; the command \
                with --pool goes on with it"
        ));
    }
    let tests = tests(&all, cases, &reading.hypotheses, draws)?;
    let rows = rows(&all, cases, draws);
    Ok(ModelRows {
        model: model.to_owned(),
        questions: cases.all.len(),
        incomplete: cases.incomplete,
        uncountable: cases.uncountable,
        has_prices: drawing.prices.is_some(),
        conclusion: String::new(),
        tests,
        rows,
        curves,
        signals: signals(cases, draws),
    })
}

/// What every rule does on every question.
fn computed(cases: &Cases, drawing: Drawing) -> Vec<Computed> {
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
fn votes(all: &[Computed], group: usize) -> Vec<&Computed> {
    let is_vote = |each: &&Computed| each.rule.family == Family::Plain && each.rule.group == group;
    all.iter().filter(is_vote).collect()
}

fn curves(all: &[Computed], cases: &Cases) -> Vec<Curve> {
    let curve = |(group, temperature): (usize, &Temperature)| {
        let votes = votes(all, group).into_iter();
        let points: Vec<_> = votes
            .map(|vote| (vote.mean.money, vote.mean.tokens, vote.mean.right))
            .collect();
        (!points.is_empty() && !temperature.is_greedy()).then_some(Curve {
            temperature: *temperature,
            points,
        })
    };
    let groups = cases.temperatures.iter().enumerate();
    groups.filter_map(curve).collect()
}

/// The plain vote at a spend.
struct Equal {
    votes: f64,
    is_capped: bool,
    temperature: Temperature,
    accuracy: f64,
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
        let number = |each: &Computed| crate::compare::count(each.rule.votes);
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
fn compared(all: &[Computed], cases: &Cases, row: &Computed) -> Option<[(Equal, Vec<f64>); 2]> {
    let [money, tokens] = Column::ALL.map(|column| {
        let equal = equal(all, cases, row, column)?;
        let differences = difference(&row.right(), &equal.right);
        Some((equal, differences))
    });
    money.zip(tokens).map(|(money, tokens)| [money, tokens])
}

fn difference(row: &[f64], other: &[f64]) -> Vec<f64> {
    row.iter()
        .zip(other)
        .map(|(row, other)| row - other)
        .collect()
}

fn rows(all: &[Computed], cases: &Cases, draws: Draws<'_>) -> Vec<Row> {
    let shown: Vec<&Computed> = all.iter().filter(|each| each.rule.is_row).collect();
    let mut columns = Vec::new();
    let mut equals = Vec::new();
    for row in &shown {
        columns.push(row.right());
        let is_compared = row.rule.family != Family::Any
            && (row.rule.family != Family::Plain || row.rule.name == "greedy");
        let compared = is_compared.then(|| compared(all, cases, row)).flatten();
        equals.push(compared.map(|pair| {
            pair.map(|(equal, differences)| {
                columns.push(differences);
                equal
            })
        }));
    }
    let mut estimates = bootstrap(&columns, draws).into_iter();
    let mut next = || estimates.next().unwrap_or_default();
    let row = |(row, equals): (&Computed, Option<[Equal; 2]>)| {
        let own = next();
        let against = equals.map(|pair| pair.map(|equal| against(&equal, next())));
        Row {
            name: row.rule.name.clone(),
            accuracy: row.mean.right,
            interval: own.interval,
            calls: row.mean.calls,
            tokens: row.mean.tokens,
            weighted_tokens: row.mean.weighted,
            money: row.mean.money,
            verdict: against.as_ref().map(|pair| {
                let estimates = [0, 1].map(|at| pair.get(at).map(|each| each.estimate));
                verdict(&estimates.map(Option::unwrap_or_default), None)
            }),
            against,
        }
    };
    shown.into_iter().zip(equals).map(row).collect()
}

fn against(equal: &Equal, estimate: Estimate) -> Against {
    Against {
        votes: equal.votes,
        is_capped: equal.is_capped,
        temperature: equal.temperature,
        accuracy: equal.accuracy,
        estimate,
    }
}

/// What two columns say together, with an adjusted p in place of their own if there is one.
fn verdict(estimates: &[Estimate; 2], adjusted: Option<f64>) -> Verdict {
    let p = adjusted.unwrap_or_else(|| estimates.iter().map(|each| each.p).fold(0.0, f64::max));
    let all = |test: fn(f64) -> bool| estimates.iter().all(|each| test(each.difference));
    if p < SIGNIFICANT && all(|difference| difference > 0.0) {
        Verdict::Beats
    } else if p < SIGNIFICANT && all(|difference| difference < 0.0) {
        Verdict::Loses
    } else {
        Verdict::Unclear
    }
}

/// The hypotheses, each with what was adjusted for all of them.
fn tests(
    all: &[Computed],
    cases: &Cases,
    hypotheses: &[Hypothesis],
    draws: Draws<'_>,
) -> Result<Vec<Test>, String> {
    let by_name: HashMap<&str, &Computed> = all
        .iter()
        .map(|each| (each.rule.name.as_str(), each))
        .collect();
    let find = |name: &str| {
        by_name.get(name).copied().ok_or_else(|| {
            let rows = all.iter().filter(|each| each.rule.is_row);
            let names: Vec<&str> = rows.map(|each| each.rule.name.as_str()).collect();
            format!("no row is called `{name}`; there are {}", names.join(", "))
        })
    };
    let (mut columns, mut spends) = (Vec::new(), Vec::new());
    for hypothesis in hypotheses {
        let row = find(&hypothesis.row)?;
        let Some(other) = &hypothesis.against else {
            let pair = compared(all, cases, row).ok_or("there is no plain vote")?;
            columns.extend(pair.map(|(_, differences)| differences));
            spends.push([1.0; 2]);
            continue;
        };
        let other = find(other)?;
        let differences = difference(&row.right(), &other.right());
        columns.extend([differences.clone(), differences]);
        spends.push(Column::ALL.map(|column| row.spend(column) / other.spend(column)));
    }
    let estimates = bootstrap(&columns, draws);
    let pairs: Vec<[Estimate; 2]> = estimates.as_chunks::<2>().0.to_vec();
    let greater = |pair: &[Estimate; 2]| pair.iter().map(|each| each.p).fold(0.0, f64::max);
    let adjusted = holm(&pairs.iter().map(greater).collect::<Vec<_>>());
    let tests = hypotheses
        .iter()
        .zip(pairs)
        .zip(spends.into_iter().zip(adjusted));
    Ok(tests
        .map(|((hypothesis, estimates), (spend, p))| Test {
            hypothesis: hypothesis.clone(),
            estimates,
            spend,
            p,
            verdict: at_equal_spend(verdict(&estimates, Some(p)), spend),
        })
        .collect())
}

/// Who is better for more spend beats nobody, and who is worse for less loses to nobody.
fn at_equal_spend(verdict: Verdict, spend: [f64; 2]) -> Verdict {
    let is_dearer = spend.iter().any(|times| *times > SAME_SPEND);
    let is_cheaper = spend.iter().any(|times| *times * SAME_SPEND < 1.0);
    match verdict {
        Verdict::Beats if is_dearer => Verdict::Unclear,
        Verdict::Loses if is_cheaper => Verdict::Unclear,
        verdict => verdict,
    }
}

fn signals(cases: &Cases, draws: Draws<'_>) -> Vec<SignalRow> {
    let hot = cases
        .temperatures
        .iter()
        .enumerate()
        .filter(|(_, each)| !each.is_greedy());
    hot.flat_map(|(group, temperature)| {
        Signal::ALL.map(|signal| {
            let of = |case: &Case| of_question(case, group, signal);
            let questions: Vec<Option<f64>> = cases.all.iter().map(of).collect();
            SignalRow {
                temperature: *temperature,
                signal: signal.name(),
                discrimination: mean_discrimination(&questions, draws),
            }
        })
    })
    .collect()
}

fn of_question(case: &Case, group: usize, signal: Signal) -> Option<f64> {
    let drawn = case.texts.get(group)?.iter();
    let scored: Vec<(f64, bool)> = drawn
        .filter_map(|drawn| Some((signal.of(drawn)?, drawn.is_right)))
        .collect();
    discrimination(&scored)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_holds_only_if_it_holds_in_both_columns() {
        let of = |money: f64, tokens: f64, ps: [f64; 2]| {
            let estimate = |(difference, p)| Estimate {
                difference,
                p,
                ..Estimate::default()
            };
            verdict(&[(money, ps[0]), (tokens, ps[1])].map(estimate), None)
        };
        assert_eq!(of(0.1, 0.2, [0.01, 0.04]), Verdict::Beats);
        assert_eq!(of(0.1, 0.2, [0.01, 0.06]), Verdict::Unclear);
        assert_eq!(of(0.1, -0.2, [0.01, 0.01]), Verdict::Unclear);
        assert_eq!(of(-0.1, -0.2, [0.01, 0.01]), Verdict::Loses);
        let sure = Estimate {
            difference: 0.1,
            p: 0.001,
            ..Estimate::default()
        };
        assert_eq!(
            verdict(&[sure; 2], Some(0.2)),
            Verdict::Unclear,
            "by Holm's p"
        );
    }

    #[test]
    fn who_is_better_for_more_beats_nobody() {
        let at = at_equal_spend;
        assert_eq!(at(Verdict::Beats, [1.0, 1.0]), Verdict::Beats);
        assert_eq!(at(Verdict::Beats, [0.6, 0.9]), Verdict::Beats);
        assert_eq!(at(Verdict::Beats, [0.6, 1.1]), Verdict::Unclear);
        assert_eq!(at(Verdict::Loses, [0.6, 1.1]), Verdict::Unclear);
        assert_eq!(at(Verdict::Loses, [1.2, 1.0]), Verdict::Loses);
    }
}
