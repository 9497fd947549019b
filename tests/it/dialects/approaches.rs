//! Every approach, for clients of each dialect, at upstreams of each.

use hone_strategies::catalogue::STRATEGIES;

use super::speak::{ALL, Speaks};
use crate::support::parts::Knobs;
use crate::support::{Hone, hone, solver, upstream};

const MODEL: &str = "sim-small";
/// They find out in mid-stream that a provider does not continue what they begin.
const CONTINUING: [&str; 2] = ["cot_decoding", "entropy_decoding"];

/// Asks by `approach`. Gives the code of the error, if it is one.
async fn ask(hone: &Hone, client: Speaks, approach: &str, streams: bool) -> Option<String> {
    let asks = hone.client("k").header("x-hone-approach", approach);
    let body = client.body(MODEL, "What is 3 + 4?", streams).to_string();
    let answer = asks.post(&client.path(MODEL, streams), body).await;
    if answer.status != 200 {
        return Some(answer.header("x-hone-error").to_owned());
    }
    answer.assert_header("x-hone-approach", approach);
    if streams && !client.is_whole(&answer) {
        return Some(format!("{answer}"));
    }
    client.told(&answer, streams);
    None
}

/// What is refused at an upstream of `speaks`, whoever asks.
async fn check(speaks: Speaks, expected: &[&str]) {
    let sim = upstream().await;
    sim.set(Knobs {
        answer_tokens: 4,
        ..Knobs::default()
    });
    let setup = hone().upstream_with(&sim, |upstream| speaks.upstream(&sim, upstream));
    let hone = setup.start();
    let mut refused = Vec::new();
    for (index, entry) in STRATEGIES.iter().enumerate() {
        let approach = entry.slug;
        if approach == "z3" && solver("z3 in all dialects").is_none() {
            continue;
        }
        for client in ALL {
            let streams =
                (index + client as usize).is_multiple_of(2) && !CONTINUING.contains(&approach);
            if let Some(code) = ask(&hone, client, approach, streams).await {
                refused.push(format!("{approach}: {code}"));
            }
        }
    }
    refused.dedup();
    assert_eq!(refused, expected);
}

#[tokio::test]
async fn every_approach_answers_all_clients_at_chat_upstreams() {
    let refused = CONTINUING.map(|approach| format!("{approach}: capability_missing"));
    check(Speaks::Chat, &refused.each_ref().map(String::as_str)).await;
}

/// The simulated provider tells log probabilities to chat clients only.
const BLIND: [&str; 4] = [
    "deepconf: capability_missing",
    "self_certainty: capability_missing",
    "cot_decoding: capability_missing",
    "entropy_decoding: capability_missing",
];

#[tokio::test]
async fn every_approach_answers_all_clients_at_responses_upstreams() {
    check(Speaks::Responses, &BLIND).await;
}

#[tokio::test]
async fn every_approach_answers_all_clients_at_anthropic_upstreams() {
    check(Speaks::Anthropic, &BLIND).await;
}

#[tokio::test]
async fn every_approach_answers_all_clients_at_gemini_upstreams() {
    check(Speaks::Gemini, &BLIND).await;
}
