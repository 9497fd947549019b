//! Known endpoints by other spellings and methods, unknown ones, and who may use which.

use http::Method;
use serde_json::{Value, json};

use crate::support::head::{answer as answer_head, request};
use crate::support::raw::{RawUpstream, Then};
use crate::support::sim::calls;
use crate::support::{Answer, Client, chat_body, hone, upstream};

fn method(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).expect("fixture: a method")
}

async fn post(client: &Client, path: &str, body: &Value) -> Answer {
    client.post(&format!("/v1/{path}"), body.to_string()).await
}

#[tokio::test]
async fn another_spelling_of_an_endpoint_is_no_way_around_its_limits() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .limit("tokens_per_minute", 1000)
        .start();
    let client = hone.client("k");
    for path in [
        "Chat/Completions",
        "chat/completions;x",
        "chat/completions%20",
        "chat/completions%3Bx=1",
        "chat/completions.",
        "Embeddings",
        "RESPONSES",
    ] {
        let answer = post(&client, path, &chat_body("sim-small")).await;
        answer.assert_refused(400, "invalid_path");
    }
    assert_eq!(calls([&upstream]), [0]);
    let slash = post(&client, "chat/completions/", &chat_body("sim-small")).await;
    assert_ne!(slash.code(), "invalid_path");
}

#[tokio::test]
async fn methods_that_an_endpoint_does_not_have_are_refused() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream_with(&upstream, |upstream| {
            let paths = vec!["rerank".to_owned()];
            upstream
                .fallback_for("loopback")
                .set("fallback_paths", paths)
        })
        .start();
    for client in [hone.client("k"), hone.keyless()] {
        for name in ["TRACE", "OPTIONS", "post", "Post", "PROPFIND", "DEBUG"] {
            for path in ["/v1/chat/completions", "/v1/rerank", "/v1/files", "/livez"] {
                let answer = client.send(method(name), path, "").await;
                answer.assert_refused(405, "method_not_allowed");
            }
        }
        for name in ["PUT", "PATCH", "DELETE"] {
            let body = chat_body("sim-small").to_string();
            let client = client.clone().header("content-type", "application/json");
            let answer = client
                .send(method(name), "/v1/chat/completions", body)
                .await;
            answer
                .assert_refused(405, "method_not_allowed")
                .assert_header("allow", "POST, GET, HEAD");
        }
    }
    for name in ["DELETE", "PUT", "PATCH", "HEAD"] {
        let answer = hone.keyless().send(method(name), "/v1/rerank", "").await;
        answer.assert_status(403);
    }
    let connect = request("CONNECT", "example.com:443").close();
    let answer = hone.exchange(connect).await;
    assert!(answer.starts_with("HTTP/1.1 405"), "{answer}");
    assert_eq!(calls([&upstream]), [0]);
}

