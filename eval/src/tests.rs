//! Whole evaluations of an endpoint that answers by rule.

use std::cell::RefCell;
use std::path::Path;

use serde_json::{Value, json};

use crate::{
    Alias, Budget, Endpoint, EndpointFacts, Entrant, Evaluation, Failure, FailureKind, ModelUse,
    Outcome, Price, Prices, Reply, Settings, Stopped,
};

/// Answers every question with the number in it, and keeps what it was asked.
#[derive(Default)]
struct Reader {
    asked: RefCell<Vec<Value>>,
    is_down: bool,
}

impl Endpoint for Reader {
    async fn chat(&self, request: &Value) -> Result<Reply, Failure> {
        self.asked.borrow_mut().push(request.clone());
        if self.is_down {
            return Err(Failure::new(FailureKind::Refused, "nobody is here"));
        }
        let text = request.pointer("/messages/0/content").unwrap().to_string();
        Ok(Reply {
            text: text.chars().filter(char::is_ascii_digit).collect(),
            input_tokens: 9,
            output_tokens: 1,
            calls: 1,
            ..Reply::default()
        })
    }
}

fn settings(directory: &Path) -> Settings {
    let dataset = directory.join("questions.jsonl");
    let line = |n: u32| json!({"prompt": format!("Say {n}."), "answer": n}).to_string() + "\n";
    std::fs::write(&dataset, (1..=20).map(line).collect::<String>()).unwrap();
    let approach = |title: &str| Entrant {
        title: title.to_owned(),
        approach: title.to_owned(),
        ..Entrant::plain()
    };
    Settings {
        dataset,
        models: vec!["m".to_owned()],
        entrants: vec![approach("re2"), approach("none"), approach("re2")],
        baseline_samples: 0,
        out: directory.join("out"),
        ..Settings::default()
    }
}

async fn run(settings: Settings, endpoint: &impl Endpoint) -> (Stopped, String) {
    let (outcome, text) = outcome(settings, endpoint).await;
    (outcome.stopped, text)
}

async fn outcome(settings: Settings, endpoint: &impl Endpoint) -> (Outcome, String) {
    let mut out = Vec::new();
    let evaluation = Evaluation::open(settings).unwrap();
    let outcome = evaluation.run(endpoint, &mut out).await.unwrap();
    (outcome, String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn every_approach_is_asked_every_question_once_however_often_it_is_run() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Reader::default();
    for _ in 0..2 {
        let (stopped, table) = run(settings(directory.path()), &endpoint).await;
        assert_eq!(stopped, Stopped::Done);
        assert_eq!(table.matches("100.0 (").count(), 2, "{table}");
        assert_eq!(endpoint.asked.borrow().len(), 40);
    }
}

#[tokio::test]
async fn the_plain_model_is_named_only_where_another_approach_may_be_the_default() {
    for direct in [false, true] {
        let directory = tempfile::tempdir().unwrap();
        let endpoint = Reader::default();
        let facts = EndpointFacts {
            direct,
            ..EndpointFacts::default()
        };
        let settings = Settings {
            endpoint: facts,
            ..settings(directory.path())
        };
        run(settings, &endpoint).await;
        let asked = endpoint.asked.borrow();
        let named = |name: Option<&str>| {
            let is = |request: &&Value| request["optillm_approach"].as_str() == name;
            asked.iter().filter(is).count()
        };
        let plain = if direct { Some("none") } else { None };
        assert_eq!((named(plain), named(Some("re2"))), (20, 20));
    }
}

#[tokio::test]
async fn a_budget_in_tokens_ends_a_run() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Reader::default();
    let budget = Budget {
        tokens: Some(100),
        cost: None,
    };
    let settings = Settings {
        budget,
        ..settings(directory.path())
    };
    assert_eq!(run(settings, &endpoint).await.0, Stopped::Budget);
    assert_eq!(endpoint.asked.borrow().len(), 10);
}

#[tokio::test]
async fn ten_failures_in_a_row_end_a_run_and_are_asked_again() {
    let directory = tempfile::tempdir().unwrap();
    let down = Reader {
        is_down: true,
        ..Reader::default()
    };
    let (stopped, _) = run(settings(directory.path()), &down).await;
    assert_eq!(stopped, Stopped::Failing("nobody is here".to_owned()));
    assert_eq!(down.asked.borrow().len(), 10);
    let up = Reader::default();
    assert_eq!(run(settings(directory.path()), &up).await.0, Stopped::Done);
    assert_eq!(up.asked.borrow().len(), 40);
}

