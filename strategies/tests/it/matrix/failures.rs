//! What fails, ends too early, or is left.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hone_strategies::model::{Fact, Model, Purpose};
use hone_strategies::{ModelError, STRATEGIES, StrategyError};
use serde_json::json;

use crate::support::{Fake, Seen, Trial, plays, rejected, says};
use crate::table::table;

#[tokio::test(start_paused = true)]
async fn one_failing_candidate_is_survived_and_told() {
    for entry in STRATEGIES {
        let script = |seen: &Seen| match (seen.call.purpose, seen.call.index) {
            (Purpose::Candidate, 1) => Err(rejected(400, &json!({"message": "filtered"}))),
            _ => plays(seen),
        };
        let trial = Trial::new(Fake::new(script));
        trial.model.learn("m", Fact::HonoursN, false);
        let finished = trial.run(entry.slug).await;
        let has_failed = trial
            .model
            .requests()
            .iter()
            .any(|seen| seen.call.purpose == Purpose::Candidate && seen.call.index == 1);
        assert_eq!(
            finished.outcome().degraded.len(),
            // Whoever plays here does not think, which is told, too.
            usize::from(has_failed) + usize::from(entry.slug == "shortest"),
            "{}: {:?}",
            entry.slug,
            finished.outcome().degraded
        );
    }
}

