//! The page.

use maud::{Markup, html};
use serde_json::Value;

use super::{accuracy, cells, questions, signals, spend};
use crate::pool::rows::{Curve, ModelRows, Row};
use crate::report::html::{document, with_code};
use crate::report::plot::{self, Point};
use crate::summary::Verdict;

/// Numbers of votes that are marks on their curve.
const MARKED: [usize; 5] = [1, 3, 5, 8, 16];

pub(super) fn of(settings: &Value, models: &[ModelRows], notes: &[&str]) -> Markup {
    document(&html! {
        h1 { "What beats a plain vote at equal spend?" }
        @for model in models { (section(model)) }
        h2 { "How to read this" }
        ul { @for note in notes { li { (note) } } }
        details {
            summary { "Settings" }
            pre { (serde_json::to_string_pretty(settings).unwrap_or_default()) }
        }
    })
}

fn section(model: &ModelRows) -> Markup {
    html! {
        section {
            h2 { (model.model) " " span.dim { (questions(model)) } }
            p.conclusion { (with_code(&model.conclusion)) }
            (frontier(model))
            div.scroll { (table(model)) }
            ul { @for line in signals(model) { li { (line) } } }
        }
    }
}

fn table(model: &ModelRows) -> Markup {
    html! {
        table {
            thead {
                tr {
                    @for name in ["row", "accuracy, 95 %", "calls", "tokens", "spend",
                        "vote at equal spend", "at equal tokens", "verdict"] { th { (name) } }
                }
            }
            tbody {
                @for row in &model.rows {
                    @let [money, tokens] = cells(row);
                    tr.loses[row.verdict == Some(Verdict::Loses)] {
                        th scope="row" { (row.name) }
                        td { (accuracy(row.accuracy, row.interval)) }
                        td { (format!("{:.2}", row.calls)) }
                        td { (format!("{:.0}", row.tokens)) }
                        td { (spend(row, model.has_prices)) }
                        td { (money) }
                        td { (tokens) }
                        td { (row.verdict.map_or("", Verdict::words)) }
                    }
                }
            }
        }
    }
}

/// The plain vote's best curve as a line, and the rows of its temperature around it.
fn frontier(model: &ModelRows) -> Markup {
    let highest = |curve: &Curve| {
        curve
            .points
            .iter()
            .map(|point| point.2)
            .fold(f64::NEG_INFINITY, f64::max)
    };
    let best = model
        .curves
        .iter()
        .max_by(|one, other| highest(one).total_cmp(&highest(other)));
    let Some(best) = best else {
        return html! {};
    };
    let line: Vec<(f64, f64)> = best.points.iter().map(|point| (point.0, point.2)).collect();
    let ending = format!("@{}", best.temperature);
    let is_beside = |row: &&Row| {
        row.against.is_some() && (row.name.ends_with(&ending) || !row.name.contains('@'))
    };
    let rows = model.rows.iter().filter(is_beside).map(|row| Point {
        label: row.name.trim_end_matches(&ending).to_owned(),
        is_vote: false,
        spend: row.money,
        accuracy: row.accuracy,
        interval: row.interval,
    });
    let votes = (1..).zip(&line).filter(|(votes, _)| MARKED.contains(votes));
    let votes = votes.map(|(votes, (spend, accuracy))| Point {
        label: format!("vote of {votes}"),
        is_vote: true,
        spend: *spend,
        accuracy: *accuracy,
        interval: (*accuracy, *accuracy),
    });
    let unit = if model.has_prices {
        "cost of an answer"
    } else {
        "weighted tokens of an answer"
    };
    plot::curve(rows.chain(votes).collect(), &line, unit)
}
