//! Whole runs against a simulated provider.

mod pool;

use std::num::NonZeroU32;
use std::path::Path;

use clap::Parser;
use hone_strategies::simulation::TaskModel;

use super::*;
use hone_sim::{Fault, Injection, Knobs, Sim, SimConfig, SimHandle};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: EvalArgs,
}

const QUESTIONS: u32 = 60;

async fn provider(accuracy: f64) -> (SimHandle, TaskModel) {
    let task = TaskModel {
        accuracy,
        ..TaskModel::default()
    };
    let knobs = Knobs {
        task: Some(task.clone()),
        ..Knobs::default()
    };
    (
        Sim::start(SimConfig {
            knobs,
            ..SimConfig::default()
        })
        .await
        .unwrap(),
        task,
    )
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
    let (url, out) = (
        provider.base_url(),
        directory.join("out").to_str().unwrap().to_owned(),
    );
    let line = [
        "eval",
        "--dataset",
        &dataset,
        "--base-url",
        &url,
        "--auth",
        "none",
        "--model",
        "sim-small",
        "--out",
        &out,
    ];
    Cli::try_parse_from(line.into_iter().chain([
        "--approach",
        "bon:best_of_n=4",
        "--approach",
        "moa",
    ]))
    .unwrap()
    .args
}

async fn report(args: &EvalArgs) -> (Status, String) {
    let mut out = Vec::new();
    let status = evaluate(args, &mut out).await.unwrap();
    (status, String::from_utf8(out).unwrap())
}

fn figures(report: &str) -> Vec<(f64, String)> {
    let rows = report.lines().filter(|line| line.contains(" – "));
    rows.map(|line| {
        (
            line.split_whitespace().nth(2).unwrap().parse().unwrap(),
            line.to_owned(),
        )
    })
    .collect()
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
    for ((measured, line), expected) in
        figures
            .iter()
            .zip([0.6, 1.0 - 0.4_f64.powi(4), 1.0 - 0.4_f64.powi(3)])
    {
        let margin = 4.0 * (expected * (1.0 - expected) / f64::from(QUESTIONS)).sqrt();
        assert!((measured / 100.0 - expected).abs() <= margin, "{line}");
    }
    for name in ["report.json", "report.csv", "report.html"] {
        assert!(
            report.contains(args.out.join(name).to_str().unwrap()) && args.out.join(name).exists(),
            "{name}"
        );
    }
    assert!(
        figures[1].1.contains("(p ") && figures[1].1.contains("loses"),
        "{report}"
    );
}

#[tokio::test]
async fn an_interrupted_run_goes_on_and_reports_the_same() {
    let (provider, task) = provider(0.5).await;
    let directory = tempfile::tempdir().unwrap();
    let whole = report(&arguments(&provider, &task, directory.path()))
        .await
        .1;
    let path = directory.path().join("out/answers.jsonl");
    let text = std::fs::read_to_string(&path).unwrap();
    let asked = provider.stats().received;
    std::fs::write(&path, text.get(..text.len() / 2).unwrap()).unwrap();
    let again = report(&arguments(&provider, &task, directory.path()))
        .await
        .1;
    let same = |report: &str| {
        figures(report)
            .into_iter()
            .map(|(figure, _)| figure)
            .collect::<Vec<_>>()
    };
    assert_eq!(same(&whole), same(&again));
    assert!(
        provider.stats().received - asked < asked,
        "what the journal has is not asked again"
    );
}

#[tokio::test]
async fn a_budget_ends_a_run_and_a_greater_one_goes_on() {
    let (provider, task) = provider(0.5).await;
    let directory = tempfile::tempdir().unwrap();
    let args = EvalArgs {
        max_total_tokens: Some(3_000),
        ..arguments(&provider, &task, directory.path())
    };
    let (status, text) = report(&args).await;
    assert_eq!(status, Status::Done);
    assert!(text.contains("Stopped at the budget"), "{text}");
    let (_, text) = report(&EvalArgs {
        max_total_tokens: None,
        max_questions: NonZeroU32::new(20),
        ..args
    })
    .await;
    assert!(!text.contains("Stopped"), "{text}");
}

