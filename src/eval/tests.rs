//! Whole runs against a simulated provider.

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
