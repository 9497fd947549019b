//! Clients of Google's API, forwarded as they are to a provider that speaks it.

use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use crate::support::parts::{Knobs, SimHandle};
use crate::support::setup::Setup;
use crate::support::sim::{calls, paced};
use crate::support::{Answer, Client, hone, in_time, text, upstream};

/// A body with what a parser and printer would change.
const ODD: &str = concat!(
    r#"{ "contents":[ {"role":"user","parts":[{"text":"\u00e9\/ Hi"}]} ] ,"#,
    "\n\t",
    r#""zzz":{"b":1,"a":[1.0,1.10,-0]},"generationConfig":{"temperature":1e0 },"x":1,"x":2 }"#,
);

const GENERATE: &str = "/v1beta/models/sim-small:generateContent";

/// hone before `sim`, which speaks Google's API.
fn before(sim: &SimHandle) -> Setup {
    hone().upstream_with(sim, |upstream| upstream.dialect("gemini"))
}

/// A client of Google's with this key.
fn googles(client: &Client, key: &str) -> Client {
    client.clone().header("x-goog-api-key", key)
}

fn targets(sim: &SimHandle) -> Vec<String> {
    let requests = sim.requests();
    requests
        .iter()
        .map(|request| request.target.clone())
        .collect()
}

fn last_target(sim: &SimHandle) -> String {
    targets(sim).pop().expect("a request")
}

/// What a client of Google's is told in an error.
fn told(answer: &Answer, status: u16, word: &str, code: &str) -> Value {
    answer
        .assert_status(status)
        .assert_header("x-hone-error", code);
    let error = answer.json()["error"].clone();
    assert_eq!(
        (&error["code"], &error["status"]),
        (&status.into(), &word.into()),
        "{answer}"
    );
    assert!(error["message"].is_string(), "{answer}");
    error
}

#[tokio::test]
async fn the_model_of_the_path_is_the_one_that_counts() {
    let sim = upstream().await;
    let hone = hone()
        .upstream_with(&sim, |sim| {
            sim.dialect("gemini")
                .models(&["sim-*", "a/*", "tunedModels/*", "m"])
        })
        .model("plain", "sim-small", "none")
        .model("tuned", "tunedModels/mine", "none")
        .start();
    let client = googles(&hone.keyless(), "k");
    for (asked, sent) in [
        (
            "v1beta/models/plain:generateContent",
            "v1beta/models/sim-small:generateContent",
        ),
        (
            "v1/models/plain%3AcountTokens",
            "v1/models/sim-small:countTokens",
        ),
        (
            "v1/models/sim/sim-small:generateContent",
            "v1/models/sim-small:generateContent",
        ),
        (
            "v1/models/sim%2Fsim-small:generateContent",
            "v1/models/sim-small:generateContent",
        ),
        (
            "v1beta/models/none-sim-small:streamGenerateContent?alt=sse",
            "v1beta/models/sim-small:streamGenerateContent?alt=sse",
        ),
        (
            "v1beta/models/a/b:c:countTokens",
            "v1beta/models/a/b:c:countTokens",
        ),
        (
            "v1beta/models/tuned:generateContent",
            "v1beta/tunedModels/mine:generateContent",
        ),
        (
            "v1/models/sim-small:countTokens/",
            "v1/models/sim-small:countTokens/",
        ),
    ] {
        client.post(&format!("/{asked}"), ODD).await;
        let seen = sim.requests().pop().expect("a request");
        assert_eq!(seen.target, format!("/{sent}"), "{asked}");
        assert_eq!(seen.body, ODD.as_bytes(), "{asked}");
    }
    let path = "/v1beta/models/re2-sim-small:generateContent";
    let answer = client.post(path, ODD).await;
    answer.assert_ok().assert_header("x-hone-approach", "re2");
    assert_eq!(last_target(&sim), GENERATE);
}

