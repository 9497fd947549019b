//! Temperature, ceiling and reasoning effort of each step.

use hone_strategies::{ModelError, StrategyError};
use serde_json::{Value, json};

use super::{Step, of, step};
use crate::support::{Fake, Seen, Trial, plays, rejected, reply};

#[tokio::test(start_paused = true)]
async fn every_step_has_its_own_temperature_and_ceiling() {
    let mut trial = Trial::new(Fake::new(plays))
        .with("cepo_bestofn_temperature", 0.9)
        .with("cepo_bestofn_max_tokens", 900);
    for (step, value) in [("step1", 1), ("step2", 2), ("step3", 3), ("step4", 4)] {
        let tenths = f64::from(value) / 10.0;
        trial = trial.with(&format!("cepo_planning_temperature_{step}"), tenths);
        trial = trial.with(&format!("cepo_planning_max_tokens_{step}"), value * 100);
    }
    assert!(trial.run("cepo").await.result.is_ok());
    let wanted = [
        (Step::Plan, 1),
        (Step::Execute, 2),
        (Step::Refine, 3),
        (Step::Answer, 4),
        (Step::Judge, 9),
    ];
    for (step, value) in wanted {
        let asked = of(&trial, step);
        assert!(!asked.is_empty());
        for seen in asked {
            let asked = (
                seen.request.get("temperature").unwrap().as_f64(),
                seen.request.get("max_completion_tokens").cloned(),
            );
            assert_eq!(
                asked,
                (Some(f64::from(value) / 10.0), Some(json!(value * 100))),
                "{step:?}"
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn the_clients_own_limit_holds_for_the_answer_and_only_for_it() {
    let trial = Trial::new(Fake::new(plays))
        .with("max_tokens", 50)
        .with("temperature", 1.3);
    assert!(trial.run("cepo").await.result.is_ok());
    let limits = |step| {
        of(&trial, step)
            .iter()
            .map(|seen| seen.request.get("max_tokens").cloned())
            .collect::<Vec<_>>()
    };
    assert!(
        limits(Step::Answer)
            .iter()
            .all(|limit| *limit == Some(json!(50)))
    );
    assert!(
        limits(Step::Plan)
            .iter()
            .all(|limit| *limit == Some(json!(4096)))
    );
    assert!(
        trial
            .model
            .requests()
            .iter()
            .all(|seen| seen.request.get("max_completion_tokens").is_none())
    );
}

#[tokio::test(start_paused = true)]
async fn reasoning_effort_is_sent_only_if_configured_and_supported() {
    let efforts = |trial: &Trial| {
        trial
            .model
            .requests()
            .iter()
            .map(|seen| seen.request.get("reasoning_effort").cloned())
            .collect::<Vec<_>>()
    };
    let trial = Trial::new(Fake::new(plays));
    assert!(trial.run("cepo").await.result.is_ok());
    assert!(
        efforts(&trial).iter().all(Option::is_none),
        "not configured"
    );
    let trial = Trial::new(Fake::new(plays)).with("cepo_reasoning_effort", "high");
    assert!(trial.run("cepo").await.result.is_ok());
    assert!(
        efforts(&trial)
            .iter()
            .all(|effort| *effort == Some(json!("high"))),
        "configured"
    );

    let refuses = |seen: &Seen| match seen.request.get("reasoning_effort") {
        Some(_) => Err(rejected(
            400,
            &json!({"message": "unknown field", "param": "reasoning_effort"}),
        )),
        None => plays(seen),
    };
    for fallback in [false, true] {
        let trial = Trial::new(Fake::new(refuses))
            .with("cepo_reasoning_effort", "high")
            .with("cepo_use_reasoning_fallback", fallback);
        let finished = trial.run("cepo").await;
        assert_eq!(
            (
                finished.outcome().degraded.len(),
                finished.outcome().choices.len()
            ),
            (0, 1),
            "supported by no one"
        );
        assert_eq!(
            trial.model.calls(),
            9 + 27,
            "only the first wave asks in vain"
        );
    }
    let cut_off = move |seen: &Seen| match step(seen) {
        Step::Refine if seen.request.get("reasoning_effort").is_none() => reply("", "length"),
        _ => refuses(seen),
    };
    let trial = Trial::new(Fake::new(cut_off))
        .with("cepo_bestofn_n", 1)
        .with("cepo_use_reasoning_fallback", true);
    let trial = trial.with("cepo_reasoning_effort", "high");
    assert!(trial.run("cepo").await.result.is_ok());
    assert_eq!(
        of(&trial, Step::Refine).len(),
        1,
        "less of what is refused changes nothing"
    );
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_thinks_itself_out_of_room_is_asked_for_with_less_effort() {
    let script = |seen: &Seen| match (
        step(seen),
        seen.request.get("reasoning_effort").and_then(Value::as_str),
    ) {
        (Step::Refine, Some("high")) => reply("", "length"),
        (Step::Refine, Some("medium")) => Err(rejected(400, &json!({"message": "too long"}))),
        _ => plays(seen),
    };
    let trial = Trial::new(Fake::new(script))
        .with("cepo_bestofn_n", 1)
        .with("cepo_reasoning_effort", "high");
    let finished = trial.with("cepo_use_reasoning_fallback", true);
    let outcome = finished.run("cepo").await;
    assert_eq!(
        (outcome.outcome().degraded.len(), outcome.outcome().calls),
        (0, 8 + 2)
    );
    let asked: Vec<Value> = of(&finished, Step::Refine)
        .iter()
        .filter_map(|seen| seen.request.get("reasoning_effort").cloned())
        .collect();
    assert_eq!(asked, ["high", "medium", "low"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_call_is_made_again_as_often_as_configured() {
    for (retries, survives) in [(0, false), (1, false), (2, true)] {
        let script = |seen: &Seen| match seen.number {
            0 | 1 => Err(rejected(400, &json!({"message": "try again"}))),
            _ => plays(seen),
        };
        let trial = Trial::new(Fake::new(script))
            .with("cepo_bestofn_n", 1)
            .with("cepo_planning_n", 1)
            .with("cepo_planning_m", 1);
        let result = trial
            .with("cepo_num_of_retries", retries)
            .run("cepo")
            .await
            .result;
        assert_eq!(result.is_ok(), survives, "{retries}");
        if let Err(error) = result {
            assert!(matches!(
                error,
                StrategyError::Model(ModelError::Rejected(_))
            ));
        }
    }
}
