//! Texts beyond a model's window, read in parts question by question.

use hone_strategies::contract::{RECORD, REDUCED, SUB_QUESTION, SUMMARY};
use hone_strategies::model::Purpose;
use serde_json::json;

use crate::support::{Fake, Finished, Reply, Seen, Trial, rejected, says};

const NEEDLE: &str = "The bridge was built by Ada Wong.";
const PLAN: &str = "Question: Who built the bridge?\nSub-question: Which bridge is meant?\n\
    Sub-question: Who worked on it?";

/// `parts` parts of 4,000 bytes, the needle in the one before the last, and a question.
fn text(parts: usize) -> String {
    let paragraph = |at: usize| {
        format!(
            "Paragraph {at}. {}{}",
            "The river ran high that spring. ".repeat(119),
            if at + 2 == parts { NEEDLE } else { "" }
        )
    };
    let text: Vec<String> = (0..parts).map(paragraph).collect();
    format!("{}<CONTEXT_END>Who built it?", text.join("\n\n"))
}

/// Reads as a model that finds the needle and nothing else.
fn reads(seen: &Seen) -> Reply {
    let text = seen.text();
    let has_needle = text.contains(NEEDLE);
    match text {
        text if text.contains(SUMMARY) => says(seen, &format!("S{}.", seen.call.index + 1)),
        text if text.contains(SUB_QUESTION) => says(seen, PLAN),
        text if text.contains(RECORD) && has_needle => says(
            seen,
            &format!(
                "Information: {NEEDLE}\nRationale: It says so.\nAnswer: Ada Wong\nConfidence: 5"
            ),
        ),
        text if text.contains(RECORD) => says(
            seen,
            "Information:\nRationale:\nAnswer: [no information]\nConfidence: 0",
        ),
        text if text.contains(REDUCED) => {
            says(seen, "It is said.\n**Answer:** The one by Ada Wong.")
        }
        text if text.contains("Ada Wong") => says(seen, "Ada Wong."),
        _ => says(seen, "I do not know."),
    }
}

fn trial(model: Fake, parts: usize) -> Trial {
    let messages = json!([{"role": "system", "content": "be brief"},
        {"role": "user", "content": text(parts)}]);
    Trial::new(model)
        .with("messages", messages)
        .with("longcepo_chunk_size", 1000)
}

fn asked(trial: &Trial, line: &str) -> Vec<Seen> {
    trial
        .model
        .requests()
        .into_iter()
        .filter(|seen| seen.text().contains(line))
        .collect()
}

fn note(finished: &Finished, name: &str) -> serde_json::Value {
    finished
        .outcome()
        .trace
        .notes
        .iter()
        .find(|note| note.name == name)
        .expect("noted")
        .value
        .clone()
}

