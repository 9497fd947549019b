//! One evaluation from its dataset to its reports.

use std::collections::HashMap;
use std::fs;
use std::io::{self, IsTerminal as _, Write};
use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::baseline;
use crate::dataset::{self, Question};
use crate::endpoint::{Endpoint, Failure, Reply};
use crate::estimate::{Estimate, Estimator};
use crate::journal::{Answered, Journal, Task};
use crate::pace::Paced;
use crate::report::{self, Report};
use crate::results::Results;
use crate::runner::{Runner, Stopped};
use crate::settings::{Entrant, Settings};
use crate::summary::{self, causes, conclusion};

/// Every question to every model with every approach; see [`Evaluation::open`].
#[derive(Debug)]
pub struct Evaluation {
    pub(crate) settings: Settings,
    /// All of the dataset.
    pub(crate) questions: Vec<Question>,
    /// What the journal says of the settings under which it is kept.
    pub(crate) kept: Value,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Why no more was asked.
    pub stopped: Stopped,
    /// Whether everything that was asked for has at least one graded answer. Where it has not, the
    /// reports say why.
    pub is_graded: bool,
}

impl Evaluation {
    /// Reads the dataset. Asks nothing, and writes nothing.
    ///
    /// # Errors
    ///
    /// When the dataset has mistakes or cannot be read, or a budget in money lacks the price of a
    /// model.
    pub fn open(settings: Settings) -> io::Result<Self> {
        let named = |error: &dyn std::fmt::Display| {
            io::Error::other(format!("{}: {error}", settings.dataset.display()))
        };
        let text = fs::read_to_string(&settings.dataset).map_err(|error| named(&error))?;
        let questions = dataset::read(&text, settings.format, settings.grader)
            .map_err(|mistakes| named(&mistakes))?;
        let kept = settings.kept(&text);
        match settings.unpriced() {
            Some(model) if settings.budget.cost.is_some() => Err(io::Error::other(format!(
                "--max-cost needs the price of `{model}`: add a [[price]] table that matches it"
            ))),
            _ => Ok(Self {
                settings,
                questions,
                kept,
            }),
        }
    }

    /// Writes what a run will take to `out`, beside what the journal answers already.
    ///
    /// # Errors
    ///
    /// When `out` cannot be written.
    pub fn estimate(&self, out: &mut impl Write) -> io::Result<()> {
        let known = Journal::peek(&self.journal(), &self.kept);
        self.estimated(&known).write(out)
    }

    fn estimated(&self, known: &HashMap<Task, Answered>) -> Estimate {
        let progress = ProgressBar::hidden();
        let nobody = Nobody;
        let runner = Runner {
            settings: &self.settings,
            questions: self.asked(),
            endpoint: Paced::new(&nobody, 1, &progress),
        };
        let estimator = Estimator {
            settings: &self.settings,
            known,
        };
        let jobs = runner.contest(&runner.blocks().concat());
        let mut estimate = Estimate::default();
        for model in &self.settings.models {
            let mut lines = Vec::new();
            for entrant in self.settings.contestants(model) {
                let is_its = |task: &Task| task.model == *model && task.approach == entrant.title;
                let its: Vec<_> = jobs.iter().filter(|job| is_its(&job.task)).collect();
                lines.push(estimator.line(model, &entrant, &its));
            }
            let samples = lines
                .first()
                .and_then(|plain| estimator.samples(plain, &lines));
            estimate.lines.extend(lines);
            estimate.lines.extend(samples);
        }
        estimate
    }

    /// Asks `endpoint` what the journal does not answer yet, with progress on standard error, and
    /// writes the comparison to `out` and into the directory of the journal.
    ///
    /// Waits where the endpoint asks for it, and then asks less at once. Ends early at the budget,
    /// when the endpoint goes on refusing everything, and when the process is interrupted
    /// (SIGINT); the reports then tell of what there is. Every answer is in the journal as soon as
    /// it is there: dropping this future loses only what is under way.
    ///
    /// # Errors
    ///
    /// When the journal was kept under other settings, or it, a report or `out` cannot be written.
    pub async fn run(self, endpoint: &impl Endpoint, out: &mut impl Write) -> io::Result<Outcome> {
        fs::create_dir_all(&self.settings.out)?;
        let mut journal = Journal::open(&self.journal(), &self.kept)?;
        let known: HashMap<Task, Answered> = journal
            .answers()
            .map(|(task, answered)| (task.clone(), answered.clone()))
            .collect();
        writeln!(out, "{}\n", self.estimated(&known).sentence())?;
        out.flush()?;
        let progress = bar();
        let runner = Runner {
            settings: &self.settings,
            questions: self.asked(),
            endpoint: Paced::new(endpoint, self.settings.concurrency.get(), &progress),
        };
        let before = self.settings.prices.spent(&journal);
        let stopped = self.ask_all(&runner, &mut journal).await?;
        progress.finish_and_clear();
        let results = self.results(&journal);
        let wanted = self.wanted();
        let rows = summary::rows(results, &wanted, self.settings.baseline_samples);
        let report = Report {
            settings: self.settings.told(self.kept.clone()),
            questions: results.asked_questions(),
            stopped: stopped.sentence(),
            conclusions: report::by_model(&rows)
                .into_iter()
                .map(|(model, rows)| (model.to_owned(), conclusion::of(&rows)))
                .collect(),
            spent: self.settings.prices.spent(&journal),
            spent_before: before,
            waits: runner.endpoint.waits(),
            causes: causes::of(results),
            assumptions: report::NOTES.to_vec(),
            rows: &rows,
            results,
        };
        let paths = report.write(&self.settings.out)?;
        report.tell(&self.journal(), &paths, out)?;
        let is_wanted =
            |row: &&summary::Row| wanted.contains(&(row.model.clone(), row.approach.clone()));
        Ok(Outcome {
            stopped,
            is_graded: rows.iter().filter(is_wanted).all(|row| row.answers > 0),
        })
    }

