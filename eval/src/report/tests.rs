//! What the reports say.

use serde_json::json;

use super::*;
use crate::baseline::EqualSpend;
use crate::dataset::{self, Question};
use crate::endpoint::ModelUse;
use crate::journal::{Answered, Journal, Task};
use crate::prices::Prices;
use crate::results::Spend;
use crate::summary::Gain;

fn row(model: &str, approach: &str, accuracy: f64, cost: Option<f64>) -> Row {
    let vote = EqualSpend {
        samples: 3.6,
        is_capped: true,
        spend: 400.0,
        answers: 50,
        accuracy: 0.75,
        accuracy_interval: (0.6, 0.85),
        votes: std::collections::HashMap::new(),
    };
    let gain = Gain {
        difference: 0.16,
        margin: 0.1,
        gained: 9,
        lost: 1,
        p: 0.02,
    };
    let is_plain = approach == "none";
    Row {
        model: model.to_owned(),
        approach: approach.to_owned(),
        answers: 50,
        right: 40,
        unread: 3,
        degraded: 0,
        failed: 0,
        accuracy: Some(accuracy),
        accuracy_interval: Some((accuracy - 0.1, accuracy + 0.1)),
        gain: (!is_plain).then_some(gain),
        mean: Spend {
            input_tokens: 50.0,
            cached_tokens: 10.0,
            weighted_tokens: 1_600.0,
            output_tokens: if is_plain { 50.0 } else { 380.5 },
            calls: 4.25,
            cost,
        },
        wall_ms: Some((900, 2_100)),
        equal_tokens: (!is_plain).then(|| vote.clone()),
        equal_spend: (!is_plain).then_some(vote),
        against_vote: (!is_plain).then_some(Gain {
            difference: -0.05,
            ..gain
        }),
        against_tokens: (!is_plain).then_some(Gain {
            difference: -0.04,
            ..gain
        }),
        verdict: (!is_plain).then_some(Verdict::Loses),
    }
}

fn rows() -> Vec<Row> {
    let hostile = "<script>alert(\"1\")</script>, 'x'";
    vec![
        row("small", "none", 0.6, Some(0.001)),
        row("small", "bon:best_of_n=4", 0.8, Some(0.004)),
        row(hostile, "none", 0.5, None),
        row(hostile, "moa", 0.7, None),
    ]
}

/// A journal with a right answer, one that nobody could read, and a failure.
struct Kept {
    journal: Journal,
    questions: Vec<Question>,
    prices: Prices,
    _directory: tempfile::TempDir,
}

impl Kept {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("answers.jsonl");
        let mut journal = Journal::open(&path, &json!({})).unwrap();
        let task = |approach: &str| Task {
            model: "small".to_owned(),
            approach: approach.to_owned(),
            question: "q1".to_owned(),
            repeat: 0,
        };
        let answered = |right, reply: &str| Answered {
            right,
            reply: reply.to_owned(),
            unread: right == Some(false),
            judge: Some(ModelUse::default()),
            ..Answered::default()
        };
        journal
            .add(task("none"), answered(Some(true), "It is <b>4</b>."))
            .unwrap();
        journal
            .add(
                task("bon:best_of_n=4"),
                answered(Some(false), "I cannot tell."),
            )
            .unwrap();
        let failed = Answered {
            error: Some("429: try again".to_owned()),
            ..Answered::default()
        };
        journal.add(task("moa"), failed).unwrap();
        let text = r#"{"id":"q1","prompt":"What is <i>2 + 2</i>?","answer":4}"#;
        Self {
            journal,
            questions: dataset::read(text, None, None).unwrap(),
            prices: Prices::default(),
            _directory: directory,
        }
    }

    fn report<'a>(&'a self, rows: &'a [Row]) -> Report<'a> {
        let results = Results {
            journal: &self.journal,
            questions: &self.questions,
            prices: &self.prices,
        };
        Report {
            settings: json!({"seed": 1, "models": ["small"]}),
            questions: 50,
            stopped: crate::Stopped::Budget.sentence(),
            conclusions: vec![("small".to_owned(), "`bon` is best.".to_owned())],
            spent: Spent {
                calls: 12,
                tokens: 3456,
                cost: 0.5,
            },
            spent_before: Spent::default(),
            waits: Waits {
                refusals: 3,
                seconds: 2.5,
                least_concurrency: 2,
            },
            causes: crate::summary::causes::of(results),
            assumptions: NOTES.to_vec(),
            rows,
            results,
        }
    }
}

