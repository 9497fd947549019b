//! Ways around a rule that a hostile reader found, each closed.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use http::Method;
use serde_json::json;

use crate::support::client::CHAT;
use crate::support::setup::digest;
use crate::support::sim::{bodies, calls, fails_with};
use crate::support::{chat_body, chat_with, hone, upstream};

#[tokio::test]
async fn another_content_type_is_no_way_around_the_rules_for_models_and_tokens() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream_with(&upstream, |upstream| upstream.fallback_for("loopback"))
        .start();
    let body = json!({"model": "sim-small", "input": "x", "previous_response_id": "r1"});
    for path in [
        "responses",
        "completions",
        "embeddings",
        "messages",
        "moderations",
        "images/generations",
    ] {
        for kind in ["application/x+json", "text/plain"] {
            let client = hone.keyless().header("content-type", kind);
            let path = format!("/v1/{path}");
            let answer = client.send(Method::POST, &path, body.to_string()).await;
            answer.assert_status(415);
        }
    }
    assert_eq!(calls([&upstream]), [0]);
    let picture = json!({"model": "sim-image", "prompt": "x", "background": "transparent"});
    let client = hone.keyless();
    let answer = client
        .post("/v1/images/generations", picture.to_string())
        .await;
    assert_ne!(answer.status, 400, "there it is a colour: {answer}");
}

#[tokio::test]
async fn a_request_whose_body_was_read_counts_whatever_comes_of_it() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .model("careful", "sim-small", "bon")
        .limit("requests_per_minute", 5)
        .start();
    let chat = |body: &str| (Method::POST, CHAT, body.to_owned());
    let dry = "x-hone-dry-run";
    let cases = [
        (dry, chat(&chat_body("sim-small").to_string()), 200),
        (dry, chat(&chat_body("re2-sim-small").to_string()), 200),
        (dry, (Method::GET, "/v1/models", String::new()), 200),
        ("x-plain", chat("{"), 400),
        ("x-plain", chat(r#"{"model":"bon-sim-small"}"#), 400),
        (
            "x-plain",
            chat(&chat_with("bon-sim-small", json!({"n": 0})).to_string()),
            400,
        ),
        ("x-plain", chat(r#"{"model":"a","model":"b"}"#), 400),
        (
            "x-plain",
            (Method::GET, "/v1/models/careful", String::new()),
            200,
        ),
    ];
    for (case, (header, (method, path, body), status)) in cases.into_iter().enumerate() {
        let client = hone.client(&format!("k{case}")).header(header, "1");
        let client = client.header("content-type", "application/json");
        for _ in 0..5 {
            let answer = client.send(method.clone(), path, body.clone()).await;
            answer.assert_status(status);
        }
        let sixth = client.send(method, path, body).await;
        sixth.assert_refused(429, "rate_limit_exceeded");
    }
    assert_eq!(calls([&upstream]), [0]);
}

#[tokio::test]
async fn requests_at_once_that_nothing_comes_of_pass_no_limit_of_fewer() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("requests_per_minute", 5)
        .start();
    let client = hone.client("k");
    let answers = join_all((0..30).map(|_| client.post(CHAT, "{"))).await;
    let read = answers.iter().filter(|answer| answer.status == 400).count();
    assert_eq!(read, 5);
}

#[tokio::test]
async fn a_dry_run_of_a_relay_spends_nothing() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k").header("x-hone-dry-run", "1");
    let chat = client.ask("sim-small").await;
    assert_eq!(chat.json()["upstream_calls"], 1);
    let list = client.get("/v1/models").await;
    assert_eq!(list.json()["upstream_calls"], 1);
    assert_eq!(calls([&upstream]), [0]);
}

#[tokio::test]
async fn an_empty_body_of_type_json_passes_where_hone_needs_nothing_of_it() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    hone.client("k").post("/v1/batches/b1/cancel", "").await;
    assert_eq!(upstream.requests()[0].target, "/v1/batches/b1/cancel");
}

#[tokio::test]
async fn virtual_models_are_listed_to_clients_that_accept_compression_too() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .model("careful", "sim-small", "bon")
        .start();
    let client = hone.client("k").header("accept-encoding", "gzip");
    client.get("/v1/models").await.assert_says("careful");
    let headers = &upstream.requests()[0].headers;
    assert_eq!(headers["accept-encoding"], "identity");
}

#[tokio::test]
async fn what_an_upstream_refuses_and_what_is_not_counted_costs_no_tokens() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("tokens_per_minute", 1500)
        .start();
    let client = hone.client("k");
    let long = json!({"input": "x".repeat(2000)}).to_string();
    for _ in 0..8 {
        let failing = json!({"sim": fails_with(429)});
        let refused = client.ask_with("sim-small", failing).await;
        refused.assert_header("x-hone-limit-source", ""); // the upstream's own 429
        let moderated = client.post("/v1/moderations", long.clone()).await;
        moderated.assert_ok();
    }
    client.ask("sim-small").await.assert_ok();
}

#[tokio::test]
async fn a_key_that_the_operator_took_back_is_not_shown_to_a_provider() {
    let upstream = upstream().await;
    let hone = hone()
        .set("revoked_keys", vec![digest("a-gateway-key-of-old")])
        .upstream(&upstream)
        .start();
    let made = format!("hone-{}", "5".repeat(64));
    for (key, code) in [
        ("a-gateway-key-of-old", "revoked_key"),
        (made.as_str(), "invalid_gateway_key"),
    ] {
        for client in [
            hone.client(key),
            hone.keyless().header("x-api-key", key),
            hone.keyless().header("x-hone-key-sim", key),
        ] {
            let answer = client.ask("sim-small").await;
            answer
                .assert_refused(401, code)
                .assert_says("not sent to any provider")
                .assert_hides(key);
        }
    }
    assert_eq!(calls([&upstream]), [0]);
    hone.client("sk-another").ask("sim-small").await.assert_ok();
}

#[tokio::test]
async fn a_clients_seed_does_not_tell_the_marks_around_what_a_judge_reads() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let mut marks = BTreeSet::new();
    for _ in 0..3 {
        let seeded = json!({"seed": 42, "num_rounds": 1});
        let answer = hone.client("k").ask_with("pvg-sim-small", seeded).await;
        answer.assert_ok();
        let judged = bodies(&upstream).into_iter().rev();
        let mut ends = judged.filter_map(|body| {
            let (_, rest) = body.rsplit_once("[end of candidate 1 ")?;
            Some(rest.split_once(']')?.0.to_owned())
        });
        marks.insert(ends.next().expect("a judge's prompt"));
    }
    assert_eq!(marks.len(), 3, "{marks:?}");
}
