//! What tokens cost.

use std::io;
use std::path::Path;

use super::args::EvalArgs;
use super::journal::{Answered, Journal};
use crate::config::{Price, glob};

/// Tokens that a price is for.
const PER: f64 = 1e6;

/// Prices by model; models without one cost nothing that is known.
#[derive(Debug, Clone, Default)]
pub(super) struct Prices(Vec<Price>);

/// What has been used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Spent {
    /// Tokens, judges' included.
    pub(super) tokens: u64,
    /// By the price table.
    pub(super) cost: f64,
}

impl Spent {
    /// This and that.
    #[must_use]
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            cost: self.cost + other.cost,
        }
    }

    /// Whether a budget is used up.
    pub(super) fn reaches(self, args: &EvalArgs) -> bool {
        args.max_total_tokens
            .is_some_and(|most| self.tokens >= most)
            || args.max_cost.is_some_and(|most| self.cost >= most)
    }
}

impl Prices {
    /// The prices of a configuration.
    pub(super) fn new(prices: Vec<Price>) -> Self {
        Self(prices)
    }

    /// Reads a price table: the `[[price]]` of a configuration, without the rest of it.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is none.
    pub(super) fn load(path: &Path) -> io::Result<Self> {
        let named = |error: &dyn std::fmt::Display| {
            io::Error::other(format!("{}: {error}", path.display()))
        };
        let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        Price::read(&text).map(Self).map_err(|error| named(&error))
    }

    /// As they were written.
    pub(super) fn as_slice(&self) -> &[Price] {
        &self.0
    }

    /// The first model among `models` that has no price.
    pub(super) fn missing<'m>(
        &self,
        models: impl IntoIterator<Item = &'m String>,
    ) -> Option<&'m String> {
        models.into_iter().find(|model| self.price(model).is_none())
    }

    /// The price of `model`; of `upstream/model` also by the part that the upstream knows.
    fn price(&self, model: &str) -> Option<&Price> {
        let there = model.split_once('/').map(|(_upstream, model)| model);
        let matches = |price: &&Price| {
            glob::matches(&price.model, model)
                || there.is_some_and(|there| glob::matches(&price.model, there))
        };
        self.0.iter().find(matches)
    }

    /// What an answer of `model` cost; nothing if its price is not known.
    pub(super) fn cost(&self, model: &str, answered: &Answered) -> Option<f64> {
        let price = self.price(model)?;
        #[expect(clippy::cast_precision_loss, reason = "fewer tokens than 2^52")]
        Some(
            (answered.input_tokens as f64 * price.input
                + answered.output_tokens as f64 * price.output)
                / PER,
        )
    }

    /// What an answer used.
    pub(super) fn of(&self, model: &str, answered: &Answered) -> Spent {
        Spent {
            tokens: answered.tokens().saturating_add(answered.judge_tokens),
            cost: self.cost(model, answered).unwrap_or(0.0),
        }
    }

    /// What all answers of `journal` used.
    pub(super) fn spent(&self, journal: &Journal) -> Spent {
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
            output: 10.0,
        };
        let prices = Prices::new(vec![price("gpt-4o-mini", 1.0), price("gpt-4o*", 2.5)]);
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
        assert_eq!(
            prices
                .missing(&["gpt-4o".to_owned(), "llama".to_owned()])
                .map(String::as_str),
            Some("llama")
        );
    }

    #[test]
    fn counts_that_no_provider_can_mean_do_not_overflow() {
        let absurd = Answered {
            input_tokens: u64::MAX,
            output_tokens: 1,
            judge_tokens: 2,
            ..Answered::default()
        };
        let spent = Prices::default().of("m", &absurd);
        assert_eq!(spent.and(spent).tokens, u64::MAX);
    }

    #[test]
    fn a_price_table_is_read_as_strictly_as_a_configuration() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("prices.toml");
        std::fs::write(
            &path,
            "[[price]]\nmodel = \"a\"\ninput = 1\noutput = -2\n[[price]]\ninput = \"1\"\n[limits]",
        )
        .unwrap();
        let error = Prices::load(&path).unwrap_err().to_string();
        for part in [
            "price[0].output",
            "price[1].model",
            "price[1].input",
            "price[1].output",
            "limits",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }
}
