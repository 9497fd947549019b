//! Whole evaluations of an endpoint that answers by rule.

use std::cell::RefCell;
use std::path::Path;

use serde_json::{Value, json};

use crate::{Budget, Endpoint, EndpointFacts, Entrant, Evaluation, Reply, Settings, Stopped};

/// Answers every question with the number in it, and keeps what it was asked.
#[derive(Default)]
struct Reader {
    asked: RefCell<Vec<Value>>,
    is_down: bool,
}

impl Endpoint for Reader {
    async fn chat(&self, request: &Value) -> Result<Reply, String> {
        self.asked.borrow_mut().push(request.clone());
        if self.is_down {
            return Err("nobody is here".to_owned());
        }
        let text = request.pointer("/messages/0/content").unwrap().to_string();
        Ok(Reply {
            text: text.chars().filter(char::is_ascii_digit).collect(),
            input_tokens: 9,
            output_tokens: 1,
            calls: 1,
            degraded: String::new(),
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

async fn run(settings: Settings, endpoint: &Reader) -> (Stopped, String) {
    let mut out = Vec::new();
    let evaluation = Evaluation::open(settings).unwrap();
    let stopped = evaluation.run(endpoint, &mut out).await.unwrap();
    (stopped, String::from_utf8(out).unwrap())
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
