//! What tokens cost.

use serde::Serialize;

use crate::endpoint::{ModelUse, Tokens};
use crate::journal::{Answered, Journal};

/// Tokens that a price is for.
const PER: f64 = 1e6;

/// What a million tokens of some models cost, in any currency.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Price {
    /// A pattern of model names.
    pub model: String,
    /// Those that are read.
    pub input: f64,
    /// Those that are read and that the provider had read before; nothing if they cost as much.
    pub cached: Option<f64>,
    /// Those that are generated.
    pub output: f64,
}

/// What tokens weigh against each other: money, or what stands for it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Weights {
    pub(crate) read: f64,
    pub(crate) cached: f64,
    pub(crate) generated: f64,
}

/// What providers charge for a cached token and a generated one where a read one is 1, about.
pub(crate) const USUAL: Weights = Weights {
    read: 1.0,
    cached: 0.25,
    generated: 4.0,
};

impl Weights {
    #[expect(clippy::cast_precision_loss, reason = "fewer tokens than 2^52")]
    pub(crate) fn of(self, tokens: Tokens) -> f64 {
        let Tokens {
            read,
            cached,
            generated,
        } = tokens;
        self.read * read.saturating_sub(cached) as f64
            + self.cached * cached as f64
            + self.generated * generated as f64
    }
}

/// Prices by model; models without one cost nothing that is known.
#[derive(Debug, Clone)]
pub struct Prices {
    table: Vec<Price>,
    matches: fn(&str, &str) -> bool,
}

impl Default for Prices {
    /// No price at all.
    fn default() -> Self {
        Self::new(Vec::new(), |_pattern, _model| false)
    }
}

/// When to ask no more: once so much has been used, earlier runs in the same directory included.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Budget {
    /// Tokens, judges' included.
    pub tokens: Option<u64>,
    /// By the price table.
    pub cost: Option<f64>,
}

impl Budget {
    pub(crate) fn is_reached(self, spent: Spent) -> bool {
        self.tokens.is_some_and(|most| spent.tokens >= most)
            || self.cost.is_some_and(|most| spent.cost >= most)
    }
}

/// What has been used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct Spent {
    /// Calls to models, judges' not included.
    pub(crate) calls: u64,
    /// Tokens, judges' included.
    pub(crate) tokens: u64,
    /// By the price table.
    pub(crate) cost: f64,
}

impl Spent {
    /// This and that.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            tokens: self.tokens.saturating_add(other.tokens),
            cost: self.cost + other.cost,
        }
    }
}

impl Prices {
    /// The first price of `table` whose pattern matches a model counts. `matches` is asked with
    /// a pattern and a model's name.
    pub fn new(table: Vec<Price>, matches: fn(&str, &str) -> bool) -> Self {
        Self { table, matches }
    }

    /// As they were written.
    pub(crate) fn as_slice(&self) -> &[Price] {
        &self.table
    }

