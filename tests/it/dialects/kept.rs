//! What providers keep, and what hone does not: state works where a request is forwarded, and is
//! refused with a way out elsewhere. Requests for no answer run no approach.

use http::Method;
use serde_json::{Value, json};

use super::speak::Speaks;
use crate::support::parts::SimHandle;
use crate::support::sim::calls;
use crate::support::{Answer, Client, Hone, hone, upstream};

/// hone before a provider that speaks `dialect`.
async fn before(speaks: Speaks) -> (SimHandle, Hone) {
    let sim = upstream().await;
    let hone = hone()
        .upstream_with(&sim, |upstream| speaks.upstream(&sim, upstream))
        .start();
    (sim, hone)
}

/// A request of `speaks` with a field more.
fn with(speaks: Speaks, field: &str, value: Value) -> String {
    let mut body = speaks.body("sim-small", "Say hello.", false);
    body[field] = value;
    body.to_string()
}

/// `answer` refuses `param` in the form of `speaks`, and its text says `part`.
fn assert_told(answer: &Answer, speaks: Speaks, param: &str, part: &str) {
    answer.assert_status(400).assert_says(part);
    let error = &answer.json()["error"];
    match speaks {
        Speaks::Chat | Speaks::Responses => assert_eq!(error["param"], param, "{answer}"),
        Speaks::Anthropic => assert_eq!(error["type"], "invalid_request_error", "{answer}"),
        Speaks::Gemini => assert_eq!(error["status"], "INVALID_ARGUMENT", "{answer}"),
    }
}

/// Fields that name what a provider keeps, and the way out that a client is told.
fn state() -> Vec<(Speaks, &'static str, Value, &'static str)> {
    vec![
        (
            Speaks::Responses,
            "previous_response_id",
            "resp_1".into(),
            "as `input`",
        ),
        (
            Speaks::Responses,
            "conversation",
            "conv_1".into(),
            "as `input`",
        ),
        (
            Speaks::Responses,
            "background",
            true.into(),
            "without `background`",
        ),
        (
            Speaks::Responses,
            "prompt",
            json!({"id": "pmpt_1"}),
            "send the prompt",
        ),
        (
            Speaks::Anthropic,
            "container",
            "container_1".into(),
            "provider",
        ),
        (
            Speaks::Gemini,
            "cachedContent",
            "cachedContents/1".into(),
            "whole conversation",
        ),
    ]
}

#[tokio::test]
async fn what_a_provider_keeps_is_refused_to_approaches_and_across_dialects() {
    for (speaks, field, value, way_out) in state() {
        let (sim, same) = before(speaks).await;
        let body = with(speaks, field, value);
        let path = speaks.path("sim-small", false);
        let asks = same.client("k");
        asks.post(&path, body.clone()).await;
        assert_eq!(calls([&sim]), [1], "{field} is forwarded");
        let sent = sim.requests().pop().expect("a request");
        assert_eq!(sent.body, body.as_bytes(), "{field}");
        let approach = asks.header("x-hone-approach", "bon");
        let told = approach.post(&path, body.clone()).await;
        assert_told(&told, speaks, field, way_out);
        assert_eq!(calls([&sim]), [1], "{field}");
        let (sim, other) = before(Speaks::Chat).await;
        let told = other.client("k").post(&path, body).await;
        assert_told(&told, speaks, field, "");
        assert_eq!(calls([&sim]), [0], "{field}");
    }
}

#[tokio::test]
async fn hones_own_responses_are_not_stored_anywhere() {
    let (sim, hone) = before(Speaks::Responses).await;
    let client = hone.client("k");
    let first = client.clone().header("x-hone-approach", "bon");
    let body = Speaks::Responses.body("sim-small", "Say hello.", false);
    let first = first.post("/v1/responses", body.to_string()).await;
    let id = first.json()["id"].as_str().expect("an id").to_owned();
    let made = calls([&sim]);
    for (method, path) in [
        (Method::GET, format!("/v1/responses/{id}")),
        (Method::DELETE, format!("/v1/responses/{id}")),
        (Method::GET, format!("/v1/responses/{id}/input_items")),
        (Method::POST, format!("/v1/responses/{id}/cancel")),
    ] {
        let told = client.send(method, &path, "").await;
        told.assert_refused(404, "response_not_found");
    }
    for body in [
        with(Speaks::Responses, "previous_response_id", id.clone().into()),
        json!({"model": "sim-small", "previous_response_id": id}).to_string(),
    ] {
        for path in ["/v1/responses", "/v1/responses/input_tokens"] {
            let told = client.post(path, body.clone()).await;
            assert_told(
                &told,
                Speaks::Responses,
                "previous_response_id",
                "as `input`",
            );
            assert_eq!(told.json()["error"]["code"], "previous_response_not_found");
        }
    }
    assert_eq!(calls([&sim]), made);
    // Others are asked for where they are.
    client.get("/v1/responses/resp_1").await;
    assert_ne!(calls([&sim]), made);
}

#[tokio::test]
async fn what_asks_for_no_answer_runs_no_approach() {
    for (speaks, field, value, param) in [
        (Speaks::Anthropic, "max_tokens", json!(0), "max_tokens"),
        (
            Speaks::Responses,
            "prompt_cache_options",
            json!({"prewarm": true}),
            "prompt_cache_options.prewarm",
        ),
    ] {
        let body = with(speaks, field, value);
        let path = speaks.path("sim-small", false);
        let sim = upstream().await;
        let hone = hone()
            .upstream_with(&sim, |upstream| speaks.upstream(&sim, upstream))
            .config("approach = \"bon\"")
            .start();
        let asked: [fn(Client) -> Client; 2] = [
            |client| client,
            |client| client.header("x-hone-approach", "moa"),
        ];
        for asked in asked {
            let before = calls([&sim])[0];
            let told = asked(hone.client("k")).post(&path, body.clone()).await;
            told.assert_header("x-hone-approach", "none");
            assert_eq!(calls([&sim])[0], before + 1, "{field}");
            assert_eq!(
                sim.requests().pop().expect("a request").body,
                body.as_bytes()
            );
        }
        let (sim, other) = before(Speaks::Gemini).await;
        let client = other.client("k").header("x-hone-approach", "bon");
        let told = client.post(&path, body.clone()).await;
        assert_told(&told, speaks, param, "");
        assert_eq!(calls([&sim]), [0], "{field}");
        let one = speaks.body("sim-small", "Say hello.", false).to_string();
        let told = hone.client("k").post(&path, one).await;
        told.assert_ok().assert_header("x-hone-approach", "bon");
    }
}
