//! The report for a terminal.

use std::io::{self, Write};

use crate::runner::Stopped;
use crate::summary::Row;

/// How to read the figures.
pub(crate) const NOTES: [&str; 4] = [
    "accuracy: share of graded answers, with Wilson's 95 % interval. What failed is not among \
        them.",
    "against none: paired difference on the same questions with its 95 % interval, and the p of \
        McNemar's exact test.",
    "equal-spend vote: self-consistency over the k plain samples that cost as much as the \
        approach; + where it would afford more than were drawn.",
    "cost: all tokens at the price of --model, even where other models answered; without verdicts \
        of judges.",
];

/// Writes the rows, and how to read them.
pub(crate) fn write(
    rows: &[Row],
    questions: usize,
    stopped: &Stopped,
    out: &mut impl Write,
) -> io::Result<()> {
    let width = rows
        .iter()
        .map(|row| row.approach.len())
        .max()
        .unwrap_or(0)
        .max("approach".len());
    for model in models(rows) {
        writeln!(out, "{model}, {questions} questions\n")?;
        writeln!(
            out,
            "{:width$}  {:>20}  {:>24}  {:>7}  {:>6}  {:>8}  {:>13}  {:>21}",
            "approach",
            "accuracy (95 %)",
            "against none (p)",
            "tokens",
            "calls",
            "cost",
            "p50/p95 s",
            "equal-spend vote (k)"
        )?;
        for row in rows.iter().filter(|row| row.model == model) {
            writeln!(out, "{}", line(row, width))?;
        }
        writeln!(out)?;
    }
    for note in NOTES {
        writeln!(out, "{note}")?;
    }
    let failed: u32 = rows.iter().map(|row| row.failed).sum();
    if failed > 0 {
        writeln!(
            out,
            "{failed} requests failed and are not counted; the journal says why, and running again \
                asks them again."
        )?;
    }
    if let Some(sentence) = stopped.sentence() {
        writeln!(out, "{sentence}")?;
    }
    Ok(())
}

/// The models, in the order of the rows.
pub(crate) fn models(rows: &[Row]) -> Vec<&str> {
    let mut models: Vec<&str> = rows.iter().map(|row| row.model.as_str()).collect();
    models.dedup();
    models
}

fn line(row: &Row, width: usize) -> String {
    let (low, high) = row.accuracy_interval;
    let accuracy = format!(
        "{} ({} – {})",
        percent(row.accuracy),
        percent(low),
        percent(high)
    );
    let gain = row.gain.map_or_else(String::new, |gain| {
        format!(
            "{:+.1} ± {:.1} (p {})",
            gain.difference * 100.0,
            gain.margin * 100.0,
            p_value(gain.p)
        )
    });
    let tokens = row.mean.input_tokens + row.mean.output_tokens;
    let cost = row
        .mean
        .cost
        .map_or_else(|| "–".to_owned(), |cost| format!("{cost:.5}"));
    let wall = format!(
        "{:.1}/{:.1}",
        seconds(row.wall_ms.0),
        seconds(row.wall_ms.1)
    );
    let vote = row.equal_spend.map_or_else(String::new, |vote| {
        format!(
            "{} ({}{})",
            percent(vote.accuracy),
            vote.samples,
            if vote.is_capped { "+" } else { "" }
        )
    });
    format!(
        "{:width$}  {accuracy:>20}  {gain:>24}  {tokens:>7.0}  {:>6.1}  {cost:>8}  {wall:>13}  \
            {vote:>21}",
        row.approach, row.mean.calls
    )
}

/// A p-value, without the pretence that it is zero.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0)
}

#[expect(clippy::cast_precision_loss, reason = "fewer milliseconds than 2^52")]
fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1e3
}