#[test]
fn a_budget_in_money_needs_the_price_of_every_model() {
    let directory = tempfile::tempdir().unwrap();
    let budget = Budget {
        tokens: None,
        cost: Some(1.0),
    };
    let settings = Settings {
        budget,
        ..settings(directory.path())
    };
    let error = Evaluation::open(settings).unwrap_err();
    assert!(error.to_string().contains("price of `m`"), "{error}");
}

fn approach(title: &str) -> Entrant {
    Entrant {
        title: title.to_owned(),
        approach: title.to_owned(),
        ..Entrant::plain()
    }
}

#[tokio::test]
async fn a_budget_buys_whole_questions() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Reader::default();
    let settings = Settings {
        budget: Budget {
            tokens: Some(120),
            cost: None,
        },
        ..settings(directory.path())
    };
    let (stopped, _) = run(settings, &endpoint).await;
    assert_eq!(stopped, Stopped::Budget);
    let asked = endpoint.asked.borrow();
    let of = |name: Option<&str>| {
        let is = |request: &&Value| request["optillm_approach"].as_str() == name;
        asked.iter().filter(is).count()
    };
    assert_eq!(
        (of(None), of(Some("re2"))),
        (6, 6),
        "neither approach has it all"
    );
}

#[tokio::test]
async fn a_second_run_keeps_what_the_first_has_found() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Reader::default();
    run(settings(directory.path()), &endpoint).await;
    let other = Settings {
        entrants: vec![approach("moa")],
        max_questions: std::num::NonZeroU32::new(5),
        ..settings(directory.path())
    };
    let (stopped, table) = run(other, &endpoint).await;
    assert_eq!(stopped, Stopped::Done);
    for name in ["none", "re2", "moa"] {
        assert!(table.lines().any(|line| line.starts_with(name)), "{table}");
    }
    let page = std::fs::read_to_string(directory.path().join("out/report.html")).unwrap();
    assert!(page.contains("re2") && page.contains("moa"));
    assert!(table.contains("in this run 5 calls"), "{table}");
}

#[tokio::test]
async fn what_was_not_graded_is_no_figure_and_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let down = Reader {
        is_down: true,
        ..Reader::default()
    };
    let few = Settings {
        max_questions: std::num::NonZeroU32::new(3),
        ..settings(directory.path())
    };
    let (outcome, table) = outcome(few, &down).await;
    assert_eq!(
        outcome,
        Outcome {
            stopped: Stopped::Done,
            is_graded: false
        }
    );
    assert!(table.contains("6 × nobody is here (none, re2)"), "{table}");
    assert!(
        table.contains("answers.jsonl") && table.contains("nothing follows"),
        "{table}"
    );
    let rows: Vec<&str> = table
        .lines()
        .filter(|line| line.starts_with("re2"))
        .collect();
    assert!(rows[0].contains('–') && !rows[0].contains("0.0"), "{table}");
}

#[tokio::test]
async fn an_estimate_asks_nothing_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let prices = Prices::new(
        vec![Price {
            model: "m".to_owned(),
            input: 1.0,
            cached: None,
            output: 2.0,
        }],
        |pattern, name| pattern == name,
    );
    let settings = Settings {
        prices,
        baseline_samples: 4,
        entrants: vec![approach("bon")],
        max_tokens: std::num::NonZeroU32::new(100),
        ..settings(directory.path())
    };
    let mut out = Vec::new();
    Evaluation::open(settings)
        .unwrap()
        .estimate(&mut out)
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    let calls = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        let words: Vec<&str> = line.trim_start_matches(name).split_whitespace().collect();
        (
            words[0].parse::<u32>().unwrap(),
            words[1].parse::<u32>().unwrap(),
        )
    };
    assert_eq!(calls("none"), (20, 20), "{text}");
    assert!(calls("bon").1 >= 40, "{text}");
    assert!(calls("plain samples").0 >= 40, "{text}");
    assert!(!text.contains('–'), "{text}");
    assert!(!directory.path().join("out").exists());
}

