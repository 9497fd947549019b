//! The report for a terminal.

use std::io::{self, Write};
use std::path::Path;

use super::{Report, by_model, p_value, percent, time};
use crate::baseline::EqualSpend;
use crate::summary::Row;

/// Most causes of failures that are told.
const CAUSES: usize = 5;

/// Writes the rows, what follows, what it took, and how to read it.
pub(super) fn write(report: &Report<'_>, journal: &Path, out: &mut impl Write) -> io::Result<()> {
    let width = report.rows.iter().map(|row| row.approach.chars().count());
    let width = width.max().unwrap_or(0).max("approach".len());
    for (model, rows) in by_model(report.rows) {
        writeln!(out, "{model}, {} questions\n", report.questions)?;
        writeln!(
            out,
            "{:width$}  {:>5}  {:>20}  {:>24}  {:>24}  {:>22}  {:>7}  {:>6}  {:>8}  {:>15}  {:>6}  \
                {:>6}",
            "approach",
            "n",
            "accuracy (95 %)",
            "against none (p)",
            "equal-spend vote (k)",
            "at equal tokens (k)",
            "tokens",
            "calls",
            "spend",
            "p50/p95",
            "unread",
            "failed"
        )?;
        for row in rows {
            writeln!(out, "{}", line(row, width))?;
        }
        writeln!(out, "\n{}\n", report.conclusion(model))?;
    }
    for note in &report.assumptions {
        writeln!(out, "{note}")?;
    }
    writeln!(out)?;
    writeln!(out, "{}", spent(report))?;
    if let Some(waited) = waited(report) {
        writeln!(out, "{waited}")?;
    }
    failures(report, journal, out)?;
    if let Some(sentence) = &report.stopped {
        writeln!(out, "{sentence}")?;
    }
    Ok(())
}

fn failures(report: &Report<'_>, journal: &Path, out: &mut impl Write) -> io::Result<()> {
    let failed: u32 = report.causes.iter().map(|cause| cause.count).sum();
    let (requests, are, them) = match failed {
        0 => return Ok(()),
        1 => ("request", "is", "it"),
        _ => ("requests", "are", "them"),
    };
    writeln!(
        out,
        "{failed} {requests} failed and {are} not counted; running again asks {them} again. \
            {} has each.",
        journal.display()
    )?;
    for cause in report.causes.iter().take(CAUSES) {
        let approaches = cause.approaches.join(", ");
        writeln!(out, "  {} × {} ({approaches})", cause.count, cause.message)?;
    }
    match report.causes.len().checked_sub(CAUSES) {
        None | Some(0) => Ok(()),
        Some(more) => writeln!(out, "  and {more} more reasons"),
    }
}

/// What everything took, and this run of it.
pub(super) fn spent(report: &Report<'_>) -> String {
    let (all, before) = (report.spent, report.spent_before);
    let has_prices = report.rows.iter().any(|row| row.mean.cost.is_some());
    let told = |calls: u64, tokens: u64, cost: f64| {
        let cost = if has_prices {
            format!(", cost {cost:.4}")
        } else {
            String::new()
        };
        format!("{calls} calls, {tokens} tokens{cost}")
    };
    let whole = told(all.calls, all.tokens, all.cost);
    if before.tokens == 0 {
        return format!("Spent: {whole}.");
    }
    let this = told(
        all.calls.saturating_sub(before.calls),
        all.tokens.saturating_sub(before.tokens),
        (all.cost - before.cost).max(0.0),
    );
    format!("Spent: {whole}; in this run {this}.")
}

/// How often the provider was busy, if it was.
pub(super) fn waited(report: &Report<'_>) -> Option<String> {
    let waits = report.waits;
    (waits.refusals > 0).then(|| {
        format!(
            "Waited for the provider: {} refusals (429), {:.1} s in all, then no more than {} at \
                once.",
            waits.refusals, waits.seconds, waits.least_concurrency
        )
    })
}

fn line(row: &Row, width: usize) -> String {
    let none = || "–".to_owned();
    let accuracy = match (row.accuracy, row.accuracy_interval) {
        (Some(accuracy), Some((low, high))) => format!(
            "{} ({} – {})",
            percent(accuracy),
            percent(low),
            percent(high)
        ),
        _ => none(),
    };
    let is_plain = row.approach == "none";
    let gain = match row.gain {
        Some(gain) => format!(
            "{:+.1} ± {:.1} (p {})",
            gain.difference * 100.0,
            gain.margin * 100.0,
            p_value(gain.p)
        ),
        None if is_plain => String::new(),
        None => none(),
    };
    let is_answered = row.answers > 0;
    let tokens = row.mean.input_tokens + row.mean.output_tokens;
    let tokens = if is_answered {
        format!("{tokens:.0}")
    } else {
        none()
    };
    let calls = if is_answered {
        format!("{:.1}", row.mean.calls)
    } else {
        none()
    };
    let spend = if is_answered {
        super::spend(row.mean)
    } else {
        none()
    };
    let wall = row.wall_ms.map_or_else(none, |(half, most)| {
        format!("{}/{}", time(half), time(most))
    });
    format!(
        "{:width$}  {:>5}  {accuracy:>20}  {gain:>24}  {:>24}  {:>22}  {tokens:>7}  {calls:>6}  \
            {spend:>8}  {wall:>15}  {:>6}  {:>6}",
        row.approach,
        row.answers,
        verdict(row),
        row.equal_tokens.as_ref().map_or_else(String::new, vote),
        row.unread,
        row.failed
    )
}

/// The vote of equal cost, and who wins at equal cost and equal tokens.
fn verdict(row: &Row) -> String {
    let Some(equal) = &row.equal_spend else {
        return String::new();
    };
    let verdict = row.verdict.map_or("", |verdict| verdict.words());
    format!("{} {verdict}", vote(equal))
}

fn vote(vote: &EqualSpend) -> String {
    let more = if vote.is_capped { "+" } else { "" };
    format!("{} ({:.1}{more})", percent(vote.accuracy), vote.samples)
}
