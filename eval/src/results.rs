//! The answers of a journal, as answers to these questions, and what they took.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;

use crate::compare;
use crate::dataset::Question;
use crate::journal::{Answered, Journal, SAMPLE, Task};
use crate::prices::{Prices, USUAL};

/// What an answer takes.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Spend {
    /// Tokens read.
    pub(crate) input_tokens: f64,
    /// Of those, the ones that the provider had read before.
    pub(crate) cached_tokens: f64,
    /// Tokens generated.
    pub(crate) output_tokens: f64,
    /// Calls to the model.
    pub(crate) calls: f64,
    /// Tokens by what they usually cost against each other; see [`USUAL`].
    pub(crate) weighted_tokens: f64,
    /// By the price table; nothing if the model is not in it.
    pub(crate) cost: Option<f64>,
}

/// What spends are compared by. A claim holds only if it holds by both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Column {
    /// Cost where prices are known, else weighted tokens.
    Money,
    /// Tokens, whatever they cost.
    Tokens,
}

impl Column {
    pub(crate) const ALL: [Self; 2] = [Self::Money, Self::Tokens];
}

impl Spend {
    /// In money, or what stands for it.
    pub(crate) fn amount(self) -> f64 {
        self.by(Column::Money)
    }

    pub(crate) fn tokens(self) -> f64 {
        self.input_tokens + self.output_tokens
    }

    pub(crate) fn by(self, column: Column) -> f64 {
        match column {
            Column::Money => self.cost.unwrap_or(self.weighted_tokens),
            Column::Tokens => self.tokens(),
        }
    }
}

/// Where the answers are, and what they are answers to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Results<'a> {
    pub(crate) journal: &'a Journal,
    /// All of the dataset.
    pub(crate) questions: &'a [Question],
    pub(crate) prices: &'a Prices,
}

impl<'a> Results<'a> {
    /// What the answers of one approach took on average.
    pub(crate) fn mean_of(self, model: &str, approach: &str) -> Spend {
        let answers: Vec<&Answered> = self
            .answers(model, approach)
            .into_iter()
            .map(|(_, answered)| answered)
            .collect();
        self.mean(model, &answers)
    }

    /// What these answers took on average.
    pub(crate) fn mean(self, model: &str, answers: &[&Answered]) -> Spend {
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
            cached_tokens: mean(|answered| answered.by_price().cached),
            output_tokens: mean(|answered| answered.output_tokens),
            calls: mean(|answered| answered.calls),
            weighted_tokens: compare::mean(
                graded.iter().map(|answered| USUAL.of(answered.by_price())),
            ),
            cost,
        }
    }

    /// The answers that there are, in the order of the questions.
    pub(crate) fn answers(self, model: &str, approach: &str) -> Vec<(&'a Task, &'a Answered)> {
        let places: HashMap<&str, usize> = self
            .questions
            .iter()
            .enumerate()
            .map(|(at, question)| (question.id.as_str(), at))
            .collect();
        let mut answers: Vec<_> = self
            .journal
            .answers()
            .filter(|(task, _)| task.model == model && task.approach == approach)
            .filter_map(|(task, answered)| {
                Some((places.get(task.question.as_str())?, task, answered))
            })
            .collect();
        answers.sort_by_key(|(place, task, _)| (**place, task.repeat));
        answers
            .into_iter()
            .map(|(_, task, answered)| (task, answered))
            .collect()
    }

    /// How many of the questions have been asked anything.
    pub(crate) fn asked_questions(self) -> usize {
        let asked: HashSet<&str> = self
            .journal
            .answers()
            .map(|(task, _)| task.question.as_str())
            .collect();
        let is_asked = |question: &&Question| asked.contains(question.id.as_str());
        self.questions.iter().filter(is_asked).count()
    }

    /// The models and the approaches that the journal has answers of, samples apart, sorted.
    pub(crate) fn asked(self) -> Vec<(&'a str, &'a str)> {
        let pairs: BTreeSet<(&str, &str)> = self
            .journal
            .answers()
            .filter(|(task, _)| task.approach != SAMPLE)
            .map(|(task, _)| (task.model.as_str(), task.approach.as_str()))
            .collect();
        pairs.into_iter().collect()
    }
}

/// Whether it counts: there is an answer, and it is known whether that is right.
pub(crate) const fn is_graded(answered: &Answered) -> bool {
    answered.right.is_some()
}
