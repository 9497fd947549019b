//! The page: self-contained, without scripts, in the reader's choice of light or dark.
//!
//! maud escapes whatever is put in; the only text that it is told to trust is the style sheet.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Report, by_model, p_value, percent, plot, questions, spend, table, time};
use crate::summary::{Row, Verdict};

const STYLE: &str = include_str!("page.css");

pub(super) fn page(report: &Report<'_>) -> Markup {
    document(&html! {
        h1 { "Does it help, and what does it cost?" }
        @if let Some(sentence) = &report.stopped { p.warning { (sentence) } }
        @for (model, rows) in by_model(report.rows) { (section(report, model, &rows)) }
        (questions::failures(report))
        h2 { "How to read this" }
        ul { @for note in &report.assumptions { li { (note) } } }
        p.dim { (table::spent(report)) " " @if let Some(waited) = table::waited(report) {
            (waited) } }
        details {
            summary { "Settings" }
            pre { (serde_json::to_string_pretty(&report.settings).unwrap_or_default()) }
        }
        (questions::all(report))
    })
}

/// A whole page around `body`.
pub(crate) fn document(body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "hone eval" }
                style { (PreEscaped(STYLE)) }
            }
            body { (body) }
        }
    }
}

fn section(report: &Report<'_>, model: &str, rows: &[&Row]) -> Markup {
    html! {
        section {
            h2 { (model) " " span.dim { (report.questions) " questions" } }
            p.conclusion { (with_code(report.conclusion(model))) }
            (plot::scatter(rows))
            div.scroll { (rows_of(rows)) }
        }
    }
}

/// A text with names between backticks.
pub(crate) fn with_code(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

fn rows_of(rows: &[&Row]) -> Markup {
    let has_failures = rows.iter().any(|row| row.failed > 0);
    let has_degraded = rows.iter().any(|row| row.degraded > 0);
    html! {
        table {
            thead {
                tr {
                    th { "approach" }
                    th { "answers" }
                    th { "accuracy, 95 %" }
                    th { "against none" }
                    th { "p" }
                    th { "vote at equal spend" }
                    th { "against the vote" }
                    th { "at equal tokens" }
                    th { "tokens" }
                    th { "calls" }
                    th { "spend" }
                    th { "p50 / p95" }
                    th { "unread" }
                    @if has_degraded { th { "degraded" } }
                    @if has_failures { th { "failed" } }
                }
            }
            tbody {
                @for (number, row) in (1..).zip(rows) {
                    tr.loses[row.verdict == Some(Verdict::Loses)] {
                        th scope="row" { span.key { (number) } (row.approach) }
                        td { (row.answers) }
                        (measured(row))
                        td { @if row.answers > 0 { (spend(row.mean)) } @else { "–" } }
                        td {
                            @if let Some((half, most)) = row.wall_ms {
                                (time(half)) " / " (time(most))
                            } @else { "–" }
                        }
                        td { (row.unread) }
                        @if has_degraded { td { (row.degraded) } }
                        @if has_failures { td { (row.failed) } }
                    }
                }
            }
        }
    }
}

/// The cells from accuracy to calls.
fn measured(row: &Row) -> Markup {
    html! {
        td {
            @if let (Some(accuracy), Some((low, high))) = (row.accuracy, row.accuracy_interval) {
                b { (percent(accuracy)) } " "
                span.dim { (percent(low)) "–" (percent(high)) }
            } @else { "–" }
        }
        td {
            @if let Some(gain) = row.gain {
                (format!("{:+.1}", 100.0 * gain.difference))
                span.dim { (format!(" ± {:.1}", 100.0 * gain.margin)) }
            }
        }
        td { @if let Some(gain) = row.gain { (p_value(gain.p)) } }
        td {
            @if let Some(vote) = &row.equal_spend {
                (percent(vote.accuracy))
                span.dim { " k = " (format!("{:.1}", vote.samples)) @if vote.is_capped { "+" } }
            }
        }
        td {
            @if let (Some(gain), Some(verdict)) = (row.against_vote, row.verdict) {
                (format!("{:+.1} ", 100.0 * gain.difference))
                span class=(class(verdict)) { (verdict.words()) }
            }
        }
        td {
            @if let Some(gain) = row.against_tokens {
                (format!("{:+.1} ", 100.0 * gain.difference))
            }
        }
        @if row.answers > 0 {
            td { (format!("{:.0}", row.mean.input_tokens + row.mean.output_tokens)) }
            td { (format!("{:.1}", row.mean.calls)) }
        } @else {
            td { "–" }
            td { "–" }
        }
    }
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Beats => "verdict good",
        Verdict::Loses => "verdict bad",
        Verdict::Unclear => "verdict",
    }
}
