//! `mars`: what is verified and how often, what is improved, when it stops, and what the client
//! gets.

mod verifying;

use hone_strategies::contract::{CORRECTION, candidates};
use hone_strategies::model::Purpose;
use serde_json::{Value, json};

use crate::support::{Fake, Reply, Seen, Trial, plays, rejected, reply};

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Explore,
    Describe,
    Verify,
    Improve,
    /// Recombining, rewriting, concluding.
    Make,
}

fn step(seen: &Seen) -> Step {
    match seen.call.purpose {
        Purpose::Candidate => Step::Explore,
        Purpose::Plan => Step::Describe,
        Purpose::Judge => Step::Verify,
        _ if seen.text().contains(CORRECTION) => Step::Improve,
        _ => Step::Make,
    }
}

fn of(trial: &Trial, wanted: Step) -> Vec<Seen> {
    trial
        .model
        .requests()
        .into_iter()
        .filter(|seen| step(seen) == wanted)
        .collect()
}

/// What a verifier is shown.
fn shown(seen: &Seen) -> String {
    candidates(&seen.text())
        .first()
        .map(|(_, text)| (*text).to_owned())
        .unwrap_or_default()
}

/// A trial with these settings.
fn trial(script: impl Fn(&Seen) -> Reply + Send + Sync + 'static, config: Value) -> Trial {
    Trial::new(Fake::new(script)).with("mars_config", config)
}

/// Settings under which agents only answer, are verified and improve.
fn alone(more: &Value) -> Value {
    let mut config = json!({"enable_aggregation": false, "enable_strategy_network": false});
    for (name, value) in more.as_object().unwrap() {
        config[name] = value.clone();
    }
    config
}

/// Verifies what contains 42.
fn knows_42(seen: &Seen) -> Reply {
    let verdict = if shown(seen).contains("42") {
        "No incorrect step.\nVERDICT: CORRECT"
    } else {
        "The sum is off.\nVERDICT: INCORRECT"
    };
    reply(verdict, "stop")
}

#[tokio::test(start_paused = true)]
async fn an_agent_learns_the_strategies_of_others_and_not_its_own() {
    let script = |seen: &Seen| match step(seen) {
        Step::Describe => reply(&format!("Way of agent {}.", seen.call.index), "stop"),
        _ => plays(seen),
    };
    let own = |describes: bool| {
        json!({"enable_aggregation": false,
        "strategy_extraction_enabled": describes})
    };
    let told = trial(script, own(true));
    assert!(told.run("mars").await.result.is_ok());
    let rewritten = of(&told, Step::Make);
    assert_eq!(rewritten.len(), 3);
    for seen in rewritten {
        let mut known =
            (0..3).filter(|agent| seen.text().contains(&format!("Way of agent {agent}.")));
        assert!(
            known.all(|agent| agent != seen.call.index)
                && seen.text().matches("Way of agent").count() == 2
        );
    }
    let whole = trial(script, own(false));
    assert!(whole.run("mars").await.result.is_ok());
    assert_eq!(of(&whole, Step::Describe).len(), 0);
    assert!(
        of(&whole, Step::Make)
            .iter()
            .all(|seen| seen.text().matches("Candidate").count() == 3),
        "its own and two others'"
    );
}

#[tokio::test(start_paused = true)]
async fn strategies_that_are_only_described_help_to_improve() {
    let script = |seen: &Seen| match step(seen) {
        Step::Describe => reply("Count by tens.", "stop"),
        Step::Verify => knows_42(seen),
        Step::Improve => reply("It is 42.", "stop"),
        _ => plays(seen),
    };
    let trial = trial(
        script,
        json!({"enable_aggregation": false, "cross_agent_enhancement": false}),
    );
    assert!(trial.run("mars").await.text().contains("42"));
    assert_eq!(of(&trial, Step::Make).len(), 0);
    assert!(
        of(&trial, Step::Improve)
            .iter()
            .all(|seen| seen.text().contains("Count by tens."))
    );
}