#[tokio::test]
async fn a_run_of_failures_ends_with_what_failed() {
    let (provider, task) = provider(0.5).await;
    let directory = tempfile::tempdir().unwrap();
    let args = EvalArgs {
        base_url: "http://127.0.0.1:1/v1".to_owned(),
        ..arguments(&provider, &task, directory.path())
    };
    let (status, text) = report(&args).await;
    assert_eq!(status, Status::Failed);
    assert!(
        text.contains("refused or found nobody") && text.contains("502"),
        "{text}"
    );
}

/// A configuration whose upstream is `provider`, which takes bearer keys, with the key of the file
/// beside it.
fn configuration(provider: &SimHandle, directory: &Path) -> String {
    let text = format!(
        "approach = \"bon\"\naccess = \"known\"\n\
         [[upstream]]\nname = \"sim\"\nbase_url = \"{}\"\nfallback_key = {{ file = \"key\" }}\n\
         [limits]\nrequests_per_minute = 1\n[limits.address]\nrequests_per_minute = 1\n\
         [[price]]\nmodel = \"sim-*\"\ninput = 1\noutput = 2\n",
        provider.base_url()
    );
    std::fs::write(directory.join("key"), "sk-operator").unwrap();
    let path = directory.join("hone.toml");
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_operators_configuration_asks_its_own_upstreams_with_its_own_key_and_prices() {
    let (provider, task) = provider(0.6).await;
    let directory = tempfile::tempdir().unwrap();
    let (dataset, config) = (
        dataset(&task, directory.path()),
        configuration(&provider, directory.path()),
    );
    let out = directory.path().join("out");
    let line = [
        "eval",
        "--dataset",
        &dataset,
        "--config",
        &config,
        "--model",
        "sim-small",
        "--max-questions",
        "20",
        "--baseline-samples",
        "0",
    ];
    let line = line
        .into_iter()
        .chain(["--out", out.to_str().unwrap(), "--max-cost", "1"]);
    let args = Cli::try_parse_from(line).unwrap().args;
    let (status, text) = report(&args).await;
    assert_eq!(status, Status::Done, "{text}");
    assert!(
        !text.contains("requests failed"),
        "the limits of tenants are not the operator's: {text}"
    );
    let read: Value =
        serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap();
    let mean = &read["rows"][0]["mean"];
    assert_eq!(
        mean["calls"],
        json!(1.0),
        "the plain model is plain, whatever the configuration's default"
    );
    let cost =
        mean["input_tokens"].as_f64().unwrap() + 2.0 * mean["output_tokens"].as_f64().unwrap();
    assert!(
        (mean["cost"].as_f64().unwrap() * 1e6 - cost).abs() < 1e-6,
        "{mean}"
    );
    assert_eq!(read["settings"]["base_url"], Value::Null);
    assert_eq!(provider.stats().calls_with(b"sk-operator"), 20);
    let unpriced = EvalArgs {
        models: vec!["other".to_owned()],
        ..args
    };
    let error = evaluate(&unpriced, &mut Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("price of `other`"), "{error}");
}

/// What `hone sim --accuracy` can answer, as a dataset: README's example.
#[test]
fn the_dataset_of_the_example_is_what_the_simulated_provider_knows() {
    let lines = |id: u32| {
        let question = TaskModel::default().question(id.into());
        json!({"prompt": question.text, "answer": question.answer}).to_string() + "\n"
    };
    let known: String = (0..100).map(lines).collect();
    assert!(
        include_str!("../../../docs/simulated-questions.jsonl") == known,
        "it should be:\n{known}"
    );
}

#[test]
fn a_configuration_excludes_an_endpoint() {
    let parse = |more: &[&str]| {
        Cli::try_parse_from(
            [
                "eval",
                "--dataset",
                "d",
                "--model",
                "m",
                "--config",
                "hone.toml",
            ]
            .iter()
            .chain(more)
            .copied(),
        )
        .is_ok()
    };
    assert!(parse(&[]));
    for flag in [
        &["--base-url", "http://a/v1"][..],
        &["--auth", "none"],
        &["--key-env", "KEY"],
        &["--direct"],
        &["--prices", "p.toml"],
    ] {
        assert!(!parse(flag), "{flag:?}");
    }
}

#[test]
fn a_price_table_is_read_as_strictly_as_a_configuration() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("prices.toml");
    std::fs::write(
        &path,
        "[[price]]\nmodel = \"a\"\ninput = 1\noutput = -2\n[[price]]\ninput = \"1\"\n[limits]",
    )
    .unwrap();
    let error = price_file(&path).unwrap_err().to_string();
    for part in [
        "price[0].output",
        "price[1].model",
        "price[1].input",
        "price[1].output",
        "limits",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test]
async fn a_provider_that_says_429_is_waited_for() {
    let (provider, task) = provider(0.6).await;
    let directory = tempfile::tempdir().unwrap();
    let busy = Fault::Status {
        status: 429,
        retry_after: Some("0.02".to_owned()),
        code: Some("rate_limit_exceeded".to_owned()),
    };
    provider.set(Knobs {
        task: Some(task.clone()),
        faults: vec![Injection {
            rate: 0.3,
            ..busy.into()
        }],
        ..Knobs::default()
    });
    let args = EvalArgs {
        entrants: Vec::new(),
        max_questions: NonZeroU32::new(30),
        baseline_samples: 0,
        ..arguments(&provider, &task, directory.path())
    };
    let (status, text) = report(&args).await;
    assert_eq!(status, Status::Done, "{text}");
    assert!(text.contains("Waited for the provider"), "{text}");
    assert!(!text.contains("failed and"), "{text}");
}

#[tokio::test]
async fn a_virtual_model_runs_as_it_is_beside_its_target_and_a_panel_is_priced_by_model() {
    let (provider, task) = provider(0.6).await;
    let directory = tempfile::tempdir().unwrap();
    let (dataset, config) = (
        dataset(&task, directory.path()),
        configuration(&provider, directory.path()),
    );
    let text = std::fs::read_to_string(&config).unwrap()
        + "[[price]]\nmodel = \"dear\"\ninput = 100\noutput = 200\n\
           [[model]]\nname = \"careful\"\nmodel = \"sim-small\"\napproach = \"bon\"\n";
    std::fs::write(&config, text).unwrap();
    let out = directory.path().join("out");
    let line = [
        "eval",
        "--dataset",
        &dataset,
        "--config",
        &config,
        "--model",
        "careful",
    ];
    let line = line.into_iter().chain([
        "--approach",
        r#"fusion:fusion_models=["sim-small","dear"]"#,
        "--max-questions",
        "10",
        "--baseline-samples",
        "0",
        "--out",
        out.to_str().unwrap(),
    ]);
    let args = Cli::try_parse_from(line).unwrap().args;
    let (status, text) = report(&args).await;
    assert_eq!(status, Status::Done, "{text}");
    let read: Value =
        serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap();
    let row = |approach: &str| {
        let rows = read["rows"].as_array().unwrap();
        rows.iter()
            .find(|row| row["approach"].as_str().unwrap().starts_with(approach))
            .unwrap()
    };
    assert_eq!(row("none")["mean"]["calls"], json!(1.0), "{text}");
    assert!(
        row("careful")["mean"]["calls"].as_f64().unwrap() > 1.0,
        "{text}"
    );
    let cost = |approach: &str| row(approach)["mean"]["cost"].as_f64().unwrap();
    assert!(cost("fusion") > 20.0 * cost("none"), "{text}");
}

#[tokio::test]
async fn an_estimate_needs_no_provider_and_no_key() {
    let (provider, task) = provider(0.6).await;
    let directory = tempfile::tempdir().unwrap();
    let args = EvalArgs {
        estimate: true,
        auth: AuthSlot::Bearer,
        key_env: "NO_SUCH_VARIABLE".to_owned(),
        ..arguments(&provider, &task, directory.path())
    };
    let (status, text) = report(&args).await;
    assert_eq!((status, provider.stats().received), (Status::Done, 0));
    assert!(text.contains("moa") && text.contains("in all"), "{text}");
}
