//! The operator's own key: for whom it is, for what, and who hears of its troubles.

use http::Method;
use serde_json::json;

use crate::support::parts::SimHandle;
use crate::support::sim::{calls, fault};
use crate::support::{Hone, hone, upstream};

fn for_loopback(upstream: &SimHandle) -> Hone {
    hone()
        .upstream_with(upstream, |upstream| upstream.fallback_for("loopback"))
        .start()
}

#[tokio::test]
async fn the_operators_account_is_not_the_callers_business() {
    let upstream = upstream().await;
    let hone = for_loopback(&upstream);
    let client = hone.keyless().header("openai-organization", "org-caller");
    for (status, expected, code) in [
        (401, 502, "fallback_key_rejected"),
        (403, 502, "fallback_key_rejected"),
        (429, 429, "rate_limit_exceeded"),
    ] {
        for model in ["sim-small", "bon-sim-small"] {
            let failure = json!({"status": {"status": status, "retry_after": "90"}});
            let answer = client
                .ask_with(model, json!({"sim": fault(&failure)}))
                .await;
            answer.assert_refused(expected, code);
            if status == 429 {
                answer
                    .assert_header("x-hone-limit-source", "upstream")
                    .assert_header("retry-after", "90");
            }
        }
    }
    for request in upstream.requests() {
        assert!(!request.headers.contains_key("openai-organization"));
    }
}

#[tokio::test]
async fn a_fallback_key_serves_only_what_shares_nothing_between_its_callers() {
    let upstream = upstream().await;
    let hone = for_loopback(&upstream);
    let client = hone.keyless();
    for (method, path) in [
        (Method::GET, "/v1/files"),
        (Method::POST, "/v1/batches"),
        (Method::GET, "/v1/responses/r1"),
        (Method::DELETE, "/v1/models/x"),
        (Method::POST, "/v1/fine_tuning/jobs"),
    ] {
        let answer = client.send(method, path, "").await;
        answer.assert_refused(403, "fallback_path_not_allowed");
    }
    for field in ["previous_response_id", "conversation", "background"] {
        let body = json!({"model": "sim-small", "input": "x", field: "r1"});
        let answer = client.post("/v1/responses", body.to_string()).await;
        answer.assert_refused(400, "fallback_field_not_allowed");
    }
    assert_eq!(calls([&upstream]), [0]);
    client.get("/v1/models").await.assert_ok();
}
