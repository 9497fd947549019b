//! As much of a solver as the simulated model needs: it states sums only.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hone_strategies::smt::Script;
use hone_strategies::{Solver, SolverError};

/// Solves `(= answer (+ (* a b) c))`, and takes anything else for a mistake in the script.
#[derive(Debug)]
pub(crate) struct Sums;

impl Solver for Sums {
    fn solve<'a>(
        &'a self,
        script: &'a Script,
        _limit: Duration,
    ) -> BoxFuture<'a, Result<String, SolverError>> {
        let solved = value(&script.to_string());
        let printed = solved.map_or_else(
            || "(error \"unknown function\")".to_owned(),
            |value| format!("sat\n((answer {value}))"),
        );
        async move { Ok(printed) }.boxed()
    }
}

fn value(script: &str) -> Option<i64> {
    let (_, sum) = script.split_once("(= answer (")?;
    let mut words = sum
        .split(|c: char| c.is_whitespace() || matches!(c, '(' | ')'))
        .filter(|word| !word.is_empty());
    let sign = match words.next()? {
        "+" => 1,
        "-" => -1,
        _ => return None,
    };
    if words.next()? != "*" {
        return None;
    }
    let mut number = || words.next()?.parse::<i64>().ok();
    Some(number()? * number()? + sign * number()?)
}
