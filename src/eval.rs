//! `hone eval`: does an approach help on this data, and what does it cost?
//!
//! Every question goes to every model with every approach, through a hone in this process (or to one elsewhere), and every answer is kept in a journal
//! as it comes. Then plain samples are drawn for the baseline, as many as the most expensive approach could have bought. The reports say nothing that the
//! journal does not.

use std::io::{self, IsTerminal as _, Write};

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

mod args;
mod baseline;
mod client;
mod dataset;
mod grade;
mod journal;
mod judge;
mod prices;
mod runner;
mod stats;
mod summary;
mod table;

pub use args::{Entrant, EvalArgs};
pub use grade::Kind;

use crate::app::App;
use crate::commands::Status;
use crate::config::{AuthSlot, Config};
use crate::tenant::KeyDigest;
use client::Client;
use journal::Journal;
use prices::Prices;
use runner::{Runner, Stopped};
use summary::{Results, Row};

/// Asks, with progress on standard error, and writes the comparison to `out` and into the directory of the journal.
///
/// # Errors
///
/// When a file cannot be used, the key is missing, or the system refuses threads or a port.
pub fn run(args: &EvalArgs, out: &mut impl Write) -> io::Result<Status> {
    Runtime::new()?.block_on(evaluate(args, out))
}

async fn evaluate(args: &EvalArgs, out: &mut impl Write) -> io::Result<Status> {
    let text = std::fs::read_to_string(&args.dataset).map_err(|error| io::Error::other(format!("{}: {error}", args.dataset.display())))?;
    let mut questions = dataset::read(&text, args.grader).map_err(io::Error::other)?;
    questions.truncate(args.max_questions.map_or(usize::MAX, |most| most.get() as usize));
    std::fs::create_dir_all(&args.out)?;
    let mut journal = Journal::open(&args.out.join("answers.jsonl"), &settings(args, &text))?;
    let prices = Prices::load(args.prices.as_deref())?;
    let endpoint = Endpoint::start(args)?;
    let runner = Runner { args, questions: &questions, client: endpoint.client.clone(), prices };
    let stopped = ask_all(&runner, &mut journal).await?;
    let rows = results(&runner, &journal).rows(&args.models, &args.entrants(), args.baseline_samples);
    table::write(&rows, questions.len(), &stopped, out)?;
    endpoint.stop().await;
    Ok(if matches!(stopped, Stopped::Failing(_)) { Status::Failed } else { Status::Done })
}

/// The contest, and then the samples that the baseline needs.
async fn ask_all(runner: &Runner<'_>, journal: &mut Journal) -> io::Result<Stopped> {
    let jobs = runner.contest(&runner.args.entrants());
    let progress = bar("asking", jobs.len());
    let mut stopped = runner.ask(jobs, journal, &progress).await?;
    progress.finish_and_clear();
    for model in &runner.args.models {
        // One sample of each question tells what one costs; then as many as the dearest approach would buy.
        for round in 0..2 {
            if stopped != Stopped::Done || runner.args.baseline_samples == 0 {
                return Ok(stopped);
            }
            let samples = if round == 0 { 1 } else { wanted_samples(runner, journal, model) };
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
    let rows = results.rows(std::slice::from_ref(&model.to_owned()), &runner.args.entrants(), 0);
    let each = rows.iter().filter_map(|row: &Row| baseline::samples_for(results, model, row.mean));
    each.max().unwrap_or(1).min(runner.args.baseline_samples)
}

fn results<'a>(runner: &'a Runner<'_>, journal: &'a Journal) -> Results<'a> {
    Results { journal, questions: runner.questions, prices: &runner.prices, repeats: runner.args.repeats.get() }
}

/// What answers depend on beside model, approach and question.
fn settings(args: &EvalArgs, dataset: &str) -> Value {
    json!({
        "base_url": args.base_url,
        "dataset": KeyDigest::of(dataset.as_bytes()).to_string(),
        "direct": args.direct,
        "grader": args.grader,
        "judge_model": args.judge_model,
        "max_tokens": args.max_tokens,
        "seed": args.seed,
        "temperature": args.temperature,
    })
}

