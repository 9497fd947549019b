//! Strategies that ask several models.

use std::sync::atomic::Ordering;
use std::time::Duration;

use hone_strategies::chat::{Choice, Completion, Message};
use hone_strategies::contract::COMPARISON;
use hone_strategies::model::Purpose;
use hone_strategies::{ModelError, StrategyError};
use serde_json::json;

use crate::support::{Fake, Reply, Seen, Trial, plays, rejected, says};

/// The models that were asked for `purpose`, in the order of their calls.
fn asked(trial: &Trial, purpose: Purpose) -> Vec<String> {
    let of = |seen: Seen| (seen.call.purpose == purpose).then(|| seen.request.model().to_owned());
    trial.model.requests().into_iter().filter_map(of).collect()
}

#[tokio::test(start_paused = true)]
async fn moa_models_propose_in_turn_and_the_requests_model_aggregates() {
    let trial = Trial::new(Fake::new(plays)).with("moa_models", json!(["a", "b", "other/c"]));
    let finished = trial.run("moa").await;
    assert_eq!(asked(&trial, Purpose::Candidate), ["a", "b", "other/c"]);
    assert_eq!(asked(&trial, Purpose::Synthesis), ["m"]);
    assert_eq!(
        (finished.elapsed, finished.outcome().calls),
        (Duration::from_secs(2), 4)
    );
    assert_eq!(
        finished
            .outcome()
            .trace
            .calls
            .iter()
            .map(|call| call.model.as_str())
            .collect::<Vec<_>>(),
        ["a", "b", "other/c", "m"]
    );
    let more = Trial::new(Fake::new(plays))
        .with("moa_models", json!(["a", "b"]))
        .with("moa_proposers", 3);
    assert!(more.run("moa").await.result.is_ok());
    assert_eq!(asked(&more, Purpose::Candidate), ["a", "b", "a"]);
}

#[tokio::test(start_paused = true)]
async fn a_proposer_that_fails_is_missing_and_no_other_is_copied() {
    let script = |seen: &Seen| match seen.request.model() {
        "b" => Err(rejected(400, &json!({"message": "no"}))),
        _ => plays(seen),
    };
    let trial = Trial::new(Fake::new(script)).with("moa_models", json!(["a", "b", "c"]));
    let finished = trial.run("moa").await;
    assert_eq!(finished.outcome().degraded, ["failed_calls"]);
    let synthesis = trial
        .model
        .requests()
        .into_iter()
        .find(|seen| seen.call.purpose == Purpose::Synthesis)
        .unwrap();
    assert_eq!(
        hone_strategies::contract::candidates(&synthesis.text()).len(),
        2
    );
}

#[tokio::test(start_paused = true)]
async fn if_all_models_fail_the_last_error_is_relayed() {
    let trial = Trial::new(Fake::new(|_| {
        Err(rejected(404, &json!({"message": "no such model"})))
    }))
    .with("moa_models", json!(["a", "b"]));
    let error = trial.run("moa").await.result.unwrap_err();
    let StrategyError::Model(ModelError::Rejected(rejection)) = error else {
        panic!("{error}")
    };
    assert_eq!(rejection.status, 404);
    assert_eq!(trial.model.calls(), 2);
}

#[test]
fn a_plan_tells_every_model_that_it_may_ask_once() {
    let trial = Trial::new(Fake::new(plays)).with("moa_models", json!(["a", "b", "a"]));
    assert_eq!(trial.plan("bon&(moa|moa)").unwrap().models(), ["a", "b"]);
    assert_eq!(trial.plan("bon").unwrap().models(), [""; 0]);
}

#[test]
fn a_list_of_models_is_short_and_holds_names() {
    for wrong in [
        json!("a"),
        json!(["a", 1]),
        json!([""]),
        json!([" "]),
        json!(["x".repeat(257)]),
        json!(vec!["a"; 9]),
    ] {
        let error = Trial::new(Fake::new(plays))
            .with("moa_models", wrong.clone())
            .plan("moa")
            .unwrap_err();
        assert_eq!(error.param.as_deref(), Some("moa_models"), "{wrong}");
    }
}

/// Milliseconds by model.
fn paced(
    script: impl Fn(&Seen) -> Reply + Send + Sync + 'static,
    pace: impl Fn(&Seen) -> u64 + Send + Sync + 'static,
) -> Fake {
    Fake::new(script).with_latency(move |seen| Duration::from_millis(pace(seen)))
}

fn by_name(seen: &Seen) -> Reply {
    match seen.call.purpose {
        Purpose::Candidate | Purpose::Final => {
            says(seen, &format!("{} says so.", seen.request.model()))
        }
        Purpose::Judge => says(seen, "They differ on one point."),
        _ => says(seen, "Fused."),
    }
}

