//! The models that approaches are measured on.

use hone_strategies::simulation::{Confidence, Errors, Reliability, TaskModel, Words};
use serde::{Deserialize, Serialize};

/// How often one answer is right.
pub(crate) const ACCURACIES: [f64; 3] = [0.3, 0.6, 0.9];
/// The judge of the main tables.
pub(crate) const JUDGE: Reliability = Reliability {
    true_positive: 0.85,
    false_positive: 0.25,
};
/// A judge that knows nothing.
const BLIND: Reliability = Reliability {
    true_positive: 0.5,
    false_positive: 0.5,
};
/// A judge that knows everything.
const PERFECT: Reliability = Reliability {
    true_positive: 1.0,
    false_positive: 0.0,
};
/// The accuracy at which judges are compared.
pub(crate) const JUDGED_AT: f64 = 0.6;

/// A model, and which table it is for.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// The table.
    pub(crate) table: Table,
    /// The model.
    pub(crate) task: TaskModel,
}

/// A table of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Table {
    /// Wrong answers hardly ever agree.
    Independent,
    /// Every wrong answer to a question is the same.
    Systematic,
    /// As `Systematic`, with another judge.
    Blind,
    /// As `Systematic`, with another judge.
    Perfect,
}

impl Setting {
    /// All of them, in the order of the tables.
    pub(crate) fn all() -> Vec<Self> {
        let main = [Table::Independent, Table::Systematic].into_iter();
        let main = main.flat_map(|table| {
            ACCURACIES.map(|accuracy| Self {
                table,
                task: Self::task(table, accuracy),
            })
        });
        main.chain([Table::Blind, Table::Perfect].map(|table| Self {
            table,
            task: Self::task(table, JUDGED_AT),
        }))
        .collect()
    }

    /// The model of a table.
    pub(crate) fn task(table: Table, accuracy: f64) -> TaskModel {
        TaskModel {
            seed: 20,
            accuracy,
            errors: if table == Table::Independent {
                Errors::Scattered
            } else {
                Errors::Favourite { share: 1.0 }
            },
            judge: match table {
                Table::Independent | Table::Systematic => JUDGE,
                Table::Blind => BLIND,
                Table::Perfect => PERFECT,
            },
            synthesis: 0.9,
            revision: 0.25,
            formulation: 0.7,
            programs: None,
            thinks: 0.0,
            words: Words {
                least: 10,
                most: 30,
            },
            confidence: Some(Confidence {
                right: -0.2,
                wrong: -0.42,
                spread: 0.8,
            }),
        }
    }
}
