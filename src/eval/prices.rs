//! What tokens cost.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::args::EvalArgs;
use super::journal::{Answered, Journal};

/// Tokens that a price is for.
const PER: f64 = 1e6;

/// Prices by model; models without one cost nothing that is known.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Prices {
    #[serde(default)]
    model: BTreeMap<String, Price>,
}

/// What a million tokens cost, in any currency.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Price {
    input: f64,
    output: f64,
}

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
        Self { tokens: self.tokens + other.tokens, cost: self.cost + other.cost }
    }

    /// Whether a budget is used up.
    pub(super) fn reaches(self, args: &EvalArgs) -> bool {
        args.max_total_tokens.is_some_and(|most| self.tokens >= most) || args.max_cost.is_some_and(|most| self.cost >= most)
    }
}

impl Prices {
    /// Reads a price table.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or is none.
    pub(super) fn load(path: Option<&Path>) -> io::Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let named = |error: &dyn std::fmt::Display| io::Error::other(format!("{}: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| named(&error))?;
        toml::from_str(&text).map_err(|error| named(&error))
    }

    /// What an answer of `model` cost; nothing if its price is not known.
    pub(super) fn cost(&self, model: &str, answered: &Answered) -> Option<f64> {
        let price = self.model.get(model)?;
        #[expect(clippy::cast_precision_loss, reason = "fewer tokens than 2^52")]
        Some((answered.input_tokens as f64 * price.input + answered.output_tokens as f64 * price.output) / PER)
    }

    /// What an answer used.
    pub(super) fn of(&self, model: &str, answered: &Answered) -> Spent {
        Spent { tokens: answered.tokens() + answered.judge_tokens, cost: self.cost(model, answered).unwrap_or(0.0) }
    }

    /// What all answers of `journal` used.
    pub(super) fn spent(&self, journal: &Journal) -> Spent {
        journal.answers().map(|(task, answered)| self.of(&task.model, answered)).fold(Spent::default(), Spent::and)
    }
}