#[tokio::test]
async fn a_confined_tenant_names_a_model_that_it_may_use_or_gets_nothing() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .tenant("alice", |alice| {
            alice.provider_key("alice").models(&["sim-*"])
        })
        .start();
    let alice = hone.client("alice");
    let input = |model: Value| json!({"model": model, "input": "x", "messages": []});
    for path in ["chat/completions", "responses", "embeddings", "moderations"] {
        for model in [Value::Null, json!(""), json!("big")] {
            let refused = post(&alice, path, &input(model)).await;
            refused.assert_refused(403, "model_not_allowed");
        }
        let refused = post(&alice, path, &json!({"input": "x"})).await;
        refused.assert_refused(403, "model_not_allowed");
    }
    let mut doors = chat_body("sim-small");
    for (field, value) in [
        ("models", json!(["sim-small", "big"])),
        ("fallbacks", json!(["big"])),
        (
            "tools",
            json!([{"type": "image_generation", "model": "big"}]),
        ),
    ] {
        doors[field] = value;
        let refused = alice.chat(&doors).await;
        refused.assert_refused(403, "model_not_allowed");
        doors[field] = Value::Null;
    }
    for (name, path) in [
        ("POST", "/v1/engines/big/completions"),
        ("POST", "/v1/models/big:generateContent"),
        ("POST", "/v1/deployments/big/chat/completions"),
        ("PUT", "/v1/rerank"),
        ("POST", "/v1/batches"),
        ("POST", "/v1/fine_tuning/jobs"),
        ("GET", "/v1/responses/r1"),
        ("GET", "/v1/Models/big"),
        ("DELETE", "/v1/models/sim-small"),
        ("HEAD", "/v1/models/big"),
        ("GET", "/v1/models/big"),
        ("GET", "/v1/models/sim%2Fbig"),
    ] {
        let client = alice.clone().header("content-type", "application/json");
        let answer = client
            .send(method(name), path, r#"{"model":"sim-small"}"#)
            .await;
        assert!(
            [400, 403, 404, 405].contains(&answer.status.as_u16()),
            "{answer}"
        );
    }
    let form = alice
        .clone()
        .header("content-type", "multipart/form-data; boundary=b");
    let upload = form.send(Method::POST, "/v1/images/edits", "--b--").await;
    upload.assert_refused(403, "model_not_allowed");
    assert_eq!(calls([&upstream]), [0]);
    alice.ask("sim-small").await.assert_ok();
    alice.get("/v1/models").await.assert_ok();
    alice.get("/v1/models/sim-small").await.assert_ok();
}

#[tokio::test]
async fn what_hone_does_not_know_is_relayed_for_a_clients_own_key_alone() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream_with(&upstream, |upstream| upstream.fallback_for("loopback"))
        .start();
    let mut sent = 0;
    for name in ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] {
        let own = hone
            .client("k")
            .send(method(name), "/v1/new/thing", "")
            .await;
        own.assert_status(404); // The simulated provider does not know it either.
        sent += 1;
        let shared = hone.keyless().send(method(name), "/v1/new/thing", "").await;
        shared.assert_status(403);
    }
    assert_eq!(calls([&upstream]), [sent]);
}

#[tokio::test]
async fn what_hone_does_not_know_counts_by_its_usage_or_its_bytes_under_a_token_limit() {
    const LIMIT: u64 = 100_000;
    let usage = r#"{"text":"","usage":{"prompt_tokens":3,"completion_tokens":9000}}"#;
    let long = format!("\"{}\"", "x".repeat(39_998));
    for (body, answer, least) in [
        ("{}".to_owned(), usage.to_owned(), 9003),
        ("{}".to_owned(), long.clone(), 10_000),
        (long.clone(), "\"\"".to_owned(), 10_000),
    ] {
        let head = answer_head("200 OK").json().body(answer);
        let upstream = RawUpstream::start(head, Then::Close).await;
        let hone = hone()
            .upstream(&upstream)
            .limit("tokens_per_minute", i64::try_from(LIMIT).expect("fixture"))
            .start();
        let client = hone.client("k");
        for kind in ["application/json", "text/plain"] {
            let before = client.left("tokens").await;
            let client = client.clone().header("content-type", kind);
            let path = "/v1/engines/sim/completions";
            let sent = client.send(Method::POST, path, body.clone()).await;
            sent.assert_ok();
            let spent = before - client.left("tokens").await;
            // What the rate gives back in the meantime.
            assert!(
                (least - 2000..=least + 100).contains(&spent),
                "{kind}: {spent}"
            );
        }
    }
}

#[tokio::test]
async fn a_models_name_may_have_an_encoded_slash() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k");
    client.get("/v1/models/meta%2Fllama").await;
    assert_eq!(upstream.requests()[0].target, "/v1/models/meta%2Fllama");
    let elsewhere = client.get("/v1/files/a%2Fb").await;
    elsewhere.assert_refused(400, "invalid_path");
}
