//! One evaluation from its dataset to its reports.

use std::fs;
use std::io::{self, IsTerminal as _, Write};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::baseline;
use crate::dataset::{self, Question};
use crate::endpoint::Endpoint;
use crate::journal::Journal;
use crate::report::Report;
use crate::results::Results;
use crate::runner::{Runner, Stopped};
use crate::settings::Settings;
use crate::summary;
use crate::table;

/// Every question to every model with every approach; see [`Evaluation::open`].
#[derive(Debug)]
pub struct Evaluation {
    settings: Settings,
    questions: Vec<Question>,
    /// What the journal says of the settings under which it is kept.
    kept: Value,
    journal: Journal,
}

impl Evaluation {
    /// Reads the dataset, and opens the journal of `settings.out`, or begins one. Asks nothing.
    ///
    /// # Errors
    ///
    /// When the dataset has mistakes, a file cannot be used, the journal was kept under other
    /// settings, or a budget in money lacks the price of a model.
    pub fn open(settings: Settings) -> io::Result<Self> {
        let text = fs::read_to_string(&settings.dataset).map_err(|error| {
            io::Error::other(format!("{}: {error}", settings.dataset.display()))
        })?;
        let mut questions = dataset::read(&text, settings.grader).map_err(io::Error::other)?;
        let most = settings.max_questions;
        questions.truncate(most.map_or(usize::MAX, |most| most.get() as usize));
        fs::create_dir_all(&settings.out)?;
        let kept = settings.kept(&text);
        let journal = Journal::open(&settings.out.join("answers.jsonl"), &kept)?;
        match settings.unpriced() {
            Some(model) if settings.budget.cost.is_some() => Err(io::Error::other(format!(
                "--max-cost needs the price of `{model}`: add a [[price]] table that matches it"
            ))),
            _ => Ok(Self {
                settings,
                questions,
                kept,
                journal,
            }),
        }
    }

    /// Asks `endpoint` what the journal does not answer yet, with progress on standard error, and
    /// writes the comparison to `out` and into the directory of the journal.
    ///
    /// Ends early at the budget, after ten failures in a row, and when the process is interrupted
    /// (SIGINT); the reports then tell of what there is. Every answer is in the journal as soon as
    /// it is there: dropping this future loses only what is under way.
    ///
    /// # Errors
    ///
    /// When the journal, a report or `out` cannot be written.
    pub async fn run(
        mut self,
        endpoint: &impl Endpoint,
        out: &mut impl Write,
    ) -> io::Result<Stopped> {
        let runner = Runner {
            settings: &self.settings,
            questions: &self.questions,
            endpoint,
        };
        let stopped = ask_all(&runner, &mut self.journal).await?;
        let (settings, count) = (&self.settings, self.questions.len());
        let rows = summary::rows(
            results(&runner, &self.journal),
            &settings.models,
            &settings.contestants(),
            settings.baseline_samples,
        );
        let paths =
            Report::new(settings.told(self.kept), count, &stopped, &rows).write(&settings.out)?;
        table::write(&rows, count, &stopped, out)?;
        for path in paths {
            writeln!(out, "{}", path.display())?;
        }
        Ok(stopped)
    }
}

/// The contest, and then the samples that the baseline needs.
async fn ask_all<E: Endpoint>(
    runner: &Runner<'_, E>,
    journal: &mut Journal,
) -> io::Result<Stopped> {
    let settings = runner.settings;
    let jobs = runner.contest(&settings.contestants());
    let progress = bar("asking", jobs.len());
    let mut stopped = runner.ask(jobs, journal, &progress).await?;
    progress.finish_and_clear();
    for model in &settings.models {
        // One sample of each question tells what one costs; then as many as the dearest approach
        // would buy.
        for round in 0..2 {
            if stopped != Stopped::Done || settings.baseline_samples == 0 {
                return Ok(stopped);
            }
            let samples = if round == 0 {
                1
            } else {
                wanted_samples(runner, journal, model)
            };
            let jobs = runner.samples(model, samples);
            let progress = bar("sampling the baseline", jobs.len());
            stopped = runner.ask(jobs, journal, &progress).await?;
            progress.finish_and_clear();
        }
    }
    Ok(stopped)
}

fn wanted_samples<E>(runner: &Runner<'_, E>, journal: &Journal, model: &str) -> u32 {
    let results = results(runner, journal);
    let each = runner
        .settings
        .contestants()
        .into_iter()
        .filter_map(|entrant| {
            let mean = results.mean_of(model, &entrant.title);
            baseline::samples_for(results, model, mean)
        });
    each.max()
        .unwrap_or(1)
        .min(runner.settings.baseline_samples)
}

fn results<'a, E>(runner: &Runner<'a, E>, journal: &'a Journal) -> Results<'a> {
    Results {
        journal,
        questions: runner.questions,
        prices: &runner.settings.prices,
        repeats: runner.settings.repeats.get(),
    }
}

/// A bar on standard error, or nothing where nobody looks.
fn bar(title: &'static str, length: usize) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(length as u64).with_message(title);
    match ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} ({eta} left)") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
