//! The reports in files: one for programs, one for spreadsheets, one to look at.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use crate::runner::Stopped;
use crate::summary::Row;
use crate::table::NOTES;

mod html;
mod plot;

/// What was measured, and under which settings.
#[derive(Debug, Serialize)]
pub(crate) struct Report<'a> {
    /// What answers depend on, and what was asked of whom.
    settings: Value,
    /// Questions of the dataset that were to be asked.
    questions: usize,
    /// Why not everything was asked; nothing if it was.
    stopped: Option<String>,
    /// What the figures rest on.
    assumptions: Vec<&'static str>,
    /// A row for each model and approach.
    rows: &'a [Row],
}

impl<'a> Report<'a> {
    pub(crate) fn new(
        settings: Value,
        questions: usize,
        stopped: &Stopped,
        rows: &'a [Row],
    ) -> Self {
        Self {
            settings,
            questions,
            stopped: stopped.sentence(),
            assumptions: NOTES.to_vec(),
            rows,
        }
    }

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

const COLUMNS: [&str; 26] = [
    "model",
    "approach",
    "answers",
    "right",
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
    "output_tokens",
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
];

/// A row's cells, in the order of [`COLUMNS`]. What is not known is empty.
fn record(row: &Row) -> [String; 26] {
    fn some<T: ToString>(value: Option<T>) -> String {
        value.map_or_else(String::new, |value| value.to_string())
    }
    let (gain, vote) = (row.gain, row.equal_spend);
    [
        row.model.clone(),
        row.approach.clone(),
        row.answers.to_string(),
        row.right.to_string(),
        row.failed.to_string(),
        row.accuracy.to_string(),
        row.accuracy_interval.0.to_string(),
        row.accuracy_interval.1.to_string(),
        some(gain.map(|gain| gain.difference)),
        some(gain.map(|gain| gain.margin)),
        some(gain.map(|gain| gain.gained)),
        some(gain.map(|gain| gain.lost)),
        some(gain.map(|gain| gain.p)),
        row.mean.input_tokens.to_string(),
        row.mean.output_tokens.to_string(),
        row.mean.calls.to_string(),
        some(row.mean.cost),
        row.wall_ms.0.to_string(),
        row.wall_ms.1.to_string(),
        some(vote.map(|vote| vote.samples)),
        some(vote.map(|vote| vote.is_capped)),
        some(vote.map(|vote| vote.spend)),
        some(vote.map(|vote| vote.answers)),
        some(vote.map(|vote| vote.accuracy)),
        some(vote.map(|vote| vote.accuracy_interval.0)),
        some(vote.map(|vote| vote.accuracy_interval.1)),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::baseline::EqualSpend;
    use crate::results::Spend;
    use crate::stats::Pairs;

    fn row(model: &str, approach: &str, accuracy: f64, cost: Option<f64>) -> Row {
        let vote = EqualSpend {
            samples: 4,
            is_capped: true,
            spend: 400.0,
            answers: 50,
            accuracy: 0.75,
            accuracy_interval: (0.6, 0.85),
        };
        let is_plain = approach == "none";
        Row {
            model: model.to_owned(),
            approach: approach.to_owned(),
            answers: 50,
            right: 40,
            failed: 0,
            accuracy,
            accuracy_interval: (accuracy - 0.1, accuracy + 0.1),
            gain: (!is_plain).then(|| {
                Pairs {
                    all: 50,
                    gained: 9,
                    lost: 1,
                }
                .into()
            }),
            mean: Spend {
                input_tokens: 50.0,
                output_tokens: if is_plain { 50.0 } else { 380.5 },
                calls: 4.25,
                cost,
            },
            wall_ms: (900, 2_100),
            equal_spend: (!is_plain).then_some(vote),
        }
    }

    fn rows() -> Vec<Row> {
        let hostile = "<script>alert(\"1\")</script>, 'x'";
        vec![
            row("small", "none", 0.6, Some(0.001)),
            row("small", "bon:best_of_n=4", 0.8, Some(0.004)),
            row(hostile, "none", 0.5, None),
            row(hostile, "moa", 0.7, None),
        ]
    }

    fn report(rows: &[Row]) -> Report<'_> {
        Report::new(
            json!({"seed": 1, "models": ["small"]}),
            50,
            &Stopped::Budget,
            rows,
        )
    }

    #[test]
    fn the_json_report_says_what_was_asked_and_what_came_of_it() {
        let rows = rows();
        let directory = tempfile::tempdir().unwrap();
        let [json, csv, html] = report(&rows).write(directory.path()).unwrap();
        assert!(csv.exists() && html.exists());
        let read: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
        assert_eq!(
            (&read["settings"]["seed"], &read["questions"]),
            (&json!(1), &json!(50))
        );
        assert!(read["stopped"].as_str().unwrap().contains("budget"));
        assert_eq!(read["rows"].as_array().unwrap().len(), 4);
        assert_eq!(read["rows"][1]["gain"]["gained"], json!(9));
        assert_eq!(read["rows"][0]["gain"], Value::Null);
        assert_eq!(read["assumptions"].as_array().unwrap().len(), NOTES.len());
    }

    #[test]
    fn the_table_for_spreadsheets_reads_back_as_what_was_written() {
        let rows = rows();
        let text = report(&rows).csv().unwrap();
        let mut reader = csv::Reader::from_reader(text.as_slice());
        let column = |name: &str| COLUMNS.iter().position(|column| *column == name).unwrap();
        let read: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(read.len(), rows.len());
        for (record, row) in read.iter().zip(&rows) {
            assert_eq!(&record[column("model")], row.model);
            assert_eq!(
                record[column("accuracy")].parse::<f64>().unwrap().to_bits(),
                row.accuracy.to_bits()
            );
            assert_eq!(record[column("cost")].parse().ok(), row.mean.cost);
            assert_eq!(
                record[column("vote_samples")].parse().ok(),
                row.equal_spend.map(|vote| vote.samples)
            );
        }
    }

    #[test]
    fn the_page_stands_alone_shows_every_row_and_runs_nothing() {
        let rows = rows();
        let page = html::page(&report(&rows)).into_string();
        for row in &rows {
            assert!(page.contains(&row.approach), "{}", row.approach);
        }
        assert_eq!(
            page.matches("<tr").count(),
            rows.len() + 2,
            "a row each, and a head for each model"
        );
        assert!(
            page.contains("&lt;script&gt;") && !page.contains("<script"),
            "what is foreign is text"
        );
        for outside in ["http://", "https://", "src=", "@import", "url("] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert_eq!(page.matches("<svg").count(), 2);
        assert!(page.contains("prefers-color-scheme: dark"));
    }
}
