//! `hone eval`: does an approach help on this data, and what does it cost?
//!
//! Every question goes to every model with every approach, through a hone in this process (or to
//! one elsewhere), and every answer is kept in a journal as it comes. Then plain samples are drawn
//! for the baseline, as many as the most expensive approach could have bought. The reports say
//! nothing that the journal does not.

use std::io::{self, IsTerminal as _, Write};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

mod args;
mod baseline;
mod client;
mod dataset;
mod endpoint;
#[cfg(fuzzing)]
pub mod fuzzing;
mod grade;
mod journal;
mod judge;
mod prices;
mod report;
mod runner;
mod stats;
mod summary;
mod table;

pub use args::{Entrant, EvalArgs};
pub use grade::Kind;

use crate::commands::Status;
use crate::config::Config;
use crate::config::KeyDigest;
use endpoint::Endpoint;
use journal::Journal;
use prices::Prices;
use report::Report;
use runner::{Runner, Stopped};
use summary::{Results, Row};

/// Asks, with progress on standard error, and writes the comparison to `out` and into the directory
/// of the journal.
///
/// # Errors
///
/// When a file cannot be used, the key is missing, or the system refuses threads or a port.
pub fn run(args: &EvalArgs, out: &mut impl Write) -> io::Result<Status> {
    Runtime::new()?.block_on(evaluate(args, out))
}

async fn evaluate(args: &EvalArgs, out: &mut impl Write) -> io::Result<Status> {
    let text = std::fs::read_to_string(&args.dataset)
        .map_err(|error| io::Error::other(format!("{}: {error}", args.dataset.display())))?;
    let mut questions = dataset::read(&text, args.grader).map_err(io::Error::other)?;
    questions.truncate(
        args.max_questions
            .map_or(usize::MAX, |most| most.get() as usize),
    );
    std::fs::create_dir_all(&args.out)?;
    let config = args
        .config
        .as_deref()
        .map(Config::load)
        .transpose()
        .map_err(io::Error::other)?;
    let settings = settings(args, config.as_ref(), &text);
    let mut journal = Journal::open(&args.out.join("answers.jsonl"), &settings)?;
    let prices = prices(args, config.as_ref())?;
    let endpoint = Endpoint::start(args, config)?;
    let runner = Runner {
        args,
        questions: &questions,
        client: endpoint.client.clone(),
        prices,
    };
    let stopped = ask_all(&runner, &mut journal).await?;
    let rows =
        results(&runner, &journal).rows(&args.models, &args.entrants(), args.baseline_samples);
    endpoint.stop().await;
    let report = Report::new(
        told(settings, args, &runner.prices),
        questions.len(),
        &stopped,
        &rows,
    );
    let paths = report.write(&args.out)?;
    table::write(&rows, questions.len(), &stopped, out)?;
    for path in paths {
        writeln!(out, "{}", path.display())?;
    }
    Ok(if matches!(stopped, Stopped::Failing(_)) {
        Status::Failed
    } else {
        Status::Done
    })
}

/// The contest, and then the samples that the baseline needs.
async fn ask_all(runner: &Runner<'_>, journal: &mut Journal) -> io::Result<Stopped> {
    let jobs = runner.contest(&runner.args.entrants());
    let progress = bar("asking", jobs.len());
    let mut stopped = runner.ask(jobs, journal, &progress).await?;
    progress.finish_and_clear();
    for model in &runner.args.models {
        // One sample of each question tells what one costs; then as many as the dearest approach
        // would buy.
        for round in 0..2 {
            if stopped != Stopped::Done || runner.args.baseline_samples == 0 {
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

fn wanted_samples(runner: &Runner<'_>, journal: &Journal, model: &str) -> u32 {
    let results = results(runner, journal);
    let rows = results.rows(
        std::slice::from_ref(&model.to_owned()),
        &runner.args.entrants(),
        0,
    );
    let each = rows
        .iter()
        .filter_map(|row: &Row| baseline::samples_for(results, model, row.mean));
    each.max().unwrap_or(1).min(runner.args.baseline_samples)
}

fn results<'a>(runner: &'a Runner<'_>, journal: &'a Journal) -> Results<'a> {
    Results {
        journal,
        questions: runner.questions,
        prices: &runner.prices,
        repeats: runner.args.repeats.get(),
    }
}

/// The price table, in which a budget in money needs every model.
fn prices(args: &EvalArgs, config: Option<&Config>) -> io::Result<Prices> {
    let prices = match (&args.prices, config) {
        (Some(path), _) => Prices::load(path)?,
        (None, config) => Prices::new(
            config
                .map(|config| config.prices.clone())
                .unwrap_or_default(),
        ),
    };
    match prices.missing(args.models.iter().chain(&args.judge_model)) {
        Some(model) if args.max_cost.is_some() => Err(io::Error::other(format!(
            "--max-cost needs the price of `{model}`: add a [[price]] table that matches it"
        ))),
        _ => Ok(prices),
    }
}

/// What answers depend on beside model, approach and question.
fn settings(args: &EvalArgs, config: Option<&Config>, dataset: &str) -> Value {
    // What a configuration makes of a model: where it is, with which parameters.
    let configured = config.map(|config| {
        let upstreams = config.upstreams.iter().map(|upstream| {
            json!({"name": upstream.name,
            "base_url": upstream.base_url.to_string()})
        });
        let models = config.models.iter().map(|model| {
            json!({"name": model.name, "model": model.model,
                "approach": model.approach.to_string()})
        });
        json!({"upstreams": upstreams.collect::<Value>(), "models": models.collect::<Value>(),
            "params": config.params})
    });
    json!({
        "base_url": config.is_none().then_some(&args.base_url),
        "config": configured,
        "dataset": KeyDigest::of(dataset.as_bytes()).to_string(),
        "direct": args.direct,
        "grader": args.grader,
        "judge_model": args.judge_model,
        "max_tokens": args.max_tokens,
        "seed": args.seed,
        "temperature": args.temperature,
    })
}

/// The settings as reports tell them: with what was asked of whom, and at which prices.
fn told(settings: Value, args: &EvalArgs, prices: &Prices) -> Value {
    let mut told = settings;
    let approaches: Vec<String> = args
        .entrants()
        .into_iter()
        .map(|entrant| entrant.title)
        .collect();
    let more = [
        ("dataset_file", json!(args.dataset.display().to_string())),
        ("models", json!(args.models)),
        ("approaches", json!(approaches)),
        ("repeats", json!(args.repeats)),
        ("max_questions", json!(args.max_questions)),
        ("timeout_seconds", json!(args.timeout)),
        ("baseline_samples", json!(args.baseline_samples)),
        ("prices", json!(prices.as_slice())),
    ];
    if let Some(told) = told.as_object_mut() {
        told.extend(more.map(|(name, value)| (name.to_owned(), value)));
    }
    told
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

#[cfg(test)]
mod tests;
