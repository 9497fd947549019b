//! Clients of other dialects than OpenAI's chat: what hone itself tells them.

use serde_json::{Value, json};

use crate::support::head::get;
use crate::support::sim::{busy, calls, slow};
use crate::support::{Answer, hone, upstream};

fn message() -> String {
    let turn = json!({"role": "user", "content": "Hi"});
    json!({"model": "m", "max_tokens": 9, "messages": [turn]}).to_string()
}

/// What a client of Anthropic's Messages is told in an error.
fn told(answer: &Answer, status: u16, kind: &str) -> Value {
    answer.assert_status(status);
    let body = answer.json();
    let kinds = (&body["type"], &body["error"]["type"]);
    assert_eq!(kinds, (&"error".into(), &kind.into()), "{answer}");
    assert!(body["error"]["message"].is_string(), "{answer}");
    assert_eq!(body["request_id"], answer.header("request-id"), "{answer}");
    assert!(!answer.header("x-hone-error").is_empty(), "{answer}");
    body
}

#[tokio::test]
async fn errors_have_anthropics_shape_where_its_clients_ask() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let keyless = hone.keyless();
    let answer = keyless.post("/v1/messages", message()).await;
    told(&answer, 401, "authentication_error");
    let counted = keyless.post("/v1/messages/count_tokens?beta=true", message());
    told(&counted.await, 401, "authentication_error");
    let listed = keyless.clone().header("anthropic-version", "2023-06-01");
    told(&listed.get("/v1/models").await, 401, "authentication_error");
    let client = hone.client("k");
    let broken = client.post("/v1/messages?beta=true", "{").await;
    told(&broken, 400, "invalid_request_error");
    let method = client.get("/v1/messages").await;
    told(&method, 405, "invalid_request_error");
    method.assert_header("allow", "POST");
    assert_eq!(calls([&upstream]), [0]);
}

#[tokio::test]
async fn a_limit_is_told_to_anthropics_clients_as_its_own_limits_are() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("requests_per_minute", 1)
        .start();
    let client = hone.client("k");
    client.post("/v1/messages", message()).await;
    let answer = client.post("/v1/messages", message()).await;
    told(&answer, 429, "rate_limit_error");
    let wait: u64 = answer.header("retry-after").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{answer}");
}

#[tokio::test]
async fn what_is_overloaded_is_529_for_anthropics_clients_and_503_for_others() {
    let upstream = upstream().await;
    upstream.set(slow(1500));
    let hone = hone()
        .upstream_with(&upstream, |upstream| upstream.set("concurrency", 1))
        .bound("queue_wait", "200ms")
        .start();
    let client = hone.client("k");
    let (first, (anthropics, openais)) = tokio::join!(client.ask("sim-small"), async {
        busy(&upstream).await;
        tokio::join!(
            client.post("/v1/messages", message()),
            client.post("/v1/responses", message())
        )
    });
    first.assert_ok();
    told(&anthropics, 529, "overloaded_error");
    openais.assert_refused(503, "overloaded");
}

#[tokio::test]
async fn a_websocket_for_responses_is_426_so_that_its_clients_go_on_over_http() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    for (path, status) in [("/v1/responses", "426"), ("/v1/realtime", "501")] {
        let upgrade = get(path).key("k").header("connection", "upgrade, close");
        let answer = hone.exchange(upgrade.header("upgrade", "websocket")).await;
        let expected = format!("HTTP/1.1 {status}");
        assert!(answer.starts_with(&expected), "{path}: {answer}");
    }
}