fn last(trial: &Trial) -> Seen {
    trial.model.requests().pop().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_fusions_last_call_sees_the_answers_and_the_comparison_and_has_the_clients_tools() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let trial = Trial::new(Fake::new(by_name))
        .with("fusion_models", json!(["a", "b"]))
        .with("tools", tools.clone());
    let finished = trial.run("fusion").await;
    assert_eq!(
        (finished.text().as_str(), finished.elapsed.as_secs()),
        ("Fused.", 3)
    );
    assert_eq!(
        (
            asked(&trial, Purpose::Candidate),
            asked(&trial, Purpose::Judge)
        ),
        (vec!["a".to_owned(), "b".to_owned()], vec!["m".to_owned()])
    );
    let judge = trial
        .model
        .requests()
        .into_iter()
        .find(|seen| seen.call.purpose == Purpose::Judge)
        .unwrap();
    assert!(judge.text().contains(COMPARISON) && judge.request.get("tools").is_none());
    let last = last(&trial);
    assert!(
        last.text().contains("They differ on one point.")
            && last.text().contains("a says so.")
            && last.text().contains("b says so.")
    );
    assert_eq!(last.request.get("tools"), Some(&tools));
}

#[tokio::test(start_paused = true)]
async fn once_a_quorum_has_answered_the_slow_get_their_grace_and_are_cancelled() {
    let pace = |seen: &Seen| match seen.request.model() {
        "b" => 2_000,
        "c" => 4_000,
        "slow" => 100_000,
        _ => 1_000,
    };
    let models = json!(["slow", "a", "b", "c"]);
    let trial = Trial::new(paced(by_name, pace))
        .with("fusion_models", models)
        .with("fusion_grace_ms", 3_000);
    let finished = trial.run("fusion").await;
    assert_eq!(
        (
            finished.elapsed.as_secs(),
            finished.outcome().degraded.as_slice()
        ),
        (2 + 3 + 2, ["stragglers".to_owned()].as_slice())
    );
    assert!(
        ["a", "b", "c"]
            .iter()
            .all(|model| last(&trial).text().contains(&format!("{model} says so."))),
        "c came within the grace"
    );
    assert_eq!(
        (
            trial.model.cancelled.load(Ordering::SeqCst),
            trial.model.open_calls()
        ),
        (1, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn a_member_that_fails_is_made_up_for_by_a_model_that_has_not() {
    for (broken, refilled) in [(vec!["b"], "m"), (vec!["b", "m"], "a")] {
        let script = move |seen: &Seen| match seen.request.model() {
            model if seen.call.purpose == Purpose::Candidate && broken.contains(&model) => {
                Err(rejected(400, &json!({"message": "no"})))
            }
            _ => by_name(seen),
        };
        let pace = |seen: &Seen| {
            if seen.call.purpose == Purpose::Candidate && seen.call.index == 2 {
                20_000
            } else {
                1_000
            }
        };
        let models = if refilled == "m" {
            json!(["a", "b", "c"])
        } else {
            json!(["a", "b", "m"])
        };
        let trial = Trial::new(paced(script, pace))
            .with("fusion_models", models)
            .with("fusion_quorum", 3);
        let finished = trial.run("fusion").await;
        assert_eq!(finished.outcome().degraded, ["failed_calls"]);
        let candidates = asked(&trial, Purpose::Candidate);
        assert!(
            candidates.iter().skip(3).any(|model| model == refilled),
            "{candidates:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_cut_off_is_made_up_for_too_and_nothing_is_before_something_answered() {
    let script = |seen: &Seen| match seen.request.model() {
        "b" => Ok(Completion {
            choices: vec![Choice::new(Message::assistant("half a"), "length")],
            ..Completion::default()
        }),
        _ => by_name(seen),
    };
    let trial = Trial::new(Fake::new(script))
        .with("fusion_models", json!(["b", "a", "c"]))
        .with("fusion_quorum", 3);
    assert_eq!(trial.run("fusion").await.text(), "Fused.");
    assert_eq!(asked(&trial, Purpose::Candidate), ["b", "a", "c", "m"]);
    assert!(!last(&trial).text().contains("half a"));
    let down = Trial::new(Fake::new(|_| Err(rejected(400, &json!({"message": "no"})))))
        .with("fusion_models", json!(["a", "b", "c"]));
    assert!(down.run("fusion").await.result.is_err());
    assert_eq!(down.model.calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_fusion_goes_on_without_a_comparison_and_stops_where_all_say_the_same() {
    let script = |seen: &Seen| match seen.call.purpose {
        Purpose::Judge => Err(rejected(400, &json!({"message": "no"}))),
        _ => by_name(seen),
    };
    let finished = Trial::new(Fake::new(script))
        .with("fusion_models", json!(["a", "b"]))
        .run("fusion")
        .await;
    assert_eq!(
        (
            finished.text().as_str(),
            finished.outcome().degraded.as_slice()
        ),
        (
            "Fused.",
            ["failed_calls", "judge"].map(str::to_owned).as_slice()
        )
    );
    let agreed = Trial::new(Fake::new(|seen| says(seen, "42")))
        .run("fusion")
        .await;
    assert_eq!((agreed.text().as_str(), agreed.outcome().calls), ("42", 3));
}

#[tokio::test(start_paused = true)]
async fn the_first_to_answer_wins_and_the_others_are_cancelled() {
    for stream in [false, true] {
        let pace = |seen: &Seen| {
            if seen.request.model() == "quick" {
                1_000
            } else {
                5_000
            }
        };
        let trial = Trial::new(paced(by_name, pace))
            .with("race_models", json!(["slow", "quick"]))
            .with("stream", stream);
        let finished = trial.run("race").await;
        assert_eq!(
            (
                finished.text().as_str(),
                finished.elapsed.as_secs(),
                finished.outcome().calls
            ),
            ("quick says so.", 1, 3)
        );
        assert_eq!(
            (
                trial.model.cancelled.load(Ordering::SeqCst),
                trial.model.open_calls()
            ),
            (2, 0)
        );
        assert_eq!(finished.outcome().degraded, [""; 0]);
        if stream {
            assert_eq!(finished.told(0).message.text(), "quick says so.");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_hedge_starts_only_if_nothing_has_begun_by_then_or_at_once_after_a_failure() {
    for stream in [false, true] {
        let race = |first: u64, is_broken: bool| {
            let script = move |seen: &Seen| match seen.number {
                0 if is_broken => Err(rejected(400, &json!({"message": "no"}))),
                _ => by_name(seen),
            };
            let pace = move |seen: &Seen| if seen.number == 0 { first } else { 1_000 };
            Trial::new(paced(script, pace))
                .with("hedge_after_ms", 2_000)
                .with("stream", stream)
        };
        for (trial, calls, seconds) in [
            (race(1_500, false), 1, 1),
            (race(9_000, false), 2, 3),
            (race(500, true), 2, 1),
        ] {
            let finished = trial.run("race").await;
            assert_eq!(
                (finished.outcome().calls, finished.elapsed.as_secs()),
                (calls, seconds),
                "stream: {stream}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_racer_that_fails_or_is_cut_off_does_not_win_unless_no_other_does() {
    let cut = |seen: &Seen| match seen.request.model() {
        "m" => Ok(Completion {
            choices: vec![Choice::new(Message::assistant("half a"), "length")],
            ..Completion::default()
        }),
        "down" => Err(rejected(400, &json!({"message": "no"}))),
        _ => by_name(seen),
    };
    let pace = |seen: &Seen| {
        if seen.request.model() == "good" {
            3_000
        } else {
            1_000
        }
    };
    let good = Trial::new(paced(cut, pace))
        .with("race_models", json!(["down", "good"]))
        .run("race")
        .await;
    assert_eq!(
        (
            good.text().as_str(),
            good.elapsed.as_secs(),
            good.outcome().degraded.as_slice()
        ),
        ("good says so.", 3, ["failed_calls".to_owned()].as_slice())
    );
    let spare = Trial::new(paced(cut, pace))
        .with("race_models", json!(["down"]))
        .run("race")
        .await;
    assert_eq!(spare.text(), "half a");
}

#[tokio::test(start_paused = true)]
async fn a_winner_that_breaks_off_is_an_error_and_never_goes_on_in_anothers_words() {
    let trial = Trial::new(Fake::new(by_name).breaking_after(2)).with("stream", true);
    let finished = trial.run("race").await;
    assert!(matches!(
        finished.result,
        Err(StrategyError::Interrupted(_))
    ));
    let silent = Trial::new(Fake::new(by_name).breaking_after(0))
        .with("stream", true)
        .run("race")
        .await;
    assert!(
        matches!(silent.result, Err(StrategyError::Model(_))),
        "before its first token a stream that breaks has only lost"
    );
}

#[tokio::test(start_paused = true)]
async fn racers_are_asked_the_very_same() {
    let trial = Trial::new(Fake::new(by_name))
        .with("seed", 7)
        .with("temperature", 0.2);
    assert!(trial.run("race").await.result.is_ok());
    let [first, second] = trial.model.requests().try_into().unwrap();
    assert_eq!(first.request, second.request);
}