#[tokio::test]
async fn another_spelling_of_a_call_is_no_way_around_its_limits() {
    let sim = upstream().await;
    let hone = before(&sim).limit("tokens_per_minute", 1000).start();
    let client = googles(&hone.keyless(), "k");
    for path in [
        "/v1/models/m:GenerateContent",
        "/v1beta/models/m:generatecontent",
        "/v1beta/Models/m:generateContent",
        "/v1beta/models/m%253AgenerateContent",
        "/v1beta/models/m:generateContent;x",
        "/v1beta/models/m:generateContent%20",
        "/v1beta/models/m:generateContent.",
        "/v1beta/models;x/m:generateContent",
        "/v1beta/models/../models/m:generateContent",
        "/v1beta/models/m:generate%43ontent",
        "/v1beta/models/%FF:generateContent",
    ] {
        let answer = client.post(path, ODD).await;
        told(&answer, 400, "INVALID_ARGUMENT", "invalid_path");
    }
    for (method, path) in [
        (Method::GET, GENERATE),
        (Method::PUT, "/v1/models/m:countTokens"),
        (Method::POST, "/v1/models/m:batchGenerateContent"),
    ] {
        let answer = client.send(method, path, "").await;
        answer.assert_status(405);
    }
    for path in ["/v1/v1beta/models/m:generateContent", "/v1beta/", "/v1beta"] {
        let answer = client.post(path, ODD).await;
        answer.assert_status(404);
    }
    let text = client.clone().header("content-type", "text/plain");
    let answer = text.send(Method::POST, GENERATE, ODD).await;
    told(&answer, 415, "INVALID_ARGUMENT", "unsupported_media_type");
    assert_eq!(calls([&sim]), [0]);
}

