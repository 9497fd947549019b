//! Strategies that look into the decoding: certainty without a judge, first tokens that are
//! followed, forks where the model is of several minds.

use std::time::Duration;

use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::model::{Fact, Model, Purpose};
use hone_strategies::{Missing, StrategyError};
use serde_json::{Value, json};

use crate::support::{Fake, Reply, Seen, Trial, rejected, says};

/// An answer of words with, for each, the shares of itself and of other words.
fn answer(seen: &Seen, words: &[(&str, &[(&str, f64)])]) -> Choice {
    let text: String = words.iter().map(|(word, _)| *word).collect();
    let entry = |(word, shares): &(&str, &[(&str, f64)])| {
        let top: Vec<Value> = shares
            .iter()
            .map(|(token, share)| json!({"token": token, "logprob": share.ln()}))
            .collect();
        json!({"token": word, "logprob": shares.iter().find(|(token, _)| token == word)
            .map_or(-3.0, |(_, share)| share.ln()), "top_logprobs": top})
    };
    let logprobs = seen
        .request
        .get("logprobs")
        .map(|_| json!({"content": words.iter().map(entry).collect::<Vec<_>>()}).into());
    Choice {
        logprobs,
        ..Choice::new(Message::assistant(text), "stop")
    }
}

#[expect(clippy::unnecessary_wraps, reason = "scripts return replies")]
fn of(choices: Vec<Choice>) -> Reply {
    let choices = choices
        .into_iter()
        .zip(0..)
        .map(|(choice, index)| Choice { index, ..choice })
        .collect();
    Ok(Completion {
        choices,
        usage: Some(Usage::new(10, 5)),
        ..Completion::default()
    })
}

/// What the conversation makes the model continue.
fn begun(seen: &Seen) -> Option<String> {
    seen.request
        .messages()
        .last()
        .filter(|last| last.role() == "assistant")
        .map(|last| last.text().into_owned())
}

/// Candidates of one call: answer, and the share of the likeliest of two tokens.
fn certain(all: &'static [(&'static str, f64)]) -> Fake {
    Fake::new(move |seen| {
        let one = |(text, share): &(&'static str, f64)| {
            answer(
                seen,
                &[
                    ("It is ", &[("It is ", *share), ("No", 1.0 - share)]),
                    (*text, &[(*text, *share), ("?", 1.0 - share)]),
                ],
            )
        };
        of(all.iter().map(one).collect())
    })
}

#[tokio::test(start_paused = true)]
async fn ranks_decide_by_their_power() {
    const ALL: &[(&str, f64)] = &[
        ("Answer: 41", 0.6),
        ("Answer: 42", 0.99),
        ("Answer: 41", 0.7),
        ("Answer: 43", 0.9),
    ];
    // Votes: 42 has 4^p, 43 has 3^p, 41 has 2^p + 1.
    for (power, expected) in [(0.0, "41"), (0.5, "41"), (1.0, "42"), (3.0, "42")] {
        let trial = Trial::new(certain(ALL))
            .with("self_certainty_samples", 4)
            .with("borda_power", power);
        let finished = trial.run("self_certainty").await;
        assert!(
            finished.text().ends_with(expected),
            "{power}: {}",
            finished.text()
        );
        assert_eq!(finished.outcome().calls, 1);
        assert_eq!(finished.outcome().choices[0].logprobs, None);
    }
}

#[tokio::test(start_paused = true)]
async fn the_most_certain_of_free_texts_wins() {
    const ALL: &[(&str, f64)] = &[
        ("Waves come", 0.6),
        ("The sea is wide", 0.95),
        ("Salt", 0.7),
    ];
    let poem = json!([{"role": "user", "content": "Write a line about the sea."}]);
    let finished = Trial::new(certain(ALL))
        .with("self_certainty_samples", 3)
        .with("messages", poem)
        .run("self_certainty")
        .await;
    assert!(finished.text().ends_with("The sea is wide"));
    let scores: Vec<f64> = finished
        .outcome()
        .trace
        .candidates
        .iter()
        .map(|candidate| candidate.score.unwrap())
        .collect();
    assert!(scores[1] > scores[2] && scores[2] > scores[0], "{scores:?}");
}

#[tokio::test(start_paused = true)]
async fn without_log_probabilities_each_is_refused_or_falls_back() {
    for (approach, calls) in [
        ("self_certainty", 1),
        ("cot_decoding", 1),
        ("entropy_decoding", 1),
    ] {
        let model = || Fake::new(|seen| says(seen, "one two three four Final answer: 42"));
        let trial = Trial::new(model());
        assert!(
            matches!(
                trial.run(approach).await.result,
                Err(StrategyError::Unsupported(Missing::Alternatives))
            ),
            "{approach}"
        );
        assert!(
            matches!(
                trial.run(approach).await.result,
                Err(StrategyError::Unsupported(Missing::Alternatives))
            ),
            "{approach}"
        );
        assert_eq!(
            trial.model.calls(),
            calls,
            "{approach}: the second run knows"
        );
        let finished = Trial::new(model())
            .with("decoding_fallback", true)
            .run(approach)
            .await;
        assert!(finished.text().ends_with("42"), "{approach}");
        assert_eq!(finished.outcome().degraded, ["logprobs"], "{approach}");
    }
}