#[tokio::test]
async fn a_virtual_model_is_asked_as_it_is_beside_its_target() {
    let directory = tempfile::tempdir().unwrap();
    let endpoint = Reader::default();
    let careful = Entrant {
        title: "careful".to_owned(),
        approach: "bon".to_owned(),
        alias: Some(Alias {
            name: "careful".to_owned(),
            target: "m".to_owned(),
        }),
        ..Entrant::plain()
    };
    let settings = Settings {
        entrants: vec![careful],
        endpoint: EndpointFacts {
            config: Some(json!({})),
            ..EndpointFacts::default()
        },
        ..settings(directory.path())
    };
    let (_, table) = run(settings, &endpoint).await;
    assert!(
        table.lines().any(|line| line.starts_with("careful")),
        "{table}"
    );
    let asked = endpoint.asked.borrow();
    let of = |model: &str, approach: Option<&str>| {
        let is = |request: &&Value| {
            request["model"] == model && request["optillm_approach"].as_str() == approach
        };
        asked.iter().filter(is).count()
    };
    assert_eq!((of("m", Some("none")), of("careful", None)), (20, 20));
}

/// Answers through two models.
struct Panel;

impl Endpoint for Panel {
    async fn chat(&self, _request: &Value) -> Result<Reply, Failure> {
        let each = |model: &str| ModelUse {
            model: model.to_owned(),
            input_tokens: 1_000_000,
            ..ModelUse::default()
        };
        Ok(Reply {
            text: "1".to_owned(),
            input_tokens: 2_000_000,
            calls: 2,
            uses: vec![each("m"), each("dear")],
            ..Reply::default()
        })
    }
}

#[tokio::test]
async fn a_panel_costs_what_its_models_do() {
    let directory = tempfile::tempdir().unwrap();
    let price = |model: &str, input| Price {
        model: model.to_owned(),
        input,
        cached: None,
        output: 0.0,
    };
    let table = vec![price("m", 1.0), price("dear", 100.0)];
    let settings = Settings {
        prices: Prices::new(table, |pattern, name| pattern == name),
        entrants: Vec::new(),
        ..settings(directory.path())
    };
    let (_, table) = run(settings, &Panel).await;
    assert!(
        table.contains("101.00000") && table.contains("cost 2020.0000"),
        "{table}"
    );
}

/// Is busy at every third request.
#[derive(Default)]
struct Busy(RefCell<u32>);

impl Endpoint for Busy {
    async fn chat(&self, _request: &Value) -> Result<Reply, Failure> {
        *self.0.borrow_mut() += 1;
        if self.0.borrow().is_multiple_of(3) {
            let wait = Some(std::time::Duration::from_secs(7));
            return Err(Failure::new(FailureKind::Busy { wait }, "429"));
        }
        Ok(Reply::default())
    }
}

#[tokio::test(start_paused = true)]
async fn a_busy_provider_loses_nothing_and_the_waits_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let (stopped, table) = run(settings(directory.path()), &Busy::default()).await;
    assert_eq!(stopped, Stopped::Done);
    assert!(table.contains("Waited for the provider"), "{table}");
    assert!(!table.contains("failed and"), "{table}");
}

/// Plain answers of 10 tokens read and 10 generated; others of 90 read, 80 of them cached.
struct Cheap;

impl Endpoint for Cheap {
    async fn chat(&self, request: &Value) -> Result<Reply, Failure> {
        let is_plain = request.get("optillm_approach").is_none();
        let seed = request["seed"].as_u64().unwrap();
        let text = request.pointer("/messages/0/content").unwrap().to_string();
        let right: String = text.chars().filter(char::is_ascii_digit).collect();
        Ok(Reply {
            // Of the plain samples every second one is wrong.
            text: if is_plain && seed.is_multiple_of(2) {
                "0".to_owned()
            } else {
                right
            },
            input_tokens: if is_plain { 10 } else { 90 },
            cached_tokens: if is_plain { 0 } else { 80 },
            output_tokens: 10,
            calls: 1,
            ..Reply::default()
        })
    }
}

#[tokio::test]
async fn the_baseline_votes_as_often_as_is_paid_for_by_money_and_by_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let settings = Settings {
        baseline_samples: 16,
        ..settings(directory.path())
    };
    run(settings, &Cheap).await;
    let report = std::fs::read(directory.path().join("out/report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let rows = report["rows"].as_array().unwrap();
    let row = rows.iter().find(|row| row["approach"] == "re2").unwrap();
    let is_near = |vote: &str, name: &str, expected: f64| {
        let found = row[vote][name].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-9, "{vote} {name}: {found}");
    };
    // (10 + 80 / 4 + 4 x 10) / (10 + 4 x 10), and 100 / 20.
    is_near("equal_spend", "samples", 1.4);
    is_near("equal_tokens", "samples", 5.0);
    // The first sample is wrong, a tie goes to it, and so do three of five.
    is_near("equal_spend", "accuracy", 0.0);
    is_near("against_vote", "difference", 1.0);
    assert_eq!(row["verdict"], "beats");
}
