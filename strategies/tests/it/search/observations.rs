//! Observations, plans, and what is made of them.

use std::collections::BTreeSet;

use hone_strategies::chat::{Choice, Completion, Message, Usage};
use hone_strategies::contract::{OBSERVATIONS, PLAN, candidates};
use hone_strategies::model::Purpose;
use serde_json::json;

use crate::support::{Fake, Reply, Seen, Trial, rejected, says};

fn is_first(seen: &Seen) -> bool {
    seen.text().contains(OBSERVATIONS) && !seen.text().contains("[observations ")
}

/// The observations that a call was given, as their letters.
fn given(seen: &Seen) -> String {
    let text = seen.text();
    let lines = text.lines().filter_map(|line| {
        line.split_once(". Idea ")
            .map(|(_, letter)| letter.to_owned())
    });
    lines.collect()
}

/// A model whose first observations are the ideas A to D, that derives nothing, whose plans are
/// what they were given, and that answers like this.
fn model(answer: impl Fn(&Seen) -> String + Send + Sync + 'static) -> Fake {
    Fake::new(move |seen: &Seen| match seen.call.purpose {
        Purpose::Plan if is_first(seen) => {
            says(seen, r#"["Idea A", "Idea B", "Idea C", "Idea D"]"#)
        }
        Purpose::Plan if seen.text().contains(OBSERVATIONS) => says(seen, "I see nothing else."),
        Purpose::Plan => says(seen, &format!("Use {}.", given(seen))),
        _ => says(seen, &answer(seen)),
    })
}

fn coding(model: Fake) -> Trial {
    let messages = json!([{"role": "user", "content": "Write a function in Zig that sorts."}]);
    Trial::new(model)
        .with("messages", messages)
        .with("plansearch_observations", 4)
}

#[tokio::test(start_paused = true)]
async fn different_combinations_find_the_right_idea_as_often_as_drawing_without_replacement() {
    let (runs, plans, ideas) = (400_u32, 2_u32, 4_u32);
    let mut found = 0;
    for seed in 0..u64::from(runs) {
        let answer = |seen: &Seen| {
            if seen.text().contains("Use A.") {
                "right".to_owned()
            } else {
                "wrong".to_owned()
            }
        };
        let trial = Trial {
            seed,
            ..coding(model(answer))
        }
        .with("plansearch_max_subset", 1)
        .with("plansearch_candidates", plans);
        found += u32::from(trial.run("plansearch").await.text() == "right");
    }
    let (rate, expected) = (
        f64::from(found) / f64::from(runs),
        f64::from(plans) / f64::from(ideas),
    );
    let deviation = (expected * (1.0 - expected) / f64::from(runs)).sqrt();
    assert!(
        (rate - expected).abs() <= 4.0 * deviation,
        "{rate}, where drawing gives {expected}"
    );
}

#[tokio::test(start_paused = true)]
async fn no_combination_is_used_twice_and_depth_is_four_for_any_number() {
    for plans in [1, 4, 10] {
        let trial = coding(model(|_| "done".to_owned())).with("plansearch_candidates", plans);
        let finished = trial.run("plansearch").await;
        let planning = trial
            .model
            .requests()
            .into_iter()
            .filter(|seen| seen.text().contains(PLAN));
        let used: Vec<String> = planning.map(|seen| given(&seen)).collect();
        assert_eq!(used.len(), plans);
        assert_eq!(
            used.iter().collect::<BTreeSet<_>>().len(),
            plans,
            "{used:?}"
        );
        // Deriving fails to be JSON here and is asked for twice.
        assert_eq!(
            (finished.elapsed.as_secs(), finished.text().as_str()),
            (5, "done")
        );
    }
}

#[tokio::test(start_paused = true)]
async fn choices_of_one_request_rest_on_ideas_of_their_own() {
    let trial = coding(model(|_| "done".to_owned()))
        .with("n", 3)
        .with("plansearch_candidates", 1);
    let finished = trial.run("plansearch").await;
    assert_eq!(finished.outcome().choices.len(), 3);
    assert_eq!(
        trial
            .model
            .requests()
            .iter()
            .filter(|seen| is_first(seen))
            .count(),
        3,
        "and not the square of n"
    );
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_fails_or_is_cut_off_is_never_carried_out() {
    let fake = |broken: fn(&Seen) -> Reply| {
        Fake::new(move |seen: &Seen| match seen.call.purpose {
            Purpose::Plan if is_first(seen) => says(seen, r#"["Idea A", "Idea B", "Idea C"]"#),
            Purpose::Plan if seen.text().contains(OBSERVATIONS) => says(seen, "[\"More.\"]"),
            Purpose::Plan if given(seen).contains('A') => broken(seen),
            Purpose::Plan => says(seen, "A good plan."),
            _ => says(
                seen,
                &format!(
                    "{} of {}",
                    seen.text().matches("A good plan.").count(),
                    seen.text().matches("[plan ").count()
                ),
            ),
        })
    };
    let cut = |_: &Seen| -> Reply {
        let choice = Choice::new(Message::assistant("A plan that breaks o"), "length");
        Ok(Completion {
            choices: vec![choice],
            usage: Some(Usage::new(1, 1)),
            ..Completion::default()
        })
    };
    let failed = |_: &Seen| -> Reply { Err(rejected(400, &json!({"message": "no"}))) };
    let run = |model| coding(model).with("plansearch_candidates", 6);
    assert_eq!(run(fake(cut)).run("plansearch").await.text(), "3 of 3");
    let finished = run(fake(failed)).run("plansearch").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().degraded.clone()
        ),
        ("3 of 3", vec!["failed_calls".to_owned()])
    );
}

#[tokio::test(start_paused = true)]
async fn observations_that_are_no_json_are_asked_for_once_more_and_then_done_without() {
    let fake = Fake::new(|seen: &Seen| match seen.call.purpose {
        Purpose::Plan => says(
            seen,
            "Here are my observations:\n1. It is hard,\n   and long.\n2. It is short.",
        ),
        _ => says(seen, "done"),
    });
    let trial = coding(fake);
    let finished = trial.run("plansearch").await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().degraded.clone()
        ),
        ("done", vec!["observations".to_owned()])
    );
    let requests = trial.model.requests();
    assert_eq!(
        (requests.len(), requests[2].request.messages().len()),
        (3, 1),
        "the last call is the request as it was"
    );
}