    /// The first model among `models` that has no price.
    pub(crate) fn missing<'m>(&self, models: impl IntoIterator<Item = &'m str>) -> Option<&'m str> {
        models.into_iter().find(|model| self.price(model).is_none())
    }

    /// The price of `model`; of `upstream/model` also by the part that the upstream knows.
    fn price(&self, model: &str) -> Option<&Price> {
        let there = model.split_once('/').map(|(_upstream, model)| model);
        let matches = |price: &&Price| {
            (self.matches)(&price.model, model)
                || there.is_some_and(|there| (self.matches)(&price.model, there))
        };
        self.table.iter().find(matches)
    }

    /// What a token of `model` costs; nothing if its price is not known.
    pub(crate) fn weights(&self, model: &str) -> Option<Weights> {
        let price = self.price(model)?;
        Some(Weights {
            read: price.input / PER,
            cached: price.cached.unwrap_or(price.input) / PER,
            generated: price.output / PER,
        })
    }

    /// What these tokens of `model` cost; nothing if its price is not known.
    pub(crate) fn cost_of(&self, model: &str, tokens: Tokens) -> Option<f64> {
        Some(self.weights(model)?.of(tokens))
    }

    /// What an answer of `model` cost: each call by the model that made it. Nothing if the price of
    /// one is not known.
    pub(crate) fn cost(&self, model: &str, answered: &Answered) -> Option<f64> {
        if answered.uses.is_empty() {
            return self.cost_of(model, answered.by_price());
        }
        answered
            .uses
            .iter()
            .map(|each| self.cost_of_use(each))
            .sum()
    }

    fn cost_of_use(&self, each: &ModelUse) -> Option<f64> {
        let tokens = Tokens::new(each.input_tokens, each.cached_tokens, each.output_tokens);
        self.cost_of(&each.model, tokens)
    }

    /// What an answer used, its judge included.
    pub(crate) fn of(&self, model: &str, answered: &Answered) -> Spent {
        let judge = answered.judge.as_ref();
        let judged = judge.map_or(0, |judge| {
            judge.input_tokens.saturating_add(judge.output_tokens)
        });
        let judging = judge.and_then(|judge| self.cost_of_use(judge));
        Spent {
            calls: answered.calls,
            tokens: answered.tokens().saturating_add(judged),
            cost: self.cost(model, answered).unwrap_or(0.0) + judging.unwrap_or(0.0),
        }
    }

    /// What all answers of `journal` used.
    pub(crate) fn spent(&self, journal: &Journal) -> Spent {
        journal
            .answers()
            .map(|(task, answered)| self.of(&task.model, answered))
            .fold(Spent::default(), Spent::and)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_price_that_matches_counts() {
        let price = |model: &str, input| Price {
            model: model.to_owned(),
            input,
            cached: None,
            output: 10.0,
        };
        let table = vec![price("gpt-4o-mini", 1.0), price("gpt-4o*", 2.5)];
        let prices = Prices::new(table, |pattern, name| {
            pattern
                .strip_suffix('*')
                .map_or(pattern == name, |start| name.starts_with(start))
        });
        let answered = Answered {
            input_tokens: 1_000_000,
            output_tokens: 100_000,
            ..Answered::default()
        };
        let cost = |model: &str| prices.cost(model, &answered);
        assert_eq!(
            (
                cost("gpt-4o-mini"),
                cost("gpt-4o"),
                cost("openai/gpt-4o"),
                cost("llama")
            ),
            (Some(2.0), Some(3.5), Some(3.5), None)
        );
        assert_eq!(prices.missing(["gpt-4o", "llama"]), Some("llama"));
    }

    #[test]
    fn each_call_is_priced_by_the_model_that_made_it() {
        let table = [("small", 1.0), ("large", 100.0)].map(|(model, price)| Price {
            model: model.to_owned(),
            input: price,
            cached: None,
            output: price,
        });
        let prices = Prices::new(table.to_vec(), |pattern, name| pattern == name);
        let used = |model: &str| ModelUse {
            model: model.to_owned(),
            input_tokens: 900_000,
            output_tokens: 100_000,
            ..ModelUse::default()
        };
        let answered = Answered {
            input_tokens: 1_800_000,
            output_tokens: 200_000,
            uses: vec![used("small"), used("large")],
            judge: Some(used("large")),
            ..Answered::default()
        };
        assert_eq!(prices.cost("small", &answered), Some(101.0));
        assert!((prices.of("small", &answered).cost - 201.0).abs() < 1e-9);
        let unknown = Answered {
            uses: vec![used("small"), used("other")],
            ..answered
        };
        assert_eq!(prices.cost("small", &unknown), None);
    }

    #[test]
    fn what_was_read_before_costs_what_the_price_says_or_as_much_as_the_rest() {
        let price = |cached| Price {
            model: "m".to_owned(),
            input: 2.0,
            cached,
            output: 8.0,
        };
        let cost = |cached| {
            let prices = Prices::new(vec![price(cached)], |pattern, name| pattern == name);
            prices.cost_of("m", Tokens::new(1_000_000, 750_000, 500_000))
        };
        assert_eq!(cost(Some(0.5)), Some(0.5 + 0.375 + 4.0));
        assert_eq!(cost(None), Some(6.0));
        assert!((USUAL.of(Tokens::new(100, 80, 10)) - (20.0 + 20.0 + 40.0)).abs() < 1e-9);
        assert_eq!(
            Tokens::new(5, 9, 1).cached,
            5,
            "nobody caches more than is read"
        );
    }

    #[test]
    fn counts_that_no_provider_can_mean_do_not_overflow() {
        let absurd = Answered {
            input_tokens: u64::MAX,
            output_tokens: 1,
            judge: Some(ModelUse {
                output_tokens: 2,
                ..ModelUse::default()
            }),
            ..Answered::default()
        };
        let spent = Prices::default().of("m", &absurd);
        assert_eq!(spent.and(spent).tokens, u64::MAX);
    }
}