#[tokio::test(start_paused = true)]
async fn a_needle_is_found_with_each_part_summarised_once() {
    let trial = trial(Fake::new(reads), 7);
    let finished = trial.run("longcepo").await;
    assert_eq!(
        (finished.text().as_str(), note(&finished, "parts")),
        ("Ada Wong.", json!(7))
    );
    assert_eq!(
        (
            asked(&trial, SUMMARY).len(),
            asked(&trial, RECORD).len(),
            asked(&trial, REDUCED).len()
        ),
        (7, 21, 2)
    );
    assert_eq!(
        (finished.outcome().calls, finished.elapsed.as_secs()),
        (1 + 7 + 3 * (7 + 1), 7)
    );
    let last = trial.model.requests().pop().unwrap();
    assert!(
        last.text().contains(NEEDLE)
            && !last.text().contains("river")
            && !last.text().contains("CONTEXT_END")
    );
    assert!(
        last.text().contains("The one by Ada Wong.")
            && last
                .request
                .messages()
                .last()
                .unwrap()
                .text()
                .ends_with("Who built it?")
    );
    assert!(
        trial
            .model
            .requests()
            .iter()
            .all(|seen| seen.text().contains("be brief") && seen.text().contains("Who built it?"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_reader_is_told_its_neighbours_summaries_and_the_answers_so_far() {
    let trial = trial(Fake::new(reads), 14).with("longcepo_num_neighbor_summaries", 2);
    trial.run("longcepo").await;
    let maps = asked(&trial, RECORD);
    let first = maps
        .iter()
        .find(|seen| seen.call.index == 6)
        .unwrap()
        .text();
    assert!(
        ["Part 5: S5.", "Part 6: S6.", "Part 8: S8.", "Part 9: S9."]
            .iter()
            .all(|told| first.contains(told)),
        "{first}"
    );
    assert!(
        !first.contains("Part 7: S7.")
            && !first.contains("Part 4:")
            && !first.contains("Part 10:")
            && !first.contains("earlier answers")
    );
    let last = maps
        .iter()
        .rfind(|seen| seen.call.index == 13)
        .unwrap()
        .text();
    assert!(
        last.contains("Part 12: S12.")
            && last.contains("Question: Which bridge is meant?\nAnswer: The one by Ada Wong.")
    );
    assert!(
        last.contains("Who built the bridge?"),
        "the main question is the bare one"
    );
}

#[tokio::test(start_paused = true)]
async fn questions_that_do_not_need_each_other_are_read_for_at_once() {
    let trial = trial(Fake::new(reads), 7).with("longcepo_order", "parallel");
    let finished = trial.run("longcepo").await;
    assert_eq!(
        (finished.text().as_str(), finished.elapsed.as_secs()),
        ("Ada Wong.", 5)
    );
    assert!(
        asked(&trial, SUB_QUESTION)[0]
            .text()
            .contains("without the answers to the others")
    );
}

#[tokio::test(start_paused = true)]
async fn records_are_merged_only_when_they_do_not_fit() {
    let record = format!(
        "Information: {}\nAnswer: yes\nConfidence: 3",
        "so ".repeat(2000)
    );
    let long = move |seen: &Seen| {
        if seen.text().contains(RECORD) {
            says(seen, &record)
        } else {
            reads(seen)
        }
    };
    for (window, merges) in [(100_000, 0), (4096, 3 * (4 + 2))] {
        let trial = trial(Fake::new(long.clone()), 8).with("longcepo_max_context_window", window);
        let demand = trial
            .plan("longcepo")
            .unwrap()
            .check(&trial.request())
            .unwrap();
        let finished = trial.run("longcepo").await;
        assert_eq!(
            asked(&trial, "several readers made").len() - 2,
            merges,
            "two reductions and {merges} merges"
        );
        assert!(
            finished.outcome().calls <= demand.max_calls && finished.outcome().degraded.is_empty()
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_part_that_cannot_be_read_is_named_and_the_rest_counts() {
    let model = Fake::new(
        |seen| match (seen.text().contains(RECORD), seen.call.index) {
            (true, 0) => Err(rejected(400, &json!({"message": "no"}))),
            _ => reads(seen),
        },
    );
    let trial = trial(model, 4);
    let finished = trial.run("longcepo").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().degraded.as_slice()
        ),
        ("Ada Wong.", ["failed_calls".to_owned()].as_slice())
    );
    assert_eq!(note(&finished, "unread_parts"), json!([1]));
    assert!(
        trial
            .model
            .requests()
            .pop()
            .unwrap()
            .text()
            .contains("may be missing: 1.")
    );
}

#[tokio::test(start_paused = true)]
async fn where_nothing_can_be_read_the_error_is_relayed() {
    for line in [RECORD, ""] {
        let model = Fake::new(move |seen| match seen.call.purpose {
            Purpose::Plan if seen.text().contains(line) => {
                Err(rejected(403, &json!({"message": "no"})))
            }
            _ => reads(seen),
        });
        let trial = trial(model, 4);
        assert!(
            trial
                .run("longcepo")
                .await
                .result
                .unwrap_err()
                .to_string()
                .contains("403")
        );
        assert!(!trial.model.asked_for(&[Purpose::Final]));
    }
}

#[tokio::test(start_paused = true)]
async fn plans_and_summaries_that_fail_are_done_without() {
    let model = Fake::new(|seen| match seen.text() {
        text if text.contains(SUB_QUESTION) => says(seen, "I cannot plan."),
        text if text.contains(SUMMARY) => Err(rejected(400, &json!({"message": "no"}))),
        _ => reads(seen),
    });
    let trial = trial(model, 4);
    let finished = trial.run("longcepo").await;
    assert_eq!(
        (finished.text().as_str(), finished.elapsed.as_secs()),
        ("Ada Wong.", 3),
        "the client's own question is read for"
    );
    assert_eq!(finished.outcome().degraded, ["failed_calls"]);
}

#[tokio::test(start_paused = true)]
async fn what_fits_is_answered_plainly_without_the_delimiter() {
    let trial = Trial::new(Fake::new(reads)).with(
        "messages",
        json!([{"role": "user", "content": "A letter.<CONTEXT_END>Who wrote it?"}]),
    );
    assert_eq!(trial.run("longcepo").await.outcome().calls, 1);
    assert_eq!(
        trial.model.requests()[0].text(),
        "A letter.\n\nWho wrote it?"
    );
}

#[tokio::test(start_paused = true)]
async fn a_text_that_holds_the_delimiter_is_divided_at_the_last_one() {
    let quoting = text(4).replace("Paragraph 2.", "He wrote <CONTEXT_END> there.");
    let trial =
        trial(Fake::new(reads), 4).with("messages", json!([{"role": "user", "content": quoting}]));
    assert_eq!(trial.run("longcepo").await.text(), "Ada Wong.");
}

#[tokio::test(start_paused = true)]
async fn a_small_budget_asks_fewer_questions_and_a_text_too_long_is_refused_with_its_cost() {
    let small = Trial {
        calls: 15,
        ..trial(Fake::new(reads), 4)
    };
    let finished = small.run("longcepo").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().degraded.as_slice()
        ),
        ("Ada Wong.", ["budget".to_owned()].as_slice())
    );
    assert!(finished.outcome().calls <= 15);
    let none = Trial {
        calls: 9,
        ..trial(Fake::new(reads), 4)
    };
    assert_eq!(none.run("longcepo").await.outcome().calls, 1);
    let huge = trial(Fake::new(reads), 60);
    let refused = huge
        .plan("longcepo")
        .unwrap()
        .check(&huge.request())
        .unwrap_err();
    assert!(
        refused.message.contains("at most 256 are allowed"),
        "{}",
        refused.message
    );
}