const FIRST: &[(&str, f64)] = &[
    ("5", 0.5),
    ("You", 0.3),
    ("We", 0.1),
    ("<|end|>", 0.05),
    ("5", 0.03),
    (" ", 0.01),
    ("I", 0.01),
];

/// Answers at once, or, where it was made to begin with a word, by reasoning. `sure` says how far
/// the answer's token leads.
fn reasons(seen: &Seen, sure: impl Fn(&str) -> (&'static str, f64), echoes: bool) -> Reply {
    if seen.call.purpose == Purpose::Probe {
        return says(
            seen,
            if echoes {
                "three four five six seven"
            } else {
                " seven eight"
            },
        );
    }
    let Some(begun) = begun(seen) else {
        return of(vec![answer(
            seen,
            &[("5", FIRST), (" apples", &[(" apples", 0.9), ("x", 0.1)])],
        )]);
    };
    let (value, lead) = sure(&begun);
    let shares = [
        (value, f64::midpoint(1.0, lead)),
        ("0", f64::midpoint(1.0, -lead)),
    ];
    let mut choice = answer(
        seen,
        &[
            (" think. ", &[("so", 0.5), ("no", 0.4)]),
            ("Answer: ", &[("Answer: ", 0.6), ("x", 0.4)]),
            (value, &shares),
        ],
    );
    if echoes {
        let text = format!("{begun}{}", choice.message.text());
        choice.message = choice.message.with("content", text);
    }
    of(vec![choice])
}

#[tokio::test(start_paused = true)]
async fn a_first_token_that_leads_to_a_sure_answer_is_found() {
    for echoes in [false, true] {
        let sure = |begun: &str| {
            if begun == "We" {
                ("8", 0.95)
            } else {
                ("5", 0.2)
            }
        };
        let trial = Trial::new(Fake::new(move |seen| reasons(seen, sure, echoes))).with("k", 7);
        let finished = trial.run("cot_decoding").await;
        assert_eq!(
            finished.text(),
            "We think. Answer: 8",
            "an echo of what was begun: {echoes}"
        );
        // The trunk, three usable words of six others, and the question whether answers are
        // continued.
        assert_eq!(
            (finished.outcome().calls, finished.outcome().degraded.len()),
            (5, 0)
        );
        assert!(
            finished.elapsed < Duration::from_millis(3_200),
            "the branches run side by side, and beside the trunk"
        );
        let again = trial.run("cot_decoding").await;
        assert_eq!(
            (again.outcome().calls, again.elapsed.as_secs()),
            (4, 2),
            "learned"
        );
        let starts: Vec<String> = trial
            .model
            .requests()
            .iter()
            .filter(|seen| seen.call.purpose == Purpose::Candidate)
            .filter_map(begun)
            .collect();
        assert_eq!(
            starts,
            ["You", "We", "I", "You", "We", "I"],
            "each word once, no signs, no blanks"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_sure_first_token_beyond_k_is_not_found() {
    let sure = |begun: &str| {
        if begun == "We" {
            ("8", 0.95)
        } else {
            ("5", 0.3)
        }
    };
    let finished = Trial::new(Fake::new(move |seen| reasons(seen, sure, false)))
        .with("k", 2)
        .run("cot_decoding")
        .await;
    assert!(finished.text().contains('5'), "{}", finished.text());
}

#[tokio::test(start_paused = true)]
async fn paths_with_the_same_answer_add_up() {
    let sure = |begun: &str| match begun {
        "We" => ("8", 0.6),
        _ => ("7", 0.4),
    };
    let run = async |aggregate: bool| {
        let trial = Trial::new(Fake::new(move |seen| reasons(seen, sure, false)))
            .with("k", 7)
            .with("aggregate_paths", aggregate);
        trial.run("cot_decoding").await.text()
    };
    assert_eq!(run(true).await, "You think. Answer: 7");
    assert_eq!(run(false).await, "We think. Answer: 8");
}

#[tokio::test(start_paused = true)]
async fn an_upstream_that_answers_anew_is_found_out_once() {
    for approach in ["cot_decoding", "entropy_decoding"] {
        let anew = |seen: &Seen| match seen.call.purpose {
            Purpose::Probe if seen.request.get("continue_final_message").is_some() => {
                Err(rejected(
                    400,
                    &json!({"message": "Unrecognized request argument supplied: \
                        continue_final_message"}),
                ))
            }
            Purpose::Probe => says(seen, "one two three four five six seven"),
            _ => reasons(seen, |_| ("5", 0.5), false),
        };
        let trial = Trial::new(Fake::new(anew)).with("entropy_threshold", 1.0);
        assert!(
            matches!(
                trial.run(approach).await.result,
                Err(StrategyError::Unsupported(Missing::Continuation))
            ),
            "{approach}"
        );
        let calls = trial.model.calls();
        assert!(
            matches!(
                trial.run(approach).await.result,
                Err(StrategyError::Unsupported(Missing::Continuation))
            ),
            "{approach}"
        );
        assert_eq!(
            trial.model.calls(),
            calls,
            "{approach}: nothing is spent again"
        );
        let finished = trial.with("decoding_fallback", true).run(approach).await;
        assert_eq!(finished.outcome().degraded, ["prefill"], "{approach}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_prefix_on_the_message_is_tried_where_nothing_else_works() {
    let prefixed = |seen: &Seen| {
        let has_prefix = seen
            .request
            .messages()
            .last()
            .is_some_and(|last| last.get("prefix").is_some());
        match begun(seen) {
            Some(_) if !has_prefix => Err(rejected(
                400,
                &json!({"message": "Expected last role User"}),
            )),
            _ => reasons(
                seen,
                |begun| {
                    if begun == "We" {
                        ("8", 0.9)
                    } else {
                        ("5", 0.1)
                    }
                },
                false,
            ),
        }
    };
    let trial = Trial::new(Fake::new(prefixed));
    assert_eq!(
        trial.run("cot_decoding").await.text(),
        "We think. Answer: 8"
    );
    assert_eq!(
        (
            trial.model.knows("m", Fact::ContinuesLast),
            trial.model.knows("m", Fact::ContinuesPrefix)
        ),
        (Some(false), Some(true))
    );
}

/// Of two minds at the third word: 0.5 and many small others.
const TORN: &[(&str, f64)] = &[
    ("six", 0.4),
    ("seven", 0.2),
    ("eight", 0.1),
    ("nine", 0.1),
    ("ten", 0.1),
    ("zero", 0.02),
    ("one", 0.02),
    ("two", 0.02),
];

fn torn(seen: &Seen) -> Reply {
    const SURE: &[(&str, f64)] = &[("x", 0.99), ("y", 0.01)];
    if seen.call.purpose == Purpose::Probe {
        return says(seen, "seven eight");
    }
    let Some(begun) = begun(seen) else {
        return of(vec![answer(
            seen,
            &[
                ("It ", SURE),
                ("is ", SURE),
                ("six", TORN),
                (". Answer: 41", &[(". Answer: 41", 0.5), ("z", 0.5)]),
            ],
        )]);
    };
    let share = if begun.ends_with("six") { 0.5 } else { 0.95 };
    of(vec![answer(
        seen,
        &[(
            ". Answer: 42",
            &[(". Answer: 42", share), ("z", 1.0 - share)],
        )],
    )])
}

#[tokio::test(start_paused = true)]
async fn a_fork_is_followed_where_the_model_is_of_several_minds() {
    let trial = Trial::new(Fake::new(torn)).with("varentropy_threshold", 0.5);
    let finished = trial.run("entropy_decoding").await;
    assert_eq!(finished.text(), "It is seven. Answer: 42");
    let starts: Vec<String> = trial
        .model
        .requests()
        .iter()
        .filter(|seen| seen.call.purpose == Purpose::Candidate)
        .filter_map(begun)
        .collect();
    assert_eq!(starts, ["It is seven", "It is eight", "It is nine"]);
    let note = finished
        .outcome()
        .trace
        .notes
        .iter()
        .find(|note| note.name == "entropy_decoding")
        .unwrap();
    assert_eq!(note.value, json!({"fork_at_token": 2, "paths": 4}));
}

#[tokio::test(start_paused = true)]
async fn without_a_fork_there_is_one_answer() {
    let trial = Trial::new(Fake::new(torn)).with("entropy_threshold", 4.0);
    let finished = trial.run("entropy_decoding").await;
    assert_eq!(
        (finished.text().as_str(), finished.outcome().calls),
        ("It is six. Answer: 41", 1)
    );
}

#[tokio::test(start_paused = true)]
async fn branches_that_fail_leave_the_trunk() {
    let fails = |seen: &Seen| {
        if begun(seen).is_some() && seen.call.purpose != Purpose::Probe {
            Err(rejected(403, &json!({"message": "no"})))
        } else {
            torn(seen)
        }
    };
    let finished = Trial::new(Fake::new(fails))
        .with("varentropy_threshold", 0.5)
        .run("entropy_decoding")
        .await;
    assert_eq!(finished.text(), "It is six. Answer: 41");
    assert_eq!(finished.outcome().degraded, ["failed_calls"]);
}

#[tokio::test(start_paused = true)]
async fn log_probabilities_of_a_branch_cover_its_whole_text() {
    let trial = Trial::new(Fake::new(torn))
        .with("varentropy_threshold", 0.5)
        .with("logprobs", true)
        .with("top_logprobs", 1);
    let choice = &trial.run("entropy_decoding").await.outcome().choices[0].clone();
    let entries = choice.logprobs.as_ref().unwrap().entries("content");
    let entries: Vec<_> = entries.collect();
    let spelled: String = entries
        .iter()
        .map(|entry| entry["token"].as_str().unwrap())
        .collect();
    assert_eq!(spelled, choice.message.text());
}
