//! The rows of a pool, and what beats the plain vote at equal spend.

use serde::Serialize;

use super::PoolReading;
use super::cases::{Case, Cases};
use super::kept::Temperature;
use super::rules::{Drawing, Family, Signal};
use crate::compare::{
    Discrimination, Draws, Estimate, bootstrap, discrimination, mean_discrimination,
};
use crate::prices::USUAL;
use crate::settings::Settings;
use crate::summary::Verdict;
use equal::{Computed, Equal, compared, computed, votes};
pub(super) use tested::Test;
use tested::tests;
use verdict::verdict;

mod equal;
mod tested;
mod verdict;

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