#[tokio::test(start_paused = true)]
async fn the_language_is_the_requests() {
    let trial = coding(model(|_| "done".to_owned()));
    assert!(trial.run("plansearch").await.result.is_ok());
    for seen in trial.model.requests() {
        assert!(seen.text().contains("Zig") && !seen.text().contains("Python"));
    }
}

#[tokio::test(start_paused = true)]
async fn implementations_are_rated_unless_they_agree() {
    let implementing = |answer: fn(&Seen) -> String| {
        let fake = Fake::new(move |seen: &Seen| match seen.call.purpose {
            Purpose::Plan if is_first(seen) => {
                says(seen, r#"["Idea A", "Idea B", "Idea C", "Idea D"]"#)
            }
            Purpose::Plan if seen.text().contains(OBSERVATIONS) => says(seen, "[\"More.\"]"),
            Purpose::Plan => says(seen, &format!("Use {}.", given(seen))),
            Purpose::Judge => says(
                seen,
                &format!(
                    "Score: {}",
                    if candidates(&seen.text())[0].1.contains('B') {
                        9
                    } else {
                        2
                    }
                ),
            ),
            _ => says(seen, &answer(seen)),
        });
        coding(fake)
            .with("plansearch_choice", "implementation")
            .with("plansearch_max_subset", 1)
            .with("plansearch_candidates", 4)
    };
    let differing = implementing(|seen| {
        seen.text()
            .lines()
            .find(|line| line.starts_with("Use "))
            .unwrap()
            .to_owned()
    })
    .run("plansearch")
    .await;
    assert_eq!(
        (
            differing.text().as_str(),
            differing.elapsed.as_secs(),
            differing.outcome().calls
        ),
        ("Use B.", 5, 17)
    );
    let agreeing = implementing(|_| "The same.".to_owned())
        .run("plansearch")
        .await;
    assert_eq!(
        (agreeing.text().as_str(), agreeing.elapsed.as_secs()),
        ("The same.", 4)
    );
}

#[tokio::test(start_paused = true)]
async fn the_last_calls_share_of_the_budget_is_kept() {
    for calls in 1..12 {
        let trial = Trial {
            calls,
            ..coding(model(|_| "done".to_owned()))
        };
        let finished = trial.run("plansearch").await;
        assert_eq!(finished.text(), "done", "{calls} calls");
        assert!(
            finished.outcome().degraded.contains(&"budget".to_owned()) == (calls < 11),
            "{calls}: {:?}",
            finished.outcome().degraded
        );
    }
}