    /// The questions that are to be asked.
    pub(crate) fn asked(&self) -> &[Question] {
        let most = self.settings.max_questions.map(|most| most.get() as usize);
        let most = most.unwrap_or(usize::MAX).min(self.questions.len());
        self.questions.get(..most).unwrap_or_default()
    }

    fn journal(&self) -> PathBuf {
        self.settings.out.join("answers.jsonl")
    }

    /// Model and approach of each row that was asked for.
    fn wanted(&self) -> Vec<(String, String)> {
        let settings = &self.settings;
        let titles = |model: &String| {
            let contestants = settings.contestants(model).into_iter();
            contestants
                .map(|entrant| (model.clone(), entrant.title))
                .collect::<Vec<_>>()
        };
        settings.models.iter().flat_map(titles).collect()
    }

    fn results<'a>(&'a self, journal: &'a Journal) -> Results<'a> {
        Results {
            journal,
            questions: &self.questions,
            prices: &self.settings.prices,
        }
    }

    /// The contest and the samples that the baseline needs, question by question.
    async fn ask_all<E: Endpoint>(
        &self,
        runner: &Runner<'_, E>,
        journal: &mut Journal,
    ) -> io::Result<Stopped> {
        let blocks = runner.blocks();
        for block in &blocks {
            let jobs = runner.contest(block);
            let stopped = runner.ask(jobs, journal).await?;
            if stopped != Stopped::Done {
                return Ok(stopped);
            }
            // One sample of each question tells what one costs; then as many as the dearest
            // approach would buy.
            for is_first in [true, false] {
                let stopped = self.sample(runner, block, journal, is_first).await?;
                if stopped != Stopped::Done {
                    return Ok(stopped);
                }
            }
        }
        // What the first questions lack, now that the mean spend is known.
        let all = blocks.concat();
        self.sample(runner, &all, journal, false).await
    }

    async fn sample<'a, E: Endpoint>(
        &self,
        runner: &Runner<'a, E>,
        questions: &[(u64, &'a Question)],
        journal: &mut Journal,
        is_first: bool,
    ) -> io::Result<Stopped> {
        if self.settings.baseline_samples == 0 {
            return Ok(Stopped::Done);
        }
        for model in &self.settings.models {
            let samples = if is_first {
                1
            } else {
                self.wanted_samples(journal, model)
            };
            let jobs = runner.samples(questions, model, samples);
            let stopped = runner.ask(jobs, journal).await?;
            if stopped != Stopped::Done {
                return Ok(stopped);
            }
        }
        Ok(Stopped::Done)
    }

    fn wanted_samples(&self, journal: &Journal, model: &str) -> u32 {
        let results = self.results(journal);
        let of_entrant = |entrant: Entrant| {
            let mean = results.mean_of(model, &entrant.title);
            baseline::samples_for(results, model, mean)
        };
        let contestants = self.settings.contestants(model).into_iter();
        contestants
            .filter_map(of_entrant)
            .max()
            .unwrap_or(1)
            .min(self.settings.baseline_samples)
    }
}

/// Who is asked while only an estimate is wanted.
#[derive(Debug)]
struct Nobody;

impl Endpoint for Nobody {
    async fn chat(&self, _request: &Value) -> Result<Reply, Failure> {
        Ok(Reply::default())
    }
}

/// A bar on standard error, or nothing where nobody looks.
pub(crate) fn bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(0).with_message("asking");
    match ProgressStyle::with_template("{msg} {bar:40} {pos}/{len} ({eta} left)") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
