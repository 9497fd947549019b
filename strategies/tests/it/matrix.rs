//! What every strategy must do, one table over all of them.

mod answers;
mod costs;
mod failures;
mod memory;
mod requests;

use hone_strategies::STRATEGIES;
use hone_strategies::model::{Fact, Model};
use serde_json::Value;

use crate::support::{Fake, Trial};
use crate::table::table;

fn trial(model: Fake, params: &Value) -> Trial {
    model.learn("m", Fact::ContinuesLast, true);
    let fields = params.as_object().unwrap().clone();
    fields
        .into_iter()
        .fold(Trial::new(model), |trial, (name, value)| {
            trial.with(&name, value)
        })
}

#[test]
fn every_strategy_has_a_row() {
    let rows: Vec<_> = table().into_iter().map(|(approach, ..)| approach).collect();
    for entry in STRATEGIES {
        assert!(rows.contains(&entry.slug), "{} has no row", entry.slug);
    }
}