#[test]
fn the_json_report_says_what_was_asked_and_what_came_of_it() {
    let rows = rows();
    let directory = tempfile::tempdir().unwrap();
    let [json, csv, html] = Kept::new().report(&rows).write(directory.path()).unwrap();
    assert!(csv.exists() && html.exists());
    let read: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
    assert_eq!(
        (&read["settings"]["seed"], &read["questions"]),
        (&json!(1), &json!(50))
    );
    assert!(read["stopped"].as_str().unwrap().contains("budget"));
    assert_eq!(read["rows"].as_array().unwrap().len(), 4);
    assert_eq!(read["rows"][1]["gain"]["gained"], json!(9));
    assert_eq!(read["rows"][0]["gain"], Value::Null);
    assert_eq!(read["assumptions"].as_array().unwrap().len(), NOTES.len());
}

#[test]
fn the_table_for_spreadsheets_reads_back_as_what_was_written() {
    let rows = rows();
    let text = Kept::new().report(&rows).csv().unwrap();
    let mut reader = csv::Reader::from_reader(text.as_slice());
    let column = |name: &str| COLUMNS.iter().position(|column| *column == name).unwrap();
    let read: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(read.len(), rows.len());
    for (record, row) in read.iter().zip(&rows) {
        assert_eq!(&record[column("model")], row.model);
        assert_eq!(record[column("accuracy")].parse().ok(), row.accuracy);
        assert_eq!(record[column("cost")].parse().ok(), row.mean.cost);
        assert_eq!(
            record[column("vote_samples")].parse().ok(),
            row.equal_spend.as_ref().map(|vote| vote.samples)
        );
    }
}

#[test]
fn the_page_stands_alone_shows_every_row_and_runs_nothing() {
    let rows = rows();
    let page = html::page(&Kept::new().report(&rows)).into_string();
    for row in &rows {
        assert!(page.contains(&row.approach), "{}", row.approach);
    }
    assert_eq!(
        page.matches("<tr").count(),
        rows.len() + 2,
        "a row each, and a head for each model"
    );
    assert!(
        page.contains("&lt;script&gt;") && !page.contains("<script"),
        "what is foreign is text"
    );
    for outside in ["http://", "https://", "src=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
    assert_eq!(
        page.matches("<svg").count(),
        4,
        "a wide and a narrow one for each model"
    );
    assert!(page.contains("prefers-color-scheme: dark"));
}

#[test]
fn the_page_opens_each_question_reply_and_failure_and_marks_who_loses() {
    let rows = rows();
    let page = html::page(&Kept::new().report(&rows)).into_string();
    for part in [
        "What is &lt;i&gt;2 + 2&lt;/i&gt;?",
        "It is &lt;b&gt;4&lt;/b&gt;.",
        "I cannot tell.",
        "429: try again",
        "<b>1</b> × 429: try again",
        "class=\"loses\"",
        "verdict bad\">loses",
        "<code>bon</code> is best.",
        "12 calls, 3456 tokens, cost 0.5000",
        "3 refusals (429)",
    ] {
        assert!(page.contains(part), "{part}");
    }
    assert_eq!(page.matches("<details class=\"question\"").count(), 1);
    assert_eq!(page.matches("<details class=\"reply\"").count(), 3);
}

#[test]
fn the_terminal_tells_what_follows_what_it_took_and_what_failed() {
    let mut rows = rows();
    rows.push(Row {
        answers: 0,
        right: 0,
        failed: 2,
        accuracy: None,
        accuracy_interval: None,
        gain: None,
        mean: Spend::default(),
        wall_ms: None,
        equal_spend: None,
        against_vote: None,
        verdict: None,
        ..row("small", "z3", 0.0, None)
    });
    let mut out = Vec::new();
    let kept = Kept::new();
    kept.report(&rows)
        .tell(Path::new("out/answers.jsonl"), &[], &mut out)
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    for part in [
        "`bon` is best.",
        "Spent: 12 calls, 3456 tokens, cost 0.5000.",
        "3 refusals (429), 2.5 s in all",
        "out/answers.jsonl",
        "1 × 429: try again (moa)",
        "(3.6+) loses",
        "900 ms/2.1 s",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    let z3 = text.lines().find(|line| line.starts_with("z3")).unwrap();
    assert!(z3.matches('–').count() >= 5 && !z3.contains("0.0"), "{z3}");
}
