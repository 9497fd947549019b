//! Pools of a simulated model, and what is computed from them.

mod files;

use std::cell::Cell;
use std::fs;
use std::path::Path;

use hone_strategies::Sureness;
use hone_strategies::simulation::{Confidence, TaskModel};
use serde_json::{Value, json};

use super::*;
use crate::endpoint::{Failure, Reply};
use crate::settings::Settings;

/// Answers as the simulated model does, with the level of its confidence.
struct Simulated {
    task: TaskModel,
    asked: Cell<u32>,
}

impl Simulated {
    fn new(task: &TaskModel) -> Self {
        Self {
            task: task.clone(),
            asked: Cell::new(0),
        }
    }
}

impl Endpoint for Simulated {
    async fn chat(&self, request: &Value) -> Result<Reply, Failure> {
        self.asked.set(self.asked.get() + 1);
        let messages = request["messages"].as_array().unwrap();
        let texts: Vec<&str> = messages
            .iter()
            .map(|message| message["content"].as_str().unwrap())
            .collect();
        let hot = request["temperature"].to_string();
        let seed = request["seed"].as_u64().unwrap() + hot.len() as u64;
        let reply = self.task.reply(&texts.join("\n"), seed);
        Ok(Reply {
            text: reply.text,
            input_tokens: 40,
            output_tokens: 10,
            calls: 1,
            finish: "stop".to_owned(),
            sure: Sureness {
                tokens: 10,
                logprob: reply.level,
                certainty: reply.level,
            },
            ..Reply::default()
        })
    }
}

/// A model that is right in six of ten cases; a right answer is surer than a wrong one with
/// probability .74, or if it is blind .5.
fn task(is_blind: bool) -> TaskModel {
    let confidence = Confidence {
        right: -0.2,
        wrong: if is_blind { -0.2 } else { -0.315 },
        spread: 0.5,
    };
    TaskModel {
        seed: 3,
        accuracy: 0.6,
        confidence: Some(confidence),
        ..TaskModel::default()
    }
}

fn settings(task: &TaskModel, questions: u32, directory: &Path) -> Settings {
    let dataset = directory.join("questions.jsonl");
    let line = |id: u32| {
        let question = task.question(id.into());
        let category = format!("c{}", id % 10);
        json!({"prompt": question.text, "answer": question.answer, "category": category})
            .to_string()
            + "\n"
    };
    fs::write(&dataset, (0..questions).map(line).collect::<String>()).unwrap();
    Settings {
        dataset,
        models: vec!["m".to_owned()],
        out: directory.join("out"),
        ..Settings::default()
    }
}

fn plan(directory: &Path, samples: u32, kinds: &[Samples]) -> PoolPlan {
    PoolPlan {
        file: directory.join("pool.jsonl"),
        samples,
        temperatures: ["0", "0.7"].map(|each| each.parse().unwrap()).to_vec(),
        kinds: kinds.to_vec(),
    }
}

fn reading(plan: &PoolPlan, hypotheses: &[&str]) -> PoolReading {
    PoolReading {
        file: plan.file.clone(),
        hypotheses: hypotheses
            .iter()
            .map(|each| each.parse().unwrap())
            .collect(),
        subsamples: 40,
        resamples: 1_000,
        ..PoolReading::default()
    }
}

/// The report of a pool that is filled first, and what was told of it.
async fn reported(
    task: &TaskModel,
    (questions, samples): (u32, u32),
    kinds: &[Samples],
    hypotheses: &[&str],
) -> (Value, String) {
    let directory = tempfile::tempdir().unwrap();
    let plan = plan(directory.path(), samples, kinds);
    let settings = settings(task, questions, directory.path());
    let out = settings.out.clone();
    let evaluation = Evaluation::open(settings).unwrap();
    let endpoint = Simulated::new(task);
    let stopped = evaluation
        .fill_pool(&plan, &endpoint, &mut Vec::new())
        .await
        .unwrap();
    assert_eq!(stopped, Stopped::Done);
    let mut text = Vec::new();
    evaluation
        .report_pool(&reading(&plan, hypotheses), &mut text)
        .unwrap();
    let report = serde_json::from_slice(&fs::read(out.join("report.json")).unwrap()).unwrap();
    assert!(
        fs::read_to_string(out.join("report.html"))
            .unwrap()
            .contains("class=\"curve\"")
    );
    assert!(
        fs::read_to_string(out.join("report.csv"))
            .unwrap()
            .contains("tie-3@0.7")
    );
    (report, String::from_utf8(text).unwrap())
}

fn row<'a>(report: &'a Value, name: &str) -> &'a Value {
    let rows = report["models"][0]["rows"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap()
}

fn is_near(row: &Value, name: &str, expected: f64) {
    let found = row[name].as_f64().unwrap();
    assert!(
        (found - expected).abs() < 0.04,
        "{name}: {found}, not {expected}"
    );
}