#[tokio::test(start_paused = true)]
async fn an_essay_comes_back_unmodified_and_an_answer_stands_apart() {
    let essay =
        "Rain falls for a while. Therefore I return to \\boxed{Rome}.\n\n### Thus\nIt ends.";
    let script = move |seen: &Seen| {
        if step(seen) == Step::Verify {
            plays(seen)
        } else {
            reply(essay, "stop")
        }
    };
    let asked = |question: &str| {
        Trial::new(Fake::new(script))
            .with("messages", json!([{"role": "user", "content": question}]))
    };
    for stream in [false, true] {
        assert_eq!(
            asked("Write an essay about Rome.")
                .with("stream", stream)
                .run("mars")
                .await
                .text(),
            essay
        );
    }
    let script = |seen: &Seen| {
        if step(seen) == Step::Verify {
            plays(seen)
        } else {
            reply("Six sevens: the answer is **42**.", "stop")
        }
    };
    let finished = Trial::new(Fake::new(script)).run("mars").await;
    assert_eq!(
        finished.text(),
        "<think>\nSix sevens: the answer is **42**.\n</think>\n\n42"
    );
    let json = Trial::new(Fake::new(script))
        .with("response_format", json!({"type": "json_object"}))
        .run("mars")
        .await;
    assert_eq!(json.text(), "Six sevens: the answer is **42**.");
    let trial = trial(script, json!({"use_thinking_tags": false}));
    let choice = &trial.run("mars").await.outcome().choices[0].message.clone();
    assert_eq!(
        (
            choice.text().as_ref(),
            choice.get("reasoning_content").is_some()
        ),
        ("42", true)
    );
}

#[tokio::test(start_paused = true)]
async fn a_clients_small_limit_changes_no_setting() {
    let trial = Trial::new(Fake::new(plays))
        .with("max_tokens", 60)
        .with("mars_config", json!({"max_tokens": 900}));
    assert_eq!(trial.run("mars").await.outcome().calls, 45);
    let limit = |seen: &Seen| seen.request.get("max_tokens").cloned();
    assert!(
        of(&trial, Step::Explore)
            .iter()
            .chain(&of(&trial, Step::Make))
            .all(|seen| limit(seen) == Some(json!(60)))
    );
    assert!(
        of(&trial, Step::Verify)
            .iter()
            .all(|seen| limit(seen) == Some(json!(900)))
    );
    let free = Trial::new(Fake::new(plays));
    assert!(free.run("mars").await.result.is_ok());
    assert!(
        of(&free, Step::Explore)
            .iter()
            .all(|seen| seen.request.token_limit().is_none()),
        "no limit but the client's own"
    );
}

#[tokio::test(start_paused = true)]
async fn effort_is_asked_for_unless_the_client_did_or_the_upstream_refuses() {
    let efforts = |trial: &Trial, step| -> Vec<Value> {
        of(trial, step)
            .iter()
            .map(|seen| {
                seen.request
                    .get("reasoning_effort")
                    .cloned()
                    .unwrap_or_default()
            })
            .collect()
    };
    let trial = Trial::new(Fake::new(plays));
    assert!(trial.run("mars").await.result.is_ok());
    assert_eq!(efforts(&trial, Step::Explore), ["low", "medium", "high"]);
    assert!(
        efforts(&trial, Step::Verify)
            .iter()
            .all(|effort| effort == "low")
    );
    let temperatures: Vec<Value> = of(&trial, Step::Explore)
        .iter()
        .filter_map(|seen| seen.request.get("temperature").cloned())
        .collect();
    assert_eq!(temperatures, [0.3, 0.6, 1.0]);

    let own = Trial::new(Fake::new(plays)).with("reasoning_effort", "minimal");
    assert!(own.run("mars").await.result.is_ok());
    assert!(
        own.model
            .requests()
            .iter()
            .all(|seen| seen.request.get("reasoning_effort") == Some(&json!("minimal")))
    );

    let refuses = |seen: &Seen| match seen.request.get("reasoning_effort") {
        Some(_) => Err(rejected(
            400,
            &json!({"message": "Unrecognized request argument supplied: reasoning_effort"}),
        )),
        None => plays(seen),
    };
    let finished = Trial::new(Fake::new(refuses)).run("mars").await;
    assert_eq!(
        (finished.outcome().calls, finished.outcome().degraded.len()),
        (45 + 3, 0)
    );
}

#[tokio::test(start_paused = true)]
async fn verifiers_of_one_text_are_asked_with_different_seeds() {
    let trial = Trial::new(Fake::new(plays)).with("seed", 5);
    assert!(trial.run("mars").await.result.is_ok());
    let mut seeds: Vec<i64> = of(&trial, Step::Verify)
        .iter()
        .filter_map(|seen| seen.request.get("seed")?.as_i64())
        .collect();
    seeds.sort_unstable();
    seeds.dedup();
    assert_eq!(seeds.len(), 18);
}

#[test]
fn a_mistake_in_the_settings_is_named_before_anything_is_spent() {
    let error = Trial::new(Fake::new(plays))
        .with("mars_config", json!({"num_agents": "3"}))
        .plan("mars")
        .unwrap_err();
    assert_eq!(
        error.message,
        "`mars_config.num_agents` must be an integer from 1 to 10."
    );
    let demand = Trial::new(Fake::new(plays));
    assert!(
        demand
            .plan("mars")
            .unwrap()
            .check(&demand.request())
            .unwrap()
            .max_calls
            <= 256,
        "the defaults are within every bound"
    );
}
