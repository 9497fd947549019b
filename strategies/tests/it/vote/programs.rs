//! Programs that vote with texts.

use hone_strategies::contract::{FINAL_ANSWER, PROGRAM, WORKSPACE, fenced};
use hone_strategies::model::Purpose;
use serde_json::json;

use crate::support::{Fake, Seen, Trial, says};

/// A model whose programs print these numbers in turn, and whose texts give those.
fn writing(programs: &'static [&'static str], texts: &'static [&'static str]) -> Fake {
    Fake::new(move |seen: &Seen| {
        let index = seen.call.index as usize;
        if seen.call.purpose == Purpose::Final {
            says(seen, "Six sevens are 42.")
        } else if seen.text().contains(PROGRAM) {
            // The second stage counts anew; its requests cannot be told from the first's.
            let at = seen.number as usize;
            let program = programs.get(at).or(programs.last()).unwrap_or(&"");
            says(seen, &format!("```python\nx = {program}\nprint(x)\n```"))
        } else {
            let text = texts.get(index % texts.len()).unwrap_or(&"");
            says(seen, &format!("I count.\nFinal answer: {text}"))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn two_programs_that_agree_are_the_answer() {
    for (question, told) in [
        ("How much is 6 times 7?", "The answer is 42."),
        ("How much is 6 times 7? Only the number.", "42"),
        ("How much is 6 times 7? Use \\boxed{}.", "\\boxed{42}"),
        ("What percent of 50 is 21?", "The answer is 42%."),
    ] {
        let trial = Trial::new(writing(&["6 * 7", "84 / 2"], &["1"]))
            .with("messages", json!([{"role": "user", "content": question}]));
        let finished = trial.run("pal").await;
        assert_eq!(finished.text(), told);
        assert_eq!(
            (finished.outcome().calls, finished.elapsed.as_secs()),
            (2, 1)
        );
        assert_eq!(finished.outcome().degraded, [""; 0]);
    }
}

#[tokio::test(start_paused = true)]
async fn one_program_more_outweighs_a_text_and_two_texts_a_program() {
    let text = |programs, texts| async move {
        let trial = Trial::new(writing(programs, texts)).with("stop_confidence", 0);
        trial.run("pal").await.text()
    };
    // 1.5 + 1.5 against 1.5 + 1.
    let programs = text(&["1", "42", "42"], &["1", "2"]).await;
    assert_eq!(programs, "The answer is 42.");
    // 1 + 1 against 1.5; the text itself is returned, without the label.
    assert_eq!(text(&["1", "2", "3"], &["42"]).await, "I count.\n\n42");
    // A program that divides by zero abstains.
    assert_eq!(
        text(&["1 / 0", "1 / 0", "1 / 0"], &["42"]).await,
        "I count.\n\n42"
    );
    // 1.5 alone against 1 and 1.
    let program = text(&["42", "1 / 0", "1 / 0"], &["1", "2"]).await;
    assert_eq!(program, "The answer is 42.");
}

#[tokio::test(start_paused = true)]
async fn the_number_is_explained_where_that_is_wanted() {
    for stream in [false, true] {
        let trial = Trial::new(writing(&["6 * 7"], &["1"]))
            .with("pal_answer", "explained")
            .with("stream", stream);
        let finished = trial.run("pal").await;
        assert_eq!(finished.text(), "Six sevens are 42.");
        assert_eq!(
            (finished.outcome().calls, finished.elapsed.as_secs()),
            (3, 2)
        );
        let requests = trial.model.requests();
        let last = requests.last().unwrap().text();
        assert_eq!(fenced(&last, WORKSPACE), Some("The answer is 42."));
    }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_gives_a_number_a_text_or_a_plain_call_answers() {
    let silent = |seen: &Seen| match seen.call.purpose {
        Purpose::Final => says(seen, "It is 42."),
        _ => says(seen, "Nobody knows."),
    };
    let finished = Trial::new(Fake::new(silent)).run("pal").await;
    assert_eq!(finished.text(), "Nobody knows.");
    assert_eq!(finished.outcome().degraded, ["vote"]);
    let finished = Trial::new(Fake::new(silent))
        .with("pal_texts", 0)
        .run("pal")
        .await;
    assert_eq!(
        (finished.text().as_str(), finished.outcome().calls),
        ("It is 42.", 4)
    );
}

#[tokio::test(start_paused = true)]
async fn the_example_stands_before_the_last_turn_and_the_clients_words_stay() {
    let messages = json!([
        {"role": "system", "content": "Speak French."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Bonjour"},
        {"role": "user", "content": "How much is 6 times 7?"},
    ]);
    let trial = Trial::new(writing(&["1", "2", "3"], &["4", "5"]))
        .with("messages", messages)
        .with("seed", 7);
    trial.run("pal").await;
    let requests = trial.model.requests();
    let (programs, texts): (Vec<_>, Vec<_>) = requests
        .iter()
        .partition(|seen| seen.text().contains(PROGRAM));
    assert_eq!((programs.len(), texts.len()), (3, 2));
    let spoken = |seen: &Seen| {
        let messages = seen.request.messages().iter();
        messages
            .map(|message| message.text().into_owned())
            .collect::<Vec<_>>()
    };
    let first = spoken(programs[0]);
    assert!(programs.iter().all(|seen| spoken(seen) == first));
    assert!(first[0].starts_with("Speak French.\n\n") && first[0].contains(PROGRAM));
    assert_eq!(first[1..3], ["Hello", "Bonjour"]);
    assert!(first[4].starts_with("```python\n") && first.len() == 6);
    assert_eq!(first[5], "How much is 6 times 7?");
    assert!(texts.iter().all(|seen| seen.text().contains(FINAL_ANSWER)));
    let seeds: Vec<_> = programs
        .iter()
        .map(|seen| seen.request.get("seed").cloned())
        .collect();
    assert_eq!(seeds, [Some(json!(7)), Some(json!(8)), Some(json!(9))]);
}

#[tokio::test(start_paused = true)]
async fn what_asks_for_no_number_is_answered_by_self_consistency() {
    for (field, value) in [
        (
            "messages",
            json!([{"role": "user", "content": "Is 91 prime?"}]),
        ),
        (
            "messages",
            json!([{"role": "user", "content": "How many? A) 1\nB) 2"}]),
        ),
        ("response_format", json!({"type": "json_object"})),
    ] {
        let asked = async |approach| {
            let trial = Trial::new(writing(&["1"], &["42"])).with(field, value.clone());
            trial.run(approach).await;
            let requests = trial.model.requests();
            requests.iter().map(Seen::text).collect::<Vec<_>>()
        };
        assert_eq!(
            asked("pal").await,
            asked("self_consistency").await,
            "{value}"
        );
    }
}