#[tokio::test]
async fn a_signal_that_tells_beats_the_plain_vote_as_theory_says() {
    let tests = ["tie-3@0.7", "tie-3@0.7:vote-3@0.7"];
    let (report, text) = reported(&task(false), (200, 8), &[Samples::Text], &tests).await;
    // Two or three right ones decide; one right beside two scattered wrong ones wins by its level.
    let (two_or_three, one) = (0.648, 0.288);
    is_near(row(&report, "single@0.7"), "accuracy", 0.6);
    is_near(
        row(&report, "vote-3@0.7"),
        "accuracy",
        two_or_three + one / 3.0,
    );
    is_near(
        row(&report, "tie-3@0.7"),
        "accuracy",
        two_or_three + one * 0.607,
    );
    is_near(row(&report, "any-3@0.7"), "accuracy", 1.0 - 0.4_f64.powi(3));
    let signal = &report["models"][0]["signals"][0]["discrimination"];
    is_near(signal, "mean", 0.74);
    for test in report["models"][0]["tests"].as_array().unwrap() {
        assert_eq!(test["verdict"], "beats", "{test}");
    }
    assert!(
        text.contains("`tie-3@0.7` beats a plain vote at equal spend (+"),
        "{text}"
    );
    assert!(text.contains("`tie-3@0.7` beats `vote-3@0.7` (+"), "{text}");
}

#[tokio::test]
async fn a_blind_signal_beats_nothing_and_the_sentence_says_so() {
    let (report, text) = reported(&task(true), (150, 8), &[Samples::Text], &["tie-3@0.7"]).await;
    is_near(row(&report, "tie-3@0.7"), "accuracy", 0.744);
    let signal = &report["models"][0]["signals"][0]["discrimination"];
    is_near(signal, "mean", 0.5);
    let interval = &signal["interval"];
    assert!(
        interval[0].as_f64().unwrap() < 0.5 && interval[1].as_f64().unwrap() > 0.5,
        "{signal}"
    );
    let says = "`tie-3@0.7` is not shown to beat a plain vote at equal spend (";
    assert!(text.contains(says), "{text}");
}

#[tokio::test]
async fn a_row_is_compared_with_as_many_votes_as_it_pays_for_in_both_columns() {
    let (report, text) = reported(&task(false), (30, 8), &[Samples::Text], &[]).await;
    for (name, votes) in [("greedy", 1.0), ("tie-5@0.7", 5.0)] {
        for against in row(&report, name)["against"].as_array().unwrap() {
            assert!(
                (against["votes"].as_f64().unwrap() - votes).abs() < 1e-6,
                "{against}"
            );
        }
    }
    // The vote that stops early buys what lies between two whole numbers.
    let stop = row(&report, "stop-0.95-8@0.7");
    let (calls, votes) = (&stop["calls"], &stop["against"][1]["votes"]);
    assert!(
        (calls.as_f64().unwrap() - votes.as_f64().unwrap()).abs() < 1e-6,
        "{stop}"
    );
    assert!(calls.as_f64().unwrap() < 8.0);
    assert!(text.contains("30 questions"), "{text}");
}

#[tokio::test]
async fn programs_are_bought_as_pal_buys_them() {
    let task = TaskModel {
        programs: Some(0.9),
        ..task(true)
    };
    let kinds = [Samples::Text, Samples::Program];
    let (report, _) = reported(&task, (150, 4), &kinds, &["pal"]).await;
    let pal = row(&report, "pal");
    // Two programs agree if both are right; wrong ones are scattered.
    let calls = pal["calls"].as_f64().unwrap();
    assert!((calls - (2.0 * 0.81 + 5.0 * 0.19)).abs() < 0.2, "{pal}");
    assert!(pal["accuracy"].as_f64().unwrap() > 0.93, "{pal}");
    assert_eq!(report["models"][0]["tests"][0]["verdict"], "beats");
}

#[test]
fn a_temperature_and_a_hypothesis_are_read_as_they_are_written() {
    for (text, value) in [("0", Some(0.0)), ("0.3", Some(0.3)), ("1.25", Some(1.25))] {
        let temperature: Temperature = text.parse().unwrap();
        assert_eq!(
            (temperature.value(), temperature.to_string()),
            (value, text.to_owned())
        );
    }
    assert_eq!("default".parse(), Ok(Temperature::DEFAULT));
    for wrong in [
        "",
        "-1",
        "2.01",
        "0.333",
        "hot",
        "1.",
        ".5e1",
        "99999999999",
    ] {
        assert!(wrong.parse::<Temperature>().is_err(), "{wrong}");
    }
    let hypothesis = |text: &str| text.parse::<Hypothesis>();
    assert_eq!(hypothesis("a"), hypothesis("a:vote"));
    assert_eq!(hypothesis("a:b").unwrap().against, Some("b".to_owned()));
    assert!(hypothesis("").is_err() && hypothesis("a:").is_err());
}
