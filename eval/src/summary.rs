//! What the answers of a journal come to: a row for each model and approach.

use std::time::Duration;

use serde::Serialize;

use crate::baseline::{self, EqualSpend};
use crate::compare::{Draws, RESAMPLES, bootstrap, mean};
use crate::journal::{Answered, Task};
use crate::results::{Column, Results, Spend, is_graded};
use hone_strategies::Share;
use stats::{Pairs, percentile};

pub(crate) mod causes;
pub(crate) mod conclusion;
mod stats;

/// A difference with a smaller p is taken to be more than chance.
const SIGNIFICANT: f64 = 0.05;

/// What one approach did with one model. What rests on answers is nothing where there are none.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// The model.
    pub(crate) model: String,
    /// The approach, with its parameters.
    pub(crate) approach: String,
    /// Answers that were graded.
    pub(crate) answers: u32,
    /// Of those, the right ones.
    pub(crate) right: u32,
    /// Of the answers, those in which nothing could be read. They count as wrong.
    pub(crate) unread: u32,
    /// Of the answers, those that had to do without something.
    pub(crate) degraded: u32,
    /// Requests without an answer or a verdict. They are not among the answers.
    pub(crate) failed: u32,
    /// The share of right answers.
    pub(crate) accuracy: Option<f64>,
    /// Its 95 % interval.
    pub(crate) accuracy_interval: Option<(f64, f64)>,
    /// Compared with the plain model on the questions that both answered; nothing for the plain
    /// model.
    pub(crate) gain: Option<Gain>,
    /// Means of an answer.
    pub(crate) mean: Spend,
    /// Wall time of an answer in milliseconds: median and 95th percentile.
    pub(crate) wall_ms: Option<(u64, u64)>,
    /// The honest baseline: a vote over plain samples that costs as much.
    pub(crate) equal_spend: Option<EqualSpend>,
    /// Compared with that vote on the same questions.
    pub(crate) against_vote: Option<Gain>,
    /// The same at as many tokens, whatever they cost.
    pub(crate) equal_tokens: Option<EqualSpend>,
    /// Compared with that vote.
    pub(crate) against_tokens: Option<Gain>,
    /// What both say.
    pub(crate) verdict: Option<Verdict>,
}

/// Whether an approach is worth its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    /// It is right more often than a vote of equal cost, and that is not chance.
    Beats,
    /// It is right less often than the vote.
    Loses,
    /// It is right as often as the vote or more often, but these questions do not show it.
    Unclear,
}

impl Verdict {
    /// What holds at equal cost and at equal tokens.
    fn of_both(money: Option<Gain>, tokens: Option<Gain>) -> Option<Self> {
        let verdicts = [money, tokens].map(|gain| gain.map(Self::of));
        match verdicts {
            [Some(one), Some(other)] if one != other => Some(Self::Unclear),
            [one, other] => one.or(other),
        }
    }

    fn of(gain: Gain) -> Self {
        if gain.difference < 0.0 {
            Self::Loses
        } else if gain.p < SIGNIFICANT {
            Self::Beats
        } else {
            Self::Unclear
        }
    }

    /// In words for a table.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Beats => "beats it",
            Self::Loses => "loses",
            Self::Unclear => "unclear",
        }
    }
}

/// A paired difference.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Gain {
    /// Of the two accuracies.
    pub(crate) difference: f64,
    /// Half its 95 % interval.
    pub(crate) margin: f64,
    /// Questions that only this one answered right.
    pub(crate) gained: u32,
    /// Questions that only the other answered right.
    pub(crate) lost: u32,
    /// McNemar's exact test; against a vote, the paired bootstrap.
    pub(crate) p: f64,
}

impl Gain {
    /// Nothing if no question was answered by both.
    fn of(pairs: Pairs) -> Option<Self> {
        let Pairs { all, gained, lost } = pairs;
        (all > 0).then(|| Self {
            difference: pairs.difference(),
            margin: pairs.margin(),
            gained,
            lost,
            p: pairs.mcnemar(),
        })
    }

    /// By the paired bootstrap: between two numbers of votes a vote is neither right nor wrong.
    /// Nothing without differences.
    fn resampled(differences: Vec<f64>) -> Option<Self> {
        let far = |side: f64| {
            let is_far = |difference: &&f64| side * **difference > 0.0;
            u32::try_from(differences.iter().filter(is_far).count()).unwrap_or(u32::MAX)
        };
        let (gained, lost) = (far(1.0), far(-1.0));
        let draws = Draws {
            groups: &[],
            resamples: RESAMPLES,
            seed: 0,
            width: 0.95,
        };
        let is_any = !differences.is_empty();
        let found = bootstrap(&[differences], draws).into_iter().next()?;
        is_any.then(|| Self {
            difference: found.difference,
            margin: (found.interval.1 - found.interval.0) / 2.0,
            gained,
            lost,
            p: found.p,
        })
    }

    /// Whether it is more than chance.
    pub(crate) fn is_significant(&self) -> bool {
        self.p < SIGNIFICANT
    }
}