#[tokio::test]
async fn what_hone_does_not_know_of_google_goes_to_the_first_of_its_upstreams() {
    let (openai, google) = (upstream().await, upstream().await);
    let hone = hone()
        .upstream_with(&openai, |upstream| upstream.named("openai"))
        .upstream_with(&google, |upstream| {
            let upstream = upstream.named("google").dialect("gemini");
            upstream.models(&["gemini-*"]).takes_client_keys()
        })
        .start();
    let client = googles(&hone.keyless(), "k");
    for (method, target) in [
        (Method::GET, "/v1beta/files/abc?x=1%20&y"),
        (Method::DELETE, "/v1beta/cachedContents/abc"),
        (Method::POST, "/v1beta/models/m:embedContent"),
    ] {
        client.post("/v1beta/x", r#"{"model": "gpt-4o"}"#).await;
        client.send(method, target, "").await;
        assert_eq!(last_target(&google), target);
    }
    assert_eq!(calls([&openai]), [0]);
    let upload = client.post("/upload/v1beta/files", "{}").await;
    told(&upload, 404, "NOT_FOUND", "not_found");
    let alone = crate::support::hone().upstream(&openai).start();
    let answer = googles(&alone.keyless(), "k").get("/v1beta/files").await;
    told(&answer, 404, "NOT_FOUND", "not_found");
    assert_eq!(calls([&openai]), [0]);
}

#[tokio::test]
async fn an_upstream_of_another_dialect_gets_nothing_that_it_cannot_read() {
    let sim = upstream().await;
    let body = json!({"model": "sim-small", "input": "x", "prompt": "x", "max_tokens": 9});
    for dialect in ["anthropic", "gemini"] {
        let hone = hone()
            .upstream_with(&sim, |sim| sim.dialect(dialect))
            .start();
        for path in [
            "completions",
            "embeddings",
            "audio/speech",
            "images/generations",
        ] {
            let path = format!("/v1/{path}");
            let answer = hone.client("k").post(&path, body.to_string()).await;
            answer.assert_refused(400, "dialect_not_supported");
            let text = answer.text();
            assert!(
                text.contains("`sim`") && text.contains("another upstream"),
                "{text}"
            );
        }
        let form = hone
            .client("k")
            .header("content-type", "multipart/form-data; boundary=b");
        let answer = form.send(Method::POST, "/v1/images/edits", "--b--").await;
        answer.assert_refused(400, "dialect_not_supported");
    }
    assert_eq!(calls([&sim]), [0]);
}

#[tokio::test]
async fn a_confined_tenant_is_held_to_its_models_by_path_and_body() {
    let sim = upstream().await;
    let hone = before(&sim)
        .tenant("alice", |alice| {
            alice.provider_key("k").models(&["sim-small"])
        })
        .start();
    let client = googles(&hone.keyless(), "k");
    client.post(GENERATE, ODD).await.assert_ok();
    let named = r#"{"model": "models/sim-small", "contents": [{"parts": [{"text": "x"}]}]}"#;
    client.post(GENERATE, named).await.assert_ok();
    let served = calls([&sim]);
    for (path, body) in [
        ("/v1beta/models/sim-large:generateContent", ODD),
        ("/v1/models/sim-large:countTokens", ODD),
        (GENERATE, r#"{"model": "models/sim-large"}"#),
        (
            "/v1/models/sim-small:countTokens",
            r#"{"generateContentRequest": {"model": "models/sim-large"}}"#,
        ),
    ] {
        let answer = client.post(path, body).await;
        told(&answer, 403, "PERMISSION_DENIED", "model_not_allowed");
    }
    let answer = client.get("/v1beta/files").await;
    told(&answer, 403, "PERMISSION_DENIED", "endpoint_not_allowed");
    assert_eq!(calls([&sim]), served);
}

#[tokio::test]
async fn errors_have_googles_shape_where_its_clients_ask() {
    let sim = upstream().await;
    let hone = before(&sim).limit("requests_per_minute", 2).start();
    let keyless = hone.keyless();
    let answer = keyless.post(GENERATE, ODD).await;
    told(&answer, 401, "UNAUTHENTICATED", "invalid_api_key");
    let client = googles(&keyless, "k");
    let broken = client.post(GENERATE, "{").await;
    told(&broken, 400, "INVALID_ARGUMENT", "invalid_json");
    client.post(GENERATE, ODD).await.assert_ok();
    let limited = client.post(GENERATE, ODD).await;
    let error = told(&limited, 429, "RESOURCE_EXHAUSTED", "rate_limit_exceeded");
    let details = error["details"].as_array().expect("details");
    let mut delays = details
        .iter()
        .filter_map(|detail| detail["retryDelay"].as_str());
    let delay = delays
        .next()
        .unwrap_or_else(|| panic!("a delay: {limited}"));
    let seconds = delay
        .strip_suffix('s')
        .and_then(|seconds| seconds.parse::<f64>().ok());
    assert!(seconds.is_some_and(|seconds| seconds > 0.0), "{delay}");
    assert!(!limited.header("retry-after").is_empty(), "{limited}");
}

#[tokio::test]
async fn a_stream_that_is_ended_by_force_says_so_as_google_does() {
    let sim = upstream().await;
    sim.set(Knobs {
        content: Some("word ".repeat(2000)),
        ..paced(20)
    });
    for query in ["?alt=sse", ""] {
        let hone = before(&sim).bound("drain", "400ms").start();
        let client = googles(&hone.keyless(), "k").header("content-type", "application/json");
        let path = format!("/v1beta/models/sim-small:streamGenerateContent{query}");
        let stream = client.open(Method::POST, &path, ODD).await.into_body();
        let (whole, _) = tokio::join!(in_time(stream.collect()), hone.shutdown());
        let said = text(whole.expect("no broken connection").to_bytes());
        assert!(!said.contains("event:"), "{said}");
        let list = if query.is_empty() {
            said.clone()
        } else {
            let events = said.lines().filter_map(|line| line.strip_prefix("data: "));
            format!("[{}]", events.collect::<Vec<_>>().join(","))
        };
        let list: Value = serde_json::from_str(&list).unwrap_or_else(|_| panic!("JSON: {said}"));
        let list = list.as_array().expect("a list");
        assert!(list.len() > 1 && list[0]["candidates"].is_array(), "{said}");
        let error = &list[list.len() - 1]["error"];
        assert_eq!(
            (&error["code"], &error["status"]),
            (&json!(503), &json!("UNAVAILABLE"))
        );
    }
}
