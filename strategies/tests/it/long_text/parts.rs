//! Texts that are too long to be read at once.

use hone_strategies::contract::MARGIN;
use hone_strategies::model::Purpose;
use serde_json::{Value, json};

use crate::support::{Fake, Reply, Seen, Trial, rejected, says};

const NEEDLE: &str = "The captain of the Aurora was Ines Moreau.";

/// 250,000 bytes with the needle in the middle, and a question.
fn long_text() -> String {
    let hay = "The ship left the harbour in the morning and the sea was calm all day. ";
    format!(
        "{}{NEEDLE} {}\n\nWho was the captain of the Aurora?",
        hay.repeat(1800),
        hay.repeat(1800)
    )
}

fn reads(seen: &Seen) -> Reply {
    match seen.text() {
        text if text.contains(MARGIN) && text.contains(NEEDLE) => {
            says(seen, &format!("Relevant: yes\n{NEEDLE}"))
        }
        text if text.contains(MARGIN) => says(seen, "Relevant: no"),
        text if text.contains("Ines Moreau") => says(seen, "Ines Moreau."),
        _ => says(seen, "I do not know."),
    }
}

fn of(content: impl Into<Value>) -> Value {
    json!([{"role": "system", "content": "be brief"}, {"role": "user", "content": content.into()}])
}

fn memory(model: Fake) -> Trial {
    Trial::new(model).with("messages", of(long_text()))
}

#[tokio::test(start_paused = true)]
async fn a_needle_is_found_by_three_readers_at_once_and_one_answer() {
    let trial = memory(Fake::new(reads));
    let finished = trial.run("memory").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().calls,
            finished.elapsed.as_secs()
        ),
        ("Ines Moreau.", 4, 2)
    );
    let asked = trial.model.requests();
    let last = asked.last().unwrap().text();
    assert!(
        last.contains(NEEDLE) && !last.contains("sea was calm"),
        "only the note: {last}"
    );
    assert!(
        last.contains("note on part 2 of 3")
            && last.ends_with("Who was the captain of the Aurora?")
    );
    assert!(asked.iter().all(
        |seen| seen.text().contains("be brief") && seen.text().contains("Who was the captain")
    ));
    assert!(asked.iter().take(3).all(|seen| seen.text().len() < 110_000));
}

#[tokio::test(start_paused = true)]
async fn what_fits_into_one_part_is_answered_plainly() {
    let trial = Trial::new(Fake::new(reads)).with("messages", of("A letter.\n\nWho wrote it?"));
    assert_eq!(trial.run("memory").await.outcome().calls, 1);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_fails_is_asked_again_and_then_reported() {
    let trial = memory(Fake::new(|seen| {
        match (seen.call.purpose, seen.call.index) {
            (Purpose::Plan, 0) => Err(rejected(500, &json!({"message": "down"}))),
            _ => reads(seen),
        }
    }));
    let finished = trial.run("memory").await;
    assert_eq!(
        (finished.text().as_str(), finished.outcome().calls),
        ("Ines Moreau.", 6),
        "two more attempts"
    );
    assert_eq!(finished.outcome().degraded, ["failed_calls"]);
    assert!(
        trial
            .model
            .requests()
            .last()
            .unwrap()
            .text()
            .contains("could not be read, so something may be missing: 1")
    );
    let unread = finished
        .outcome()
        .trace
        .notes
        .iter()
        .find(|note| note.name == "unread_parts")
        .unwrap();
    assert_eq!(unread.value, json!([1]));
}

#[tokio::test(start_paused = true)]
async fn a_budget_too_small_for_all_parts_keeps_a_call_for_the_answer() {
    let finished = Trial {
        calls: 3,
        ..memory(Fake::new(reads))
    }
    .run("memory")
    .await;
    assert_eq!(
        (finished.text().as_str(), finished.outcome().calls),
        ("Ines Moreau.", 3)
    );
    assert_eq!(finished.outcome().degraded, ["budget"]);
}

#[tokio::test(start_paused = true)]
async fn a_conversation_of_several_turns_keeps_its_roles_and_its_question() {
    let messages = json!([
        {"role": "user", "content": long_text()},
        {"role": "assistant", "content": "Assistant: noted."},
        {"role": "user", "content": "Say her name backwards."},
    ]);
    let trial = Trial::new(Fake::new(reads)).with("messages", messages);
    assert_eq!(trial.run("memory").await.text(), "Ines Moreau.");
    let last = trial.model.requests().pop().unwrap();
    let roles: Vec<String> = last
        .request
        .messages()
        .iter()
        .map(|message| message.role().to_owned())
        .collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    assert!(
        last.request.messages()[0]
            .text()
            .ends_with("Who was the captain of the Aurora?")
    );
    assert!(
        last.request.messages()[2]
            .text()
            .ends_with("Say her name backwards.")
    );
}

#[tokio::test(start_paused = true)]
async fn only_the_most_relevant_notes_are_kept_in_the_order_of_the_text() {
    let trial = memory(Fake::new(|seen| match seen.call.purpose {
        Purpose::Plan => says(
            seen,
            [
                "Relevant: yes\nThe captain slept.",
                "Relevant: yes\nFog.",
                "**Relevant: Yes**\nThe captain of the Aurora sank.",
            ][seen.call.index as usize],
        ),
        _ => says(seen, "done"),
    }));
    trial.run("memory").await;
    let all = trial.model.requests().pop().unwrap().text();
    assert!(all.contains("Fog.") && all.contains("slept"));
    let trial = trial.with("memory_notes", 2);
    trial.run("memory").await;
    let best = trial.model.requests().pop().unwrap().text();
    assert!(
        !best.contains("Fog.") && best.find("slept") < best.find("sank"),
        "{best}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_without_the_wanted_line_is_a_note_and_reasoning_is_none() {
    let trial = memory(Fake::new(|seen| {
        match (seen.call.purpose, seen.call.index) {
            (Purpose::Plan, 0) => says(
                seen,
                "<think>Relevant: yes, it may be the cook</think>Relevant: no",
            ),
            (Purpose::Plan, 1) => says(seen, NEEDLE),
            (Purpose::Plan, _) => says(seen, "Relevant: yes"),
            _ => says(seen, "done"),
        }
    }));
    trial.run("memory").await;
    let last = trial.model.requests().pop().unwrap().text();
    assert!(
        last.contains(NEEDLE) && !last.contains("cook") && !last.contains("note on part 3"),
        "{last}"
    );
}
