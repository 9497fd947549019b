//! What a refusal teaches: the same request is said otherwise, once, and from then on.

use serde_json::{Value, json};

use super::speak::Speaks;
use crate::support::head::answer;
use crate::support::parts::{Knobs, SimHandle};
use crate::support::raw::RawUpstream;
use crate::support::setup::Setup;
use crate::support::sim::{bodies, calls, rejects};
use crate::support::{hone, upstream};

const MODEL: &str = "sim-small";

async fn before(dialect: Speaks, knobs: Knobs) -> (SimHandle, Setup) {
    let sim = upstream().await;
    sim.set(knobs);
    let setup = hone().upstream_with(&sim, |upstream| dialect.upstream(&sim, upstream));
    (sim, setup)
}

fn sent(sim: &SimHandle) -> Vec<Value> {
    let read = |body: String| serde_json::from_str(&body).expect("JSON");
    bodies(sim).into_iter().map(read).collect()
}

/// A chat request with `fields`.
fn chat(fields: &Value) -> Value {
    let mut body = Speaks::Chat.body(MODEL, "Hi", false);
    let fields = fields.as_object().expect("fields").clone();
    body.as_object_mut().expect("an object").extend(fields);
    body
}

#[tokio::test]
async fn a_model_that_refuses_sampling_is_asked_without_it_and_the_client_is_told() {
    let (sim, setup) = before(Speaks::Anthropic, rejects("temperature")).await;
    let hone = setup.start();
    let body = chat(&json!({"temperature": 0.5, "top_p": 0.9}));
    for calls_by_then in [2, 3] {
        let answer = hone.client("k").chat(&body).await;
        answer.assert_ok();
        let told = answer.header("x-hone-degraded");
        assert!(told.contains("temperature"), "{told}");
        assert_eq!(calls([&sim]), [calls_by_then]);
    }
    let bodies = sent(&sim);
    assert_eq!(bodies[0]["temperature"], 0.5);
    assert!(bodies[1].get("temperature").is_none() && bodies[1].get("top_p").is_none());
    // Another caller has learnt nothing.
    hone.client("other").chat(&body).await.assert_ok();
    assert_eq!(calls([&sim]), [5]);
}

#[tokio::test]
async fn a_refusal_that_another_way_does_not_end_teaches_nothing() {
    let both = Knobs {
        rejects: vec!["temperature".to_owned(), "max_tokens".to_owned()],
        ..Knobs::default()
    };
    let (sim, setup) = before(Speaks::Anthropic, both).await;
    let hone = setup.start();
    let body = chat(&json!({"temperature": 0.5, "max_tokens": 9}));
    for _ in 0..2 {
        let answer = hone.client("k").chat(&body).await;
        answer.assert_status(400);
    }
    // Each time it has tried what it thinks of first.
    let asked = sent(&sim);
    assert!(asked[0].get("temperature").is_some(), "{asked:?}");
    assert!(
        asked[asked.len() / 2].get("temperature").is_some(),
        "{asked:?}"
    );
}

#[tokio::test]
async fn what_an_anthropic_client_says_itself_earns_its_upstreams_own_refusal() {
    let (sim, setup) = before(Speaks::Anthropic, rejects("temperature")).await;
    let hone = setup.start();
    let mut body = Speaks::Anthropic.body(MODEL, "Hi", false);
    body["temperature"] = json!(0.5);
    let asks = hone.client("k").header("x-hone-approach", "bon");
    let answer = asks.post("/v1/messages", body.to_string()).await;
    answer.assert_status(400);
    assert_eq!(answer.json()["type"], "error", "{answer}");
    assert!(sent(&sim).iter().all(|body| body["temperature"] == 0.5));
}

#[tokio::test]
async fn a_model_without_efforts_is_told_a_number_of_tokens_to_think() {
    let (sim, setup) = before(Speaks::Anthropic, rejects("output_config")).await;
    let hone = setup.start();
    let body = chat(&json!({"reasoning_effort": "low"}));
    hone.client("k").chat(&body).await.assert_ok();
    let bodies = sent(&sim);
    assert_eq!(bodies[0]["output_config"]["effort"], "low");
    let thinking = &bodies[1]["thinking"];
    assert_eq!(thinking["type"], "enabled");
    assert_eq!(thinking["budget_tokens"], 2048);
}

#[tokio::test]
async fn a_chat_model_that_wants_the_newer_name_of_a_limit_gets_it() {
    let (sim, setup) = before(Speaks::Chat, rejects("max_tokens")).await;
    let hone = setup.start();
    let body = Speaks::Anthropic.body(MODEL, "Hi", false).to_string();
    let answer = hone.client("k").post("/v1/messages", body).await;
    answer.assert_ok();
    let bodies = sent(&sim);
    assert_eq!(bodies.len(), 2);
    assert_eq!(bodies[1]["max_completion_tokens"], 900);
    assert!(bodies[1].get("max_tokens").is_none());
}

#[tokio::test]
async fn a_server_that_demands_its_reasoning_content_back_gets_it_from_then_on() {
    let raw = RawUpstream::answering(|request| {
        let choice = json!({"index": 0, "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Hi"}});
        if request.contains(r#""reasoning_content":"Hmm.""#) {
            let body = json!({"id": "c", "object": "chat.completion", "model": MODEL,
                "choices": [choice]});
            return answer("200 OK").json().close().body(body.to_string());
        }
        let why = "The reasoning_content in the thinking mode must be passed back to the API.";
        let body = json!({"error": {"message": why, "type": "invalid_request_error"}});
        let refusal = answer("400 Bad Request").json().close();
        refusal.body(body.to_string())
    })
    .await;
    let hone = hone()
        .upstream_with(&raw, |raw| raw.dialect("openai-chat"))
        .start();
    let mut body = Speaks::Anthropic.body(MODEL, "Hi", false);
    body["messages"] = json!([{"role": "user", "content": "How is the weather?"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "Hmm.", "signature": "s"},
            {"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "c", "content": "Sunny."}]}]);
    body["tools"] = json!([{"name": "f", "input_schema": {"type": "object"}}]);
    for calls_by_then in [2, 3] {
        let client = hone.client("k");
        let answer = client.post("/v1/messages", body.to_string()).await;
        answer.assert_ok();
        assert_eq!(raw.heard().len(), calls_by_then);
    }
    assert!(!raw.heard()[0].contains("reasoning"), "nobody has asked");
}

#[tokio::test]
async fn an_approachs_usage_is_of_all_calls_or_of_the_last_as_the_operator_has_it() {
    let (_sim, setup) = before(Speaks::Chat, Knobs::default()).await;
    for client in super::speak::ALL {
        let ask = async |setup: &Setup| {
            let hone = setup.start();
            let asks = hone.client("k").header("x-hone-approach", "bon");
            let body = client.body(MODEL, "Hi", false).to_string();
            client.usage(&asks.post(&client.path(MODEL, false), body).await)
        };
        let all = ask(&setup).await;
        let last = ask(&setup.clone().set("usage", "last")).await;
        assert!(
            last.0 < all.0 && last.1 < all.1,
            "{client:?}: {last:?} {all:?}"
        );
    }
}