/// A row for each of `wanted` and for whatever else the journal has, by model: the plain model
/// first, then the best. `samples` is how many plain samples the baseline may vote over.
pub(crate) fn rows(results: Results<'_>, wanted: &[(String, String)], samples: u32) -> Vec<Row> {
    let mut pairs: Vec<(&str, &str)> = wanted
        .iter()
        .map(|(model, approach)| (model.as_str(), approach.as_str()))
        .collect();
    for pair in results.asked() {
        if !pairs.contains(&pair) {
            pairs.push(pair);
        }
    }
    let mut models: Vec<&str> = Vec::new();
    for (model, _) in &pairs {
        if !models.contains(model) {
            models.push(model);
        }
    }
    let mut rows: Vec<Row> = pairs
        .into_iter()
        .map(|(model, approach)| row(results, model, approach, samples))
        .collect();
    let place = |row: &Row| models.iter().position(|model| *model == row.model);
    rows.sort_by(|one, other| {
        place(one)
            .cmp(&place(other))
            .then((one.approach != "none").cmp(&(other.approach != "none")))
            .then(by_accuracy(one, other))
    });
    rows
}

/// The more accurate first, then the cheaper; what has no answers last.
fn by_accuracy(one: &Row, other: &Row) -> std::cmp::Ordering {
    let accuracy = |row: &Row| row.accuracy.unwrap_or(-1.0);
    let amount = |row: &Row| row.mean.amount();
    accuracy(other)
        .total_cmp(&accuracy(one))
        .then(amount(one).total_cmp(&amount(other)))
}

fn row(results: Results<'_>, model: &str, approach: &str, samples: u32) -> Row {
    let answers: Vec<&Answered> = results
        .answers(model, approach)
        .into_iter()
        .map(|(_, answered)| answered)
        .collect();
    let share = Share {
        successes: count(&answers, |answered| answered.right == Some(true)),
        trials: count(&answers, is_graded),
    };
    let is_answered = share.trials > 0;
    let is_plain = approach == "none";
    let spend = results.mean(model, &answers);
    let [equal_spend, equal_tokens] = Column::ALL.map(|column| {
        (samples > 0 && is_answered && !is_plain)
            .then(|| baseline::at(results, model, spend, samples, column))
            .flatten()
    });
    let [against_vote, against_tokens] = [&equal_spend, &equal_tokens].map(|vote| {
        let differences = differences(results, model, approach, vote.as_ref()?);
        Gain::resampled(differences)
    });
    Row {
        model: model.to_owned(),
        approach: approach.to_owned(),
        answers: share.trials,
        right: share.successes,
        unread: count(&answers, |answered| answered.unread),
        degraded: count(&answers, |answered| !answered.degraded.is_empty()),
        failed: count(&answers, |answered| !is_graded(answered)),
        accuracy: is_answered.then(|| share.value()),
        accuracy_interval: is_answered.then(|| share.interval()),
        gain: (!is_plain)
            .then(|| Gain::of(pairs(results, model, approach, "none")))
            .flatten(),
        mean: spend,
        wall_ms: wall(&answers),
        equal_spend,
        against_vote,
        equal_tokens,
        against_tokens,
        verdict: Verdict::of_both(against_vote, against_tokens),
    }
}

/// Median and 95th percentile.
fn wall(answers: &[&Answered]) -> Option<(u64, u64)> {
    let mut walls: Vec<Duration> = answers
        .iter()
        .filter(|answered| is_graded(answered))
        .map(|answered| Duration::from_millis(answered.wall_ms))
        .collect();
    walls.sort_unstable();
    let at = |quantile| {
        let wall = percentile(&walls, quantile)?;
        u64::try_from(wall.as_millis()).ok()
    };
    at(0.5).zip(at(0.95))
}

fn pairs(results: Results<'_>, model: &str, approach: &str, other: &str) -> Pairs {
    let mut pairs = Pairs::default();
    for (task, answered) in results.answers(model, approach) {
        let plain = results.journal.get(&Task {
            approach: other.to_owned(),
            ..task.clone()
        });
        if let (Some(right), Some(plain)) = (answered.right, plain.and_then(|plain| plain.right)) {
            pairs.add(right, plain);
        }
    }
    pairs
}

/// How much righter than the vote the answers to each question were.
fn differences(results: Results<'_>, model: &str, approach: &str, vote: &EqualSpend) -> Vec<f64> {
    let answers = results.answers(model, approach);
    let of_question = |answers: &[(&Task, &Answered)]| {
        let vote = vote.votes.get(&answers.first()?.0.question)?;
        let right: Vec<f64> = answers
            .iter()
            .filter_map(|(_, answered)| Some(f64::from(u8::from(answered.right?))))
            .collect();
        (!right.is_empty()).then(|| mean(right.into_iter()) - vote)
    };
    answers
        .chunk_by(|one, other| one.0.question == other.0.question)
        .filter_map(of_question)
        .collect()
}

fn count(answers: &[&Answered], test: impl Fn(&Answered) -> bool) -> u32 {
    u32::try_from(answers.iter().filter(|answered| test(answered)).count()).unwrap_or(u32::MAX)
}
