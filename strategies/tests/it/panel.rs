//! Strategies that ask several models.

use std::time::Duration;

use hone_strategies::model::Purpose;
use hone_strategies::{ModelError, StrategyError};
use serde_json::json;

use crate::support::{Fake, Seen, Trial, plays, rejected};

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
    assert_eq!((finished.elapsed, finished.outcome().calls), (Duration::from_secs(2), 4));
    assert_eq!(finished.outcome().trace.calls.iter().map(|call| call.model.as_str()).collect::<Vec<_>>(), ["a", "b", "other/c", "m"]);
    let more = Trial::new(Fake::new(plays)).with("moa_models", json!(["a", "b"])).with("moa_proposers", 3);
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
    let synthesis = trial.model.requests().into_iter().find(|seen| seen.call.purpose == Purpose::Synthesis).unwrap();
    assert_eq!(hone_strategies::contract::candidates(&synthesis.text()).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn if_all_models_fail_the_last_error_is_relayed() {
    let trial = Trial::new(Fake::new(|_| Err(rejected(404, &json!({"message": "no such model"}))))).with("moa_models", json!(["a", "b"]));
    let error = trial.run("moa").await.result.unwrap_err();
    assert!(matches!(error, StrategyError::Model(ModelError::Rejected(rejection)) if rejection.status == 404));
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
    for wrong in [json!("a"), json!(["a", 1]), json!([""]), json!([" "]), json!(["x".repeat(257)]), json!(vec!["a"; 9])] {
        let error = Trial::new(Fake::new(plays)).with("moa_models", wrong.clone()).plan("moa").unwrap_err();
        assert_eq!(error.param.as_deref(), Some("moa_models"), "{wrong}");
    }
}
