//! How the best answer is found.

use std::time::Duration;

use hone_strategies::contract::SCORE;
use hone_strategies::model::Purpose;
use serde_json::json;

use super::{Step, answering, of, step};
use crate::support::{Fake, Seen, Trial, plays};

fn prefers_42(seen: &Seen, shown: &[String]) -> String {
    let best = shown.iter().position(|text| text.contains("42"));
    if seen.text().contains(SCORE) {
        return format!("Score: {}", if best.is_some() { 9 } else { 2 });
    }
    format!("Best candidate: {}", best.unwrap_or(0) + 1)
}

#[tokio::test(start_paused = true)]
async fn each_answer_is_rated_once_and_the_best_wins_wherever_it_stands() {
    for right in 0..3 {
        let mut answers = ["It is 41.", "It is 43.", "It is 44."];
        answers[right] = "It is 42.";
        let answers: &'static [&'static str] = Box::leak(Box::new(answers));
        for (rating, verdicts) in [("absolute", 3), ("pairwise", 6)] {
            let trial =
                Trial::new(answering(answers, prefers_42)).with("cepo_bestofn_rating_type", rating);
            let finished = trial.run("cepo").await;
            assert_eq!(
                (finished.text().as_str(), of(&trial, Step::Judge).len()),
                ("It is 42.", verdicts),
                "{rating}"
            );
            assert_eq!(finished.outcome().degraded.len(), 0);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn another_model_may_rate_and_only_rate() {
    for name in [json!("critic"), json!(["critic"])] {
        let trial = Trial::new(Fake::new(plays)).with("cepo_rating_model", name);
        assert_eq!(trial.plan("cepo").unwrap().models(), ["critic"]);
        assert!(trial.run("cepo").await.result.is_ok());
        for seen in trial.model.requests() {
            assert_eq!(
                seen.request.model(),
                if step(&seen) == Step::Judge {
                    "critic"
                } else {
                    "m"
                }
            );
        }
        let voting = trial.with("cepo_bestofn_rating_type", "majority");
        assert!(
            voting.plan("cepo").unwrap().models().is_empty(),
            "a vote asks nobody"
        );
    }
    for wrong in [json!(1), json!(""), json!(["a", "b"]), json!({"a": 1})] {
        let error = Trial::new(Fake::new(plays))
            .with("cepo_rating_model", wrong)
            .plan("cepo")
            .unwrap_err();
        assert_eq!(
            error.message,
            "`cepo_rating_model` must be the name of a model."
        );
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_agree_are_not_rated() {
    for rating in ["absolute", "pairwise", "majority"] {
        let model = answering(
            &[
                "The answer is 42.",
                "Six sevens.\n\\boxed{42}",
                "Answer: 42.0",
            ],
            |_, _| "Score: 1".to_owned(),
        );
        let trial = Trial::new(model).with("cepo_bestofn_rating_type", rating);
        let finished = trial.run("cepo").await;
        assert_eq!(
            (of(&trial, Step::Judge).len(), finished.text().as_str()),
            (0, "The answer is 42."),
            "{rating}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_judge_that_likes_the_first_place_or_says_nothing_decides_nothing() {
    let answers = &["The answer is 41.", "Answer: 42", "The answer is 42."];
    let likes_first = answering(answers, |_, _| "Best candidate: 1".to_owned());
    let finished = Trial::new(likes_first)
        .with("cepo_bestofn_rating_type", "pairwise")
        .run("cepo")
        .await;
    assert_eq!(
        finished.text(),
        "Answer: 42",
        "as many preferences for each, so the common answer wins"
    );
    for rating in ["absolute", "pairwise"] {
        for nothing in [
            "I would rather not say.",
            "Best candidate: 3",
            "Score: 0 to 10",
        ] {
            let mute = Trial::new(answering(answers, move |_, _| nothing.to_owned()));
            let finished = mute
                .with("cepo_bestofn_rating_type", rating)
                .run("cepo")
                .await;
            assert_eq!(
                (
                    finished.text().as_str(),
                    finished.outcome().degraded.clone()
                ),
                ("Answer: 42", vec!["judge".to_owned()]),
                "{nothing}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ratings_begin_when_two_answers_differ_and_not_when_the_last_is_there() {
    let model = answering(&["It is 41.", "It is 42.", "It is 43."], |_, _| {
        "Score: 5".to_owned()
    });
    let model = model.with_latency(|seen| {
        Duration::from_secs(if step(seen) == Step::Answer && seen.call.index == 2 {
            10
        } else {
            1
        })
    });
    let trial = Trial::new(model);
    let finished = trial.run("cepo").await;
    let judged: Vec<u64> = finished
        .outcome()
        .trace
        .calls
        .iter()
        .filter(|call| call.purpose == Purpose::Judge)
        .map(|call| call.started.as_secs())
        .collect();
    assert_eq!((judged, finished.elapsed.as_secs()), (vec![4, 4, 13], 14));
}

#[tokio::test(start_paused = true)]
async fn a_decided_vote_cancels_the_pipelines_that_cannot_change_it() {
    let model = answering(&["Answer: 42", "The answer is 42.", "Answer: 7"], |_, _| {
        String::new()
    });
    let model = model.with_latency(|seen| {
        Duration::from_secs(if step(seen) == Step::Answer && seen.call.index == 2 {
            10
        } else {
            1
        })
    });
    let trial = Trial::new(model).with("cepo_bestofn_rating_type", "majority");
    let finished = trial.run("cepo").await;
    assert_eq!(
        (finished.text().as_str(), finished.elapsed.as_secs()),
        ("Answer: 42", 4)
    );
    assert_eq!(trial.model.open_calls(), 0);
}