/// Whom to ask, with the hone in between that runs the approaches.
struct Endpoint {
    client: Client,
    hone: Option<App>,
}

impl Endpoint {
    fn start(args: &EvalArgs) -> io::Result<Self> {
        let headers = credential(args)?;
        let endpoint = config(&args.base_url, args)?;
        if args.direct {
            return Ok(Self { client: Client::new(&endpoint, headers, args.timeout())?, hone: None });
        }
        let hone = App::start(endpoint).map_err(io::Error::other)?;
        let here = config(&format!("http://{}/v1", hone.address()), args)?;
        // The run's own deadline comes first, and its best answer so far after it.
        let client = Client::new(&here, headers, args.timeout() + GRACE)?;
        Ok(Self { client, hone: Some(hone) })
    }

    async fn stop(self) {
        if let Some(hone) = self.hone {
            hone.shutdown().await;
        }
    }
}

/// How much longer than an approach its client waits.
const GRACE: std::time::Duration = std::time::Duration::from_secs(5);

fn config(base_url: &str, args: &EvalArgs) -> io::Result<Config> {
    let text = format!(
        "listen = \"127.0.0.1:0\"\n\
         [[upstream]]\nname = \"endpoint\"\nbase_url = {base_url:?}\nauth = \"{}\"\n\
         [bounds]\nstrategy_deadline = \"{}s\"\nqueue_wait = \"{}s\"\n",
        args.auth.as_str(),
        args.timeout.max(1),
        args.timeout.max(1),
    );
    Config::parse(&text, &|_| None).map_err(io::Error::other)
}

/// The key, in the slot where the endpoint reads it.
fn credential(args: &EvalArgs) -> io::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let (name, prefix) = match args.auth {
        AuthSlot::None => return Ok(headers),
        AuthSlot::Bearer => (http::header::AUTHORIZATION, "Bearer "),
        AuthSlot::XApiKey => (HeaderName::from_static("x-api-key"), ""),
        AuthSlot::ApiKey => (HeaderName::from_static("api-key"), ""),
        AuthSlot::XGoogApiKey => (HeaderName::from_static("x-goog-api-key"), ""),
    };
    let missing = || io::Error::other(format!("{} holds no key; name another variable with --key-env, or say --auth none", args.key_env));
    let key = crate::config::environment(&args.key_env).ok_or_else(missing)?;
    let unusable = |_error| io::Error::other(format!("the key in {} cannot stand in a header", args.key_env));
    let mut value = HeaderValue::try_from(format!("{prefix}{}", key.trim())).map_err(unusable)?;
    value.set_sensitive(true);
    headers.insert(name, value);
    Ok(headers)
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
mod tests {
    use std::num::NonZeroU32;
    use std::path::Path;

    use clap::Parser;
    use hone_strategies::simulation::TaskModel;

