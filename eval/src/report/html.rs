//! The page: self-contained, without scripts, in the reader's choice of light or dark.
//!
//! maud escapes whatever is put in; the only text that it is told to trust is the style sheet.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Report, plot};
use crate::summary::Row;
use crate::table::{models, p_value};

const STYLE: &str = include_str!("page.css");

pub(super) fn page(report: &Report<'_>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "hone eval" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { "Does it help, and what does it cost?" }
                @if let Some(sentence) = &report.stopped { p.warning { (sentence) } }
                @for model in models(report.rows) {
                    (section(report, model))
                }
                h2 { "How to read this" }
                ul { @for note in &report.assumptions { li { (note) } } }
                details {
                    summary { "Settings" }
                    pre { (serde_json::to_string_pretty(&report.settings).unwrap_or_default()) }
                }
            }
        }
    }
}

fn section(report: &Report<'_>, model: &str) -> Markup {
    let rows: Vec<&Row> = report
        .rows
        .iter()
        .filter(|row| row.model == model)
        .collect();
    html! {
        section {
            h2 { (model) " " span.dim { (report.questions) " questions" } }
            (plot::scatter(&rows))
            div.scroll { (table(&rows)) }
        }
    }
}

fn table(rows: &[&Row]) -> Markup {
    let has_cost = rows.iter().any(|row| row.mean.cost.is_some());
    let has_failures = rows.iter().any(|row| row.failed > 0);
    html! {
        table {
            thead {
                tr {
                    th { "approach" }
                    th { "accuracy, 95 %" }
                    th { "against none" }
                    th { "p" }
                    th { "vote at equal spend" }
                    th { "tokens" }
                    th { "calls" }
                    @if has_cost { th { "cost" } }
                    th { "p50 / p95" }
                    @if has_failures { th { "failed" } }
                }
            }
            tbody {
                @for row in rows {
                    tr {
                        th scope="row" { (row.approach) }
                        td {
                            b { (percent(row.accuracy)) } " "
                            span.dim {
                                (percent(row.accuracy_interval.0)) "–"
                                (percent(row.accuracy_interval.1))
                            }
                        }
                        td { @if let Some(gain) = row.gain { (format!("{:+.1}",
                            100.0 * gain.difference)) span.dim { (format!(" ± {:.1}",
                                100.0 * gain.margin)) } } }
                        td { @if let Some(gain) = row.gain { (p_value(gain.p)) } }
                        td {
                            @if let Some(vote) = row.equal_spend {
                                (percent(vote.accuracy))
                                span.dim { " k = " (vote.samples) @if vote.is_capped { "+" } }
                            }
                        }
                        td { (format!("{:.0}", row.mean.input_tokens + row.mean.output_tokens)) }
                        td { (format!("{:.1}", row.mean.calls)) }
                        @if has_cost {
                            td { @if let Some(cost) = row.mean.cost { (format!("{cost:.5}")) } }
                        }
                        td { (seconds(row.wall_ms.0)) " / " (seconds(row.wall_ms.1)) " s" }
                        @if has_failures { td { (row.failed) } }
                    }
                }
            }
        }
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

#[expect(clippy::cast_precision_loss, reason = "fewer milliseconds than 2^52")]
fn seconds(milliseconds: u64) -> String {
    format!("{:.1}", milliseconds as f64 / 1e3)
}
