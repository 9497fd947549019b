//! One pool of plain samples, from which every vote is computed without asking again.
//!
//! A vote, a weighted vote and a vote that stops early differ in what they make of the same
//! samples. So each question's samples are drawn once and kept ([`kept`]) with what the model told
//! of them: text, log probabilities, usage. [`rules`] computes what every way to vote does with
//! seeded subsamples of them, [`rows`] what it costs and what beats the plain vote at equal spend,
//! and [`report`] writes that down. Samples at temperature 0 and at lower temperatures are rows of
//! their own: a weight that only undoes a hot temperature is no gain.

mod cases;
mod gather;
mod kept;
mod learn;
mod report;
mod rows;
mod rules;
#[cfg(test)]
mod tests;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hone_strategies::quality::{FEWEST, Quality};
use serde::Serialize;
use serde_json::Value;

use crate::compare::RESAMPLES;
use crate::endpoint::Endpoint;
use crate::evaluation::{Evaluation, bar};
use crate::runner::Stopped;
use gather::Gatherer;
use kept::Pool;
#[cfg(fuzzing)]
pub(crate) use kept::{Draw, Sample};
pub use kept::{Samples, Temperature};

/// What to keep in a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolPlan {
    /// The file.
    pub file: PathBuf,
    /// Samples of each question, kind and temperature; at temperature 0 there is one.
    pub samples: u32,
    /// The temperatures of texts. Programs have that of `pal`.
    pub temperatures: Vec<Temperature>,
    /// What is asked for.
    pub kinds: Vec<Samples>,
}

/// A row that was named before anything was computed, and what it is compared with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hypothesis {
    /// The row.
    pub row: String,
    /// Another row; nothing means the plain vote at equal spend.
    pub against: Option<String>,
}

impl FromStr for Hypothesis {
    type Err = String;

    /// Reads `ROW`, `ROW:vote` or `ROW:ROW`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (row, against) = match text.split_once(':') {
            None => (text, None),
            Some((row, "vote")) => (row, None),
            Some((row, against)) => (row, Some(against)),
        };
        if row.is_empty() || against.is_some_and(str::is_empty) {
            return Err("write ROW, ROW:vote or ROW:ROW".to_owned());
        }
        Ok(Self {
            row: row.to_owned(),
            against: against.map(str::to_owned),
        })
    }
}

/// How a pool is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolReading {
    /// The file.
    pub file: PathBuf,
    /// What is tested; everything else is exploratory.
    pub hypotheses: Vec<Hypothesis>,
    /// Whether questions of one category are drawn together where chance is estimated.
    pub by_category: bool,
    /// Subsamples of each question.
    pub subsamples: u32,
    /// Resamples of the questions.
    pub resamples: u32,
    /// Where to write what the pool teaches of its models, for `[quality] file`.
    pub learn: Option<PathBuf>,
}

impl Default for PoolReading {
    fn default() -> Self {
        Self {
            file: PathBuf::new(),
            hypotheses: Vec::new(),
            by_category: false,
            subsamples: 200,
            resamples: RESAMPLES,
            learn: None,
        }
    }
}

impl Evaluation {
    /// Asks `endpoint` for the samples that the pool of `plan` lacks, with progress on standard
    /// error, and tells in `out` what it has then. Waits, ends early and goes on as
    /// [`Evaluation::run`] does.
    ///
    /// # Errors
    ///
    /// When the file cannot be used, is no pool, or was kept under other settings.
    pub async fn fill_pool(
        &self,
        plan: &PoolPlan,
        endpoint: &impl Endpoint,
        out: &mut impl Write,
    ) -> io::Result<Stopped> {
        let settings = self.pool_settings();
        let mut pool = Pool::open(&plan.file, &settings)?;
        let progress = bar();
        let gatherer = Gatherer {
            settings: &self.settings,
            questions: self.asked(),
            plan,
        };
        let stopped = gatherer.fill(endpoint, &progress, &mut pool).await?;
        progress.finish_and_clear();
        gatherer.tell(&pool, &stopped, out)?;
        Ok(stopped)
    }

