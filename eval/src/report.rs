//! The reports in files: one for programs, one for spreadsheets, one to look at.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::pace::Waits;
use crate::prices::Spent;
use crate::results::{Results, Spend};
use crate::summary::causes::Cause;
use crate::summary::{Row, Verdict};

pub(crate) mod html;
pub(crate) mod plot;
mod questions;
mod table;

/// How to read the figures.
pub(crate) const NOTES: [&str; 6] = [
    "accuracy: share of graded answers, with Wilson's 95 % interval. Failed requests are excluded.",
    "against none: paired difference on the same questions with its 95 % interval, and the p of \
        McNemar's exact test.",
    "equal-spend vote: self-consistency over the k plain samples that cost as much as the \
        approach, interpolated between whole numbers; + where it would afford more than were \
        drawn. An approach loses if the vote is right more often on the same questions; it beats \
        the vote if it is, with p < 0.05 (paired bootstrap). Either must hold at equal spend and \
        at equal tokens.",
    "unread: replies in which no answer was found. They count as wrong.",
    "spend: each call by the price of the model that made it, without the verdicts of judges. \
        Without --prices it is weighted tokens: a token read counts 1, one that the provider had \
        read before 0.25, one that was generated 4.",
    "spent: tokens and cost of everything in answers.jsonl, judges and plain samples included.",
];

/// What was measured, and under which settings.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// What answers depend on, and what was asked of whom.
    pub(crate) settings: Value,
    /// Questions of the dataset that have been asked.
    pub(crate) questions: usize,
    /// Why not everything was asked; nothing if it was.
    pub(crate) stopped: Option<String>,
    /// What follows, for each model.
    pub(crate) conclusions: Vec<(String, String)>,
    /// What everything in the journal has taken.
    pub(crate) spent: Spent,
    /// What was in it before this run.
    #[serde(skip)]
    pub(crate) spent_before: Spent,
    /// How often this run has waited for the provider.
    pub(crate) waits: Waits,
    /// Why requests failed.
    pub(crate) causes: Vec<Cause>,
    /// What the figures rest on.
    pub(crate) assumptions: Vec<&'static str>,
    /// A row for each model and approach.
    pub(crate) rows: &'a [Row],
    /// The answers themselves.
    #[serde(skip)]
    pub(crate) results: Results<'a>,
}

/// The rows of each model, in their order.
pub(crate) fn by_model(rows: &[Row]) -> Vec<(&str, Vec<&Row>)> {
    let mut models: Vec<(&str, Vec<&Row>)> = Vec::new();
    for row in rows {
        match models.iter_mut().find(|(model, _)| *model == row.model) {
            Some((_, rows)) => rows.push(row),
            None => models.push((&row.model, vec![row])),
        }
    }
    models
}

impl Report<'_> {
    /// Writes `report.json`, `report.csv` and `report.html` into `directory`, and tells where.
    ///
    /// # Errors
    ///
    /// When one cannot be written.
    pub(crate) fn write(&self, directory: &Path) -> io::Result<[PathBuf; 3]> {
        let paths = ["report.json", "report.csv", "report.html"].map(|name| directory.join(name));
        let [json, csv, html] = &paths;
        fs::write(json, serde_json::to_vec_pretty(self)?)?;
        fs::write(csv, self.csv()?)?;
        fs::write(html, html::page(self).into_string())?;
        Ok(paths)
    }

    /// Writes it for a terminal, with the places of the files.
    ///
    /// # Errors
    ///
    /// When it cannot be written.
    pub(crate) fn tell(
        &self,
        journal: &Path,
        paths: &[PathBuf],
        out: &mut impl Write,
    ) -> io::Result<()> {
        table::write(self, journal, out)?;
        for path in paths {
            writeln!(out, "{}", path.display())?;
        }
        Ok(())
    }

    /// What follows for `model`.
    fn conclusion(&self, model: &str) -> &str {
        let mut found = self.conclusions.iter().filter(|(of, _)| of == model);
        found.next().map_or("", |(_, conclusion)| conclusion)
    }

    fn csv(&self) -> io::Result<Vec<u8>> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(COLUMNS).map_err(io::Error::other)?;
        for row in self.rows {
            writer.write_record(record(row)).map_err(io::Error::other)?;
        }
        writer
            .into_inner()
            .map_err(|error| io::Error::other(error.to_string()))
    }
}

