//! What the answers of a journal come to: a row for each model and approach.

use std::time::Duration;

use serde::Serialize;

use super::args::Entrant;
use super::baseline::{self, EqualSpend};
use super::dataset::Question;
use super::journal::{Answered, Journal, Task};
use super::prices::Prices;
use super::stats::{Pairs, percentile};
use hone_strategies::Share;

/// What one approach did with one model.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Row {
    /// The model.
    pub(super) model: String,
    /// The approach, with its parameters.
    pub(super) approach: String,
    /// Answers that were graded.
    pub(super) answers: u32,
    /// Of those, the right ones.
    pub(super) right: u32,
    /// Requests without an answer or a verdict. They are not among the answers.
    pub(super) failed: u32,
    /// The share of right answers.
    pub(super) accuracy: f64,
    /// Its 95 % interval.
    pub(super) accuracy_interval: (f64, f64),
    /// Compared with the plain model on the questions that both answered; nothing for the plain
    /// model.
    pub(super) gain: Option<Gain>,
    /// Means of an answer.
    pub(super) mean: Spend,
    /// Wall time of an answer in milliseconds: median and 95th percentile.
    pub(super) wall_ms: (u64, u64),
    /// The honest baseline: a vote over plain samples that costs as much.
    pub(super) equal_spend: Option<EqualSpend>,
}

/// A paired difference.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Gain {
    /// Of the two accuracies.
    pub(super) difference: f64,
    /// Half its 95 % interval.
    pub(super) margin: f64,
    /// Questions that only this one answered right.
    pub(super) gained: u32,
    /// Questions that only the other answered right.
    pub(super) lost: u32,
    /// McNemar's exact test.
    pub(super) p: f64,
}

/// What an answer takes.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Spend {
    /// Tokens read.
    pub(super) input_tokens: f64,
    /// Tokens generated.
    pub(super) output_tokens: f64,
    /// Calls to the model.
    pub(super) calls: f64,
    /// By the price table; nothing if the model is not in it.
    pub(super) cost: Option<f64>,
}

impl Spend {
    /// What it is compared by: cost if that is known, else tokens.
    pub(super) fn amount(self) -> f64 {
        self.cost.unwrap_or(self.input_tokens + self.output_tokens)
    }
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

/// Where the answers are, and what they are answers to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Results<'a> {
    pub(super) journal: &'a Journal,
    pub(super) questions: &'a [Question],
    pub(super) prices: &'a Prices,
    pub(super) repeats: u32,
}

impl<'a> Results<'a> {
    /// A row for each approach; `baseline_samples` is how many plain samples the baseline may vote
    /// over.
    pub(super) fn rows(
        self,
        models: &[String],
        entrants: &[Entrant],
        baseline_samples: u32,
    ) -> Vec<Row> {
        let each = models
            .iter()
            .flat_map(|model| entrants.iter().map(move |entrant| (model, entrant)));
        each.map(|(model, entrant)| self.row(model, entrant, baseline_samples))
            .collect()
    }

    fn row(self, model: &str, entrant: &Entrant, baseline_samples: u32) -> Row {
        let answers: Vec<&Answered> = self
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
        let mean = self.mean(model, &answers);
        Row {
            model: model.to_owned(),
            approach: entrant.title.clone(),
            answers: share.trials,
            right: share.successes,
            failed: count(&answers, |answered| !is_graded(answered)),
            accuracy: share.value(),
            accuracy_interval: share.interval(),
            gain: (entrant.title != "none")
                .then(|| self.pairs(model, &entrant.title, "none").into()),
            mean,
            wall_ms: (wall(0.5), wall(0.95)),
            equal_spend: (baseline_samples > 0)
                .then(|| baseline::at(self, model, mean, baseline_samples))
                .flatten(),
        }
    }

    /// What the answers of one approach took on average.
    pub(super) fn mean(self, model: &str, answers: &[&Answered]) -> Spend {
        let graded: Vec<&&Answered> = answers
            .iter()
            .filter(|answered| is_graded(answered))
            .collect();
        if graded.is_empty() {
            return Spend::default();
        }
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52")]
        let mean = |figure: fn(&Answered) -> u64| {
            graded.iter().map(|answered| figure(answered)).sum::<u64>() as f64 / graded.len() as f64
        };
        let costs: Option<Vec<f64>> = graded
            .iter()
            .map(|answered| self.prices.cost(model, answered))
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "fewer than 2^52")]
        let cost = costs.map(|costs| costs.iter().sum::<f64>() / costs.len() as f64);
        Spend {
            input_tokens: mean(|answered| answered.input_tokens),
            output_tokens: mean(|answered| answered.output_tokens),
            calls: mean(|answered| answered.calls),
            cost,
        }
    }

    fn pairs(self, model: &str, approach: &str, other: &str) -> Pairs {
        let mut pairs = Pairs::default();
        for (task, answered) in self.answers(model, approach) {
            let plain = self.journal.get(&Task {
                approach: other.to_owned(),
                ..task
            });
            if let (Some(right), Some(plain)) =
                (answered.right, plain.and_then(|plain| plain.right))
            {
                pairs.add(right, plain);
            }
        }
        pairs
    }

    /// The answers that there are, in the order of the questions.
    fn answers(self, model: &str, approach: &str) -> impl Iterator<Item = (Task, &'a Answered)> {
        let tasks = self.questions.iter().flat_map(move |question| {
            (0..self.repeats).map(move |repeat| Task {
                model: model.to_owned(),
                approach: approach.to_owned(),
                question: question.id.clone(),
                repeat,
            })
        });
        tasks.filter_map(move |task| self.journal.get(&task).map(|answered| (task, answered)))
    }
}

fn is_graded(answered: &Answered) -> bool {
    answered.right.is_some()
}

fn wall(answered: &Answered) -> Duration {
    Duration::from_millis(answered.wall_ms)
}

fn count(answers: &[&Answered], test: impl Fn(&Answered) -> bool) -> u32 {
    u32::try_from(answers.iter().filter(|answered| test(answered)).count()).unwrap_or(u32::MAX)
}
