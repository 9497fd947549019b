//! What the answers of a journal come to: a row for each model and approach.

use std::time::Duration;

use serde::Serialize;

use crate::baseline::{self, EqualSpend};
use crate::journal::{Answered, Task};
use crate::results::{Results, Spend, is_graded};
use crate::settings::Entrant;
use crate::stats::{Pairs, percentile};
use hone_strategies::Share;

/// What one approach did with one model.
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
    /// Requests without an answer or a verdict. They are not among the answers.
    pub(crate) failed: u32,
    /// The share of right answers.
    pub(crate) accuracy: f64,
    /// Its 95 % interval.
    pub(crate) accuracy_interval: (f64, f64),
    /// Compared with the plain model on the questions that both answered; nothing for the plain
    /// model.
    pub(crate) gain: Option<Gain>,
    /// Means of an answer.
    pub(crate) mean: Spend,
    /// Wall time of an answer in milliseconds: median and 95th percentile.
    pub(crate) wall_ms: (u64, u64),
    /// The honest baseline: a vote over plain samples that costs as much.
    pub(crate) equal_spend: Option<EqualSpend>,
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
    /// McNemar's exact test.
    pub(crate) p: f64,
}

impl From<Pairs> for Gain {
    fn from(pairs: Pairs) -> Self {
        let Pairs { gained, lost, .. } = pairs;
        Self {
            difference: pairs.difference(),
            margin: pairs.margin(),
            gained,
            lost,
            p: pairs.mcnemar(),
        }
    }
}

/// A row for each approach; `baseline_samples` is how many plain samples the baseline may vote
/// over.
pub(crate) fn rows(
    results: Results<'_>,
    models: &[String],
    entrants: &[Entrant],
    baseline_samples: u32,
) -> Vec<Row> {
    let each = models
        .iter()
        .flat_map(|model| entrants.iter().map(move |entrant| (model, entrant)));
    each.map(|(model, entrant)| row(results, model, entrant, baseline_samples))
        .collect()
}

fn row(results: Results<'_>, model: &str, entrant: &Entrant, baseline_samples: u32) -> Row {
    let answers: Vec<&Answered> = results
        .answers(model, &entrant.title)
        .map(|(_, answered)| answered)
        .collect();
    let share = Share {
        successes: count(&answers, |answered| answered.right == Some(true)),
        trials: count(&answers, is_graded),
    };
    let mut walls: Vec<Duration> = answers
        .iter()
        .filter(|answered| is_graded(answered))
        .map(|answered| wall(answered))
        .collect();
    walls.sort_unstable();
    let wall = |quantile| {
        percentile(&walls, quantile).map_or(0, |wall| {
            u64::try_from(wall.as_millis()).unwrap_or(u64::MAX)
        })
    };
    let mean = results.mean(model, &answers);
    Row {
        model: model.to_owned(),
        approach: entrant.title.clone(),
        answers: share.trials,
        right: share.successes,
        failed: count(&answers, |answered| !is_graded(answered)),
        accuracy: share.value(),
        accuracy_interval: share.interval(),
        gain: (entrant.title != "none")
            .then(|| pairs(results, model, &entrant.title, "none").into()),
        mean,
        wall_ms: (wall(0.5), wall(0.95)),
        equal_spend: (baseline_samples > 0)
            .then(|| baseline::at(results, model, mean, baseline_samples))
            .flatten(),
    }
}

fn pairs(results: Results<'_>, model: &str, approach: &str, other: &str) -> Pairs {
    let mut pairs = Pairs::default();
    for (task, answered) in results.answers(model, approach) {
        let plain = results.journal.get(&Task {
            approach: other.to_owned(),
            ..task
        });
        if let (Some(right), Some(plain)) = (answered.right, plain.and_then(|plain| plain.right)) {
            pairs.add(right, plain);
        }
    }
    pairs
}

fn wall(answered: &Answered) -> Duration {
    Duration::from_millis(answered.wall_ms)
}

fn count(answers: &[&Answered], test: impl Fn(&Answered) -> bool) -> u32 {
    u32::try_from(answers.iter().filter(|answered| test(answered)).count()).unwrap_or(u32::MAX)
}