const COLUMNS: [&str; 35] = [
    "model",
    "approach",
    "answers",
    "right",
    "unread",
    "degraded",
    "failed",
    "accuracy",
    "accuracy_low",
    "accuracy_high",
    "difference",
    "difference_margin",
    "gained",
    "lost",
    "p",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "weighted_tokens",
    "calls",
    "cost",
    "wall_p50_ms",
    "wall_p95_ms",
    "vote_samples",
    "vote_is_capped",
    "vote_spend",
    "vote_answers",
    "vote_accuracy",
    "vote_low",
    "vote_high",
    "against_vote",
    "tokens_vote_samples",
    "tokens_vote_accuracy",
    "against_tokens_vote",
    "verdict",
];

/// A row's cells, in the order of [`COLUMNS`]. What is not known is empty.
fn record(row: &Row) -> [String; 35] {
    fn some<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(String::new, |value| value.to_string())
    }
    let (gain, vote) = (row.gain, row.equal_spend.as_ref());
    let tokens_vote = row.equal_tokens.as_ref();
    [
        row.model.clone(),
        row.approach.clone(),
        row.answers.to_string(),
        row.right.to_string(),
        row.unread.to_string(),
        row.degraded.to_string(),
        row.failed.to_string(),
        some(row.accuracy),
        some(row.accuracy_interval.map(|interval| interval.0)),
        some(row.accuracy_interval.map(|interval| interval.1)),
        some(gain.map(|gain| gain.difference)),
        some(gain.map(|gain| gain.margin)),
        some(gain.map(|gain| gain.gained)),
        some(gain.map(|gain| gain.lost)),
        some(gain.map(|gain| gain.p)),
        row.mean.input_tokens.to_string(),
        row.mean.cached_tokens.to_string(),
        row.mean.output_tokens.to_string(),
        row.mean.weighted_tokens.to_string(),
        row.mean.calls.to_string(),
        some(row.mean.cost),
        some(row.wall_ms.map(|wall| wall.0)),
        some(row.wall_ms.map(|wall| wall.1)),
        some(vote.map(|vote| vote.samples)),
        some(vote.map(|vote| vote.is_capped)),
        some(vote.map(|vote| vote.spend)),
        some(vote.map(|vote| vote.answers)),
        some(vote.map(|vote| vote.accuracy)),
        some(vote.map(|vote| vote.accuracy_interval.0)),
        some(vote.map(|vote| vote.accuracy_interval.1)),
        some(row.against_vote.map(|gain| gain.difference)),
        some(tokens_vote.map(|vote| vote.samples)),
        some(tokens_vote.map(|vote| vote.accuracy)),
        some(row.against_tokens.map(|gain| gain.difference)),
        some(row.verdict.map(Verdict::words)),
    ]
}

/// A share as a percentage.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

/// What an answer took, in money or what stands for it.
fn spend(mean: Spend) -> String {
    let weighted = || format!("{:.0}", mean.weighted_tokens);
    mean.cost.map_or_else(weighted, |cost| format!("{cost:.5}"))
}

/// A p-value, without the pretence that it is zero.
pub(crate) fn p_value(p: f64) -> String {
    if p < 0.001 {
        "< 0.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}

/// A time that people can read, with its unit.
#[expect(clippy::cast_precision_loss, reason = "fewer milliseconds than 2^52")]
fn time(milliseconds: u64) -> String {
    if milliseconds < 1000 {
        format!("{milliseconds} ms")
    } else {
        format!("{:.1} s", milliseconds as f64 / 1e3)
    }
}

#[cfg(test)]
mod tests;
