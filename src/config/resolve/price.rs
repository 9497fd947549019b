//! `[[price]]`.

use super::values;
use crate::config::Price;
use crate::config::error::ConfigErrors;
use crate::config::file::{self, Section};

impl Price {
    /// Reads a file that has `[[price]]` tables and nothing else.
    ///
    /// # Errors
    ///
    /// Every mistake in it.
    pub fn read(text: &str) -> Result<Vec<Self>, ConfigErrors> {
        let (table, mistakes) = file::read(text)?;
        let mut root = Section::root(table, &mistakes);
        let prices = prices(&mut root);
        root.finish();
        mistakes.or(prices)
    }
}

/// The prices, in the order in which they are looked up.
pub(super) fn prices(root: &mut Section<'_>) -> Vec<Price> {
    root.sections("price").into_iter().map(price).collect()
}

fn price(mut section: Section<'_>) -> Price {
    let model = section
        .required(
            "model",
            "name a model, or several by a glob such as \"gpt-4o*\"",
            values::model,
        )
        .unwrap_or_default();
    let price = Price {
        model,
        input: section.amount("input").unwrap_or(0.0),
        cached: section
            .has("cached")
            .then(|| section.amount("cached"))
            .flatten(),
        output: section.amount("output").unwrap_or(0.0),
    };
    section.finish();
    price
}