#[tokio::test(start_paused = true)]
async fn one_choice_at_a_time_is_enough_in_whatever_words_more_are_refused() {
    for (status, message) in [
        (400, "Only one completion choice is allowed"),
        (500, "Only one completion choice is allowed"),
        (422, "Request contains an invalid argument."),
    ] {
        let script = move |seen: &Seen| match seen.request.n() {
            1 => plays(seen),
            _ => Err(rejected(status, &json!({"message": message}))),
        };
        for slug in ["bon", "moa", "usc", "pdr"] {
            let trial = Trial::new(Fake::new(script));
            let finished = trial.run(slug).await;
            let degraded = &finished.outcome().degraded;
            assert!(degraded.is_empty(), "{slug}: {degraded:?}");
            assert_eq!(trial.model.knows("m", Fact::HonoursN), Some(false));
            let refused = trial.model.requests();
            let refused = refused.iter().filter(|seen| seen.request.n() > 1).count();
            assert_eq!(refused, 1, "{slug} {status}: known from then on");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_with_one_choice_too_is_not_asked_for_again() {
    let script = |_: &Seen| Err(rejected(400, &json!({"message": "no such image"})));
    let trial = Trial::new(Fake::new(script));
    assert!(trial.run("bon").await.result.is_err());
    assert_eq!(trial.model.calls(), 2);
    assert_eq!(trial.model.knows("m", Fact::HonoursN), None);
}

#[tokio::test(start_paused = true)]
async fn a_failing_first_wave_is_relayed_as_it_is_and_nothing_more_is_asked() {
    for entry in STRATEGIES {
        let trial = Trial::new(Fake::new(|_| {
            Err(rejected(
                401,
                &json!({"message": "bad key", "code": "invalid_api_key"}),
            ))
        }));
        trial.model.learn("m", Fact::HonoursN, false);
        let error = trial.run(entry.slug).await.result.unwrap_err();
        let StrategyError::Model(ModelError::Rejected(rejection)) = error else {
            panic!("{}: {error}", entry.slug)
        };
        assert_eq!(
            (rejection.status, rejection.code.as_deref()),
            (401, Some("invalid_api_key")),
            "{}",
            entry.slug
        );
        let demand = trial.plan(entry.slug).unwrap().demand(&trial.request());
        assert!(
            trial.model.calls() <= demand.first_wave_choices as usize,
            "{}",
            entry.slug
        );
    }
}

#[tokio::test(start_paused = true)]
async fn everything_failing_after_the_candidates_still_answers() {
    for (approach, _, calls, _) in table().into_iter().filter(|(.., depth)| *depth > 1) {
        let script = |seen: &Seen| match seen.call.purpose {
            Purpose::Candidate => plays(seen),
            _ => Err(rejected(500, &json!({"message": "down"}))),
        };
        let trial = Trial::new(Fake::new(script));
        let finished = trial.run(approach).await;
        let outcome = match finished.result {
            Ok(outcome) => outcome,
            // Without candidates there is nothing to answer with.
            Err(error) if !trial.model.asked_for(&[Purpose::Candidate]) => {
                assert!(
                    matches!(error, StrategyError::Model(ModelError::Rejected(_))),
                    "{approach}"
                );
                continue;
            }
            Err(error) => panic!("{approach} ({calls} calls): {error}"),
        };
        assert!(
            outcome
                .choices
                .iter()
                .all(|choice| choice.message.text().starts_with("Candidate")),
            "{approach}"
        );
        let has_failed = trial
            .model
            .requests()
            .iter()
            .any(|seen| seen.call.purpose != Purpose::Candidate);
        assert_eq!(!outcome.degraded.is_empty(), has_failed, "{approach}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_refuses_later_calls_degrades_the_answer() {
    for approach in ["bon", "genselect", "moa", "bon&moa", "moa&bon"] {
        let script = |seen: &Seen| match seen.number {
            0 => plays(seen),
            _ => Err(ModelError::Limited {
                reason: "tokens_per_minute".to_owned(),
            }),
        };
        let finished = Trial::new(Fake::new(script)).run(approach).await;
        let outcome = finished.outcome();
        assert!(
            outcome.degraded.contains(&"limit".to_owned()),
            "{approach}: {:?}",
            outcome.degraded
        );
        assert_eq!(outcome.calls, 1, "{approach}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_budget_that_ends_early_gives_the_answer_that_there_is() {
    for entry in STRATEGIES {
        let trial = Trial {
            calls: 1,
            ..Trial::new(Fake::new(plays))
        };
        let finished = trial.run(entry.slug).await;
        let wants_more = trial
            .plan(entry.slug)
            .unwrap()
            .demand(&trial.request())
            .calls
            > 1;
        let is_degraded = finished.outcome().degraded.contains(&"budget".to_owned());
        assert_eq!(
            is_degraded,
            wants_more,
            "{}: {:?}",
            entry.slug,
            finished.outcome().degraded
        );
        assert_eq!(trial.model.calls(), 1, "{}", entry.slug);
    }
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_best_answer_so_far_is_given() {
    for entry in STRATEGIES {
        let trial = Trial {
            deadline: Duration::from_millis(1500),
            ..Trial::new(Fake::new(plays))
        };
        let finished = trial.run(entry.slug).await;
        assert!(
            finished.elapsed <= Duration::from_millis(1500),
            "{}",
            entry.slug
        );
        // What only planned until then has nothing to answer with.
        if !trial
            .model
            .asked_for(&[Purpose::Candidate, Purpose::Final, Purpose::Synthesis])
        {
            assert!(
                matches!(finished.result, Err(StrategyError::Deadline)),
                "{}",
                entry.slug
            );
            continue;
        }
        let deeper = trial
            .plan(entry.slug)
            .unwrap()
            .demand(&trial.request())
            .depth
            > 1;
        assert_eq!(
            finished.outcome().degraded.contains(&"deadline".to_owned()),
            deeper,
            "{}",
            entry.slug
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_cancels_what_is_under_way() {
    for entry in STRATEGIES {
        for after in [500, 1500] {
            let trial = Trial::new(Fake::new(plays));
            let ran =
                tokio::time::timeout(Duration::from_millis(after), trial.run(entry.slug)).await;
            assert_eq!(trial.model.open_calls(), 0, "{}", entry.slug);
            assert!(
                ran.is_ok() || trial.model.cancelled.load(Ordering::SeqCst) > 0,
                "{}",
                entry.slug
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_plain_run_of_a_wordless_model_is_an_answer_too() {
    let finished = Trial::new(Fake::new(|seen| says(seen, "")))
        .run("bon")
        .await;
    assert_eq!(finished.text(), "");
}