    /// Computes what every way to vote does with the samples of a pool, and writes the comparison
    /// to `out` and into the directory of the reports. Asks nobody.
    ///
    /// # Errors
    ///
    /// When the file cannot be used, is no pool of this dataset and these models, or names a
    /// hypothesis that it has no row for, or a report cannot be written.
    pub fn report_pool(&self, reading: &PoolReading, out: &mut impl Write) -> io::Result<()> {
        let named = |why: String| io::Error::other(format!("{}: {why}", reading.file.display()));
        let text = fs::read_to_string(&reading.file).map_err(|error| named(error.to_string()))?;
        let kept = kept::settings(&text).map_err(named)?;
        let models = self.models_of(&kept).map_err(named)?;
        let pool = crate::journal::read(&text, &kept).map_err(named)?;
        let mut quality = Quality::default();
        let rows = models.iter().map(|model| {
            let cases = cases::of(model, &self.questions, &pool, reading.by_category);
            let measured = learn::measured(&cases, self.settings.seed.into());
            quality.models.insert(model.clone(), measured);
            let rows = rows::model(model, &cases, reading, &self.settings)?;
            let conclusion = report::conclusion(&rows.tests, &rows.rows);
            Ok::<_, String>(rows::ModelRows { conclusion, ..rows })
        });
        let models = rows.collect::<Result<Vec<_>, _>>().map_err(named)?;
        fs::create_dir_all(&self.settings.out)?;
        report::write(&kept, &models, &self.settings.out, out)?;
        match &reading.learn {
            None => Ok(()),
            Some(file) => teach(&quality, file, out),
        }
    }

    /// What samples depend on. How many there are, at which temperatures and of which kinds only
    /// adds to a pool.
    fn pool_settings(&self) -> Value {
        let mut settings = self.kept.clone();
        if let Some(settings) = settings.as_object_mut() {
            for answers_only in ["grader", "judge_model", "temperature"] {
                settings.remove(answers_only);
            }
            settings.insert("models".to_owned(), self.settings.models.clone().into());
        }
        settings
    }

    /// The models of a pool that was kept under these settings and that were asked for; all of
    /// them if none was named.
    fn models_of(&self, kept: &Value) -> Result<Vec<String>, String> {
        let other = |name: &str| format!("kept with another `{name}`");
        if kept.get("dataset") != self.kept.get("dataset") {
            return Err(other("dataset"));
        }
        let known = kept.get("models").cloned();
        let known: Vec<String> = known
            .and_then(|models| serde_json::from_value(models).ok())
            .ok_or("not a pool: its first line names no models")?;
        let wanted = &self.settings.models;
        match wanted.iter().find(|model| !known.contains(model)) {
            Some(model) => Err(format!("{}: it has none of `{model}`", other("models"))),
            None if wanted.is_empty() => Ok(known),
            None => Ok(wanted.clone()),
        }
    }
}

/// Writes what was learned, and says of how many questions.
fn teach(quality: &Quality, file: &Path, out: &mut impl Write) -> io::Result<()> {
    let named = |error: io::Error| io::Error::other(format!("{}: {error}", file.display()));
    let mut text = serde_json::to_string_pretty(quality)?;
    text.push('\n');
    fs::write(file, text).map_err(named)?;
    writeln!(out, "\nLearned, in {}:", file.display())?;
    for (model, kinds) in &quality.models {
        for (kind, measured) in kinds {
            let questions = measured.questions;
            let few = if questions < FEWEST {
                ", too few to be used"
            } else {
                ""
            };
            writeln!(out, "  {model}, {kind:?}: {questions} questions{few}")?;
        }
    }
    Ok(())
}

/// Where a report is.
fn places(directory: &Path) -> [PathBuf; 3] {
    ["report.json", "report.csv", "report.html"].map(|name| directory.join(name))
}