    use super::*;
    use crate::sim::{Knobs, Sim, SimConfig, SimHandle};

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: EvalArgs,
    }

    const QUESTIONS: u32 = 60;

    async fn provider(accuracy: f64) -> (SimHandle, TaskModel) {
        let task = TaskModel { accuracy, ..TaskModel::default() };
        let knobs = Knobs { task: Some(task.clone()), ..Knobs::default() };
        (Sim::start(SimConfig { knobs, ..SimConfig::default() }).await.unwrap(), task)
    }

    fn dataset(task: &TaskModel, directory: &Path) -> String {
        let line = |id: u32| {
            let question = task.question(id.into());
            json!({"prompt": question.text, "answer": question.answer}).to_string() + "\n"
        };
        let path = directory.join("questions.jsonl");
        std::fs::write(&path, (0..QUESTIONS).map(line).collect::<String>()).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn arguments(provider: &SimHandle, task: &TaskModel, directory: &Path) -> EvalArgs {
        let dataset = dataset(task, directory);
        let (url, out) = (provider.base_url(), directory.join("out").to_str().unwrap().to_owned());
        let line = ["eval", "--dataset", &dataset, "--base-url", &url, "--auth", "none", "--model", "sim-small", "--out", &out];
        Cli::try_parse_from(line.into_iter().chain(["--approach", "bon:best_of_n=4", "--approach", "moa"])).unwrap().args
    }

    async fn report(args: &EvalArgs) -> (Status, String) {
        let mut out = Vec::new();
        let status = evaluate(args, &mut out).await.unwrap();
        (status, String::from_utf8(out).unwrap())
    }

    fn figures(report: &str) -> Vec<(f64, String)> {
        let rows = report.lines().filter(|line| line.contains(" – "));
        rows.map(|line| (line.split_whitespace().nth(1).unwrap().parse().unwrap(), line.to_owned())).collect()
    }

    #[tokio::test]
    async fn the_accuracy_of_each_approach_is_what_theory_says() {
        let (provider, task) = provider(0.6).await;
        let directory = tempfile::tempdir().unwrap();
        let args = arguments(&provider, &task, directory.path());
        let (status, report) = report(&args).await;
        assert_eq!(status, Status::Done);
        let figures = figures(&report);
        assert_eq!(figures.len(), 3, "{report}");
        // A perfect judge, and a synthesis that needs one right candidate.
        for ((measured, line), expected) in figures.iter().zip([0.6, 1.0 - 0.4_f64.powi(4), 1.0 - 0.4_f64.powi(3)]) {
            let margin = 4.0 * (expected * (1.0 - expected) / f64::from(QUESTIONS)).sqrt();
            assert!((measured / 100.0 - expected).abs() <= margin, "{line}");
        }
        assert!(figures[1].1.contains("(p 0.0") && figures[1].1.contains("+)"), "{report}");
    }

    #[tokio::test]
    async fn an_interrupted_run_goes_on_and_reports_the_same() {
        let (provider, task) = provider(0.5).await;
        let directory = tempfile::tempdir().unwrap();
        let whole = report(&arguments(&provider, &task, directory.path())).await.1;
        let path = directory.path().join("out/answers.jsonl");
        let text = std::fs::read_to_string(&path).unwrap();
        let asked = provider.stats().received;
        std::fs::write(&path, text.get(..text.len() / 2).unwrap()).unwrap();
        let again = report(&arguments(&provider, &task, directory.path())).await.1;
        let same = |report: &str| figures(report).into_iter().map(|(figure, _)| figure).collect::<Vec<_>>();
        assert_eq!(same(&whole), same(&again));
        assert!(provider.stats().received - asked < asked, "what the journal has is not asked again");
    }

    #[tokio::test]
    async fn a_budget_ends_a_run_and_a_greater_one_goes_on() {
        let (provider, task) = provider(0.5).await;
        let directory = tempfile::tempdir().unwrap();
        let args = EvalArgs { max_total_tokens: Some(3_000), ..arguments(&provider, &task, directory.path()) };
        let (status, text) = report(&args).await;
        assert_eq!(status, Status::Done);
        assert!(text.contains("Stopped at the budget"), "{text}");
        let (_, text) = report(&EvalArgs { max_total_tokens: None, max_questions: NonZeroU32::new(20), ..args }).await;
        assert!(!text.contains("Stopped"), "{text}");
    }

    #[tokio::test]
    async fn a_run_of_failures_ends_with_what_failed() {
        let (provider, task) = provider(0.5).await;
        let directory = tempfile::tempdir().unwrap();
        let args = EvalArgs { base_url: "http://127.0.0.1:1/v1".to_owned(), ..arguments(&provider, &task, directory.path()) };
        let (status, text) = report(&args).await;
        assert_eq!(status, Status::Failed);
        assert!(text.contains("nothing but failures") && text.contains("502"), "{text}");
    }
}
