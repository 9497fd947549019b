//! Pools of samples, and spend.

use super::*;

/// A model that is right in half of all cases and surer then, or, if it is blind, not.
async fn confident(is_blind: bool) -> (SimHandle, TaskModel) {
    let confidence = hone_strategies::simulation::Confidence {
        right: -0.1,
        wrong: if is_blind { -0.1 } else { -0.6 },
        spread: 0.3,
    };
    let (provider, task) = provider(0.5).await;
    let task = TaskModel {
        confidence: Some(confidence),
        ..task
    };
    provider.set(Knobs {
        task: Some(task.clone()),
        ..Knobs::default()
    });
    (provider, task)
}

/// `hone eval` with these options and the question file of `task`.
fn pooled(provider: &SimHandle, task: &TaskModel, directory: &Path, more: &[&str]) -> EvalArgs {
    let (url, dataset) = (provider.base_url(), dataset(task, directory));
    let out = directory.join("out").to_str().unwrap().to_owned();
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
    Cli::try_parse_from(line.iter().chain(more).copied())
        .unwrap()
        .args
}

/// What a pool of three samples of 25 questions says of weighted votes and of `pal`.
async fn told_by_a_pool(is_blind: bool) -> String {
    let (provider, task) = confident(is_blind).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pool.jsonl");
    let file = file.to_str().unwrap();
    let fill = "--samples 3 --temperatures 0,0.7 --kinds text,program --max-questions 25";
    let fill: Vec<&str> = ["--pool", file]
        .into_iter()
        .chain(fill.split(' '))
        .collect();
    let (status, text) = report(&pooled(&provider, &task, directory.path(), &fill)).await;
    assert_eq!(status, Status::Done, "{text}");
    assert!(text.contains("175 samples, 0 failed"), "{text}");
    let asked = provider.stats().received;
    let read = ["--from-pool", file, "--hypotheses", "logprob-t2-3@0.7,pal"];
    let (status, text) = report(&pooled(&provider, &task, directory.path(), &read)).await;
    assert_eq!((status, provider.stats().received), (Status::Done, asked));
    assert!(text.lines().any(|line| line.starts_with("pal ")), "{text}");
    text
}

#[tokio::test]
async fn a_pool_shows_over_http_that_votes_of_a_model_that_knows_itself_beat_the_plain_vote() {
    let text = told_by_a_pool(false).await;
    let says = "`logprob-t2-3@0.7` beats a plain vote at equal spend (+";
    assert!(text.contains(says), "{text}");
}

#[tokio::test]
async fn a_pool_shows_over_http_that_votes_of_a_blind_model_do_not_beat_the_plain_vote() {
    let text = told_by_a_pool(true).await;
    let says = "`logprob-t2-3@0.7` is not shown to beat a plain vote at equal spend (";
    assert!(text.contains(says), "{text}");
}

#[test]
fn a_pool_is_filled_or_read_and_its_options_go_with_it() {
    let parse = |more: &[&str]| {
        let line = ["eval", "--dataset", "d"];
        Cli::try_parse_from(line.iter().chain(more).copied()).is_ok()
    };
    assert!(parse(&[
        "--from-pool",
        "p",
        "--hypotheses",
        "tie-3@0.7:vote,pal"
    ]));
    assert!(parse(&[
        "--model",
        "m",
        "--pool",
        "p",
        "--temperatures",
        "0,0.3,default"
    ]));
    for wrong in [
        &["--pool", "p"][..],
        &["--from-pool", "p", "--pool", "p", "--model", "m"],
        &["--from-pool", "p", "--approach", "bon"],
        &["--model", "m", "--samples", "3"],
        &["--model", "m", "--hypotheses", "pal"],
        &["--model", "m", "--pool", "p", "--temperatures", "3"],
    ] {
        assert!(!parse(wrong), "{wrong:?}");
    }
}

#[tokio::test]
async fn reads_that_the_provider_had_cached_are_counted_and_weigh_less() {
    let (provider, task) = provider(0.6).await;
    provider.set(Knobs {
        task: Some(task.clone()),
        cached_tokens: 4,
        ..Knobs::default()
    });
    let directory = tempfile::tempdir().unwrap();
    let more = ["--baseline-samples", "0", "--max-questions", "5"];
    let (_, text) = report(&pooled(&provider, &task, directory.path(), &more)).await;
    let read: Value =
        serde_json::from_slice(&std::fs::read(directory.path().join("out/report.json")).unwrap())
            .unwrap();
    let mean = &read["rows"][0]["mean"];
    let figure = |name: &str| mean[name].as_f64().unwrap();
    assert!((figure("cached_tokens") - 4.0).abs() < 1e-9, "{text}");
    let weighted = figure("input_tokens") - 3.0 + 4.0 * figure("output_tokens");
    assert!(
        (figure("weighted_tokens") - weighted).abs() < 1e-9,
        "{mean}"
    );
}
