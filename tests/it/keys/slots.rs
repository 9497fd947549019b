//! The keys that clients send: in which slot, to which upstream.

use http::HeaderName;
use serde_json::json;

use crate::support::setup::{Upstream, digest};
use crate::support::sim::{calls, calls_with, fails_with};
use crate::support::{Client, hone, upstream};

const GATEWAY: &str = "hk-alice";

#[tokio::test]
async fn a_clients_key_of_any_shape_reaches_the_upstream_byte_for_byte() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    for key in [
        "gsk_abc",
        "AIzaSy-x_y",
        "k",
        "abc",
        "no_key",
        "ollama",
        "sk-",
        "with space inside",
        &"x".repeat(2048),
    ] {
        for model in ["sim-small", "bon-sim-small"] {
            hone.client(key).ask(model).await.assert_ok();
        }
        assert!(calls_with(key, [&upstream]) >= [2], "{key}");
    }
}

#[tokio::test]
async fn a_gateway_key_never_leaves_the_process() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream_with(&upstream, Upstream::fallback_key)
        .tenant("alice", |alice| alice.key(GATEWAY))
        .start();
    for client in [
        hone.client(GATEWAY),
        hone.keyless().header("x-hone-key", GATEWAY),
        hone.keyless().header("x-api-key", GATEWAY),
    ] {
        let answer = client.ask("sim-small").await;
        answer
            .assert_ok()
            .assert_header("x-hone-credential", "fallback");
    }
    assert_eq!(calls_with(GATEWAY, [&upstream]), [0]);
    for request in upstream.requests() {
        let mut names = request.headers.keys().map(HeaderName::as_str);
        assert!(names.all(|name| !name.starts_with("x-hone")));
    }
}

#[tokio::test]
async fn a_gateway_key_in_the_forms_of_mistakes_reaches_no_provider() {
    let upstream = upstream().await;
    let made = format!("hone-{}", "7".repeat(64));
    let hone = hone()
        .set("revoked_keys", vec![digest("the-key-of-old")])
        .upstream(&upstream)
        .tenant("alice", |alice| alice.key(GATEWAY))
        .tenant("ring", |ring| ring.provider_key(&made))
        .start();
    let lost = format!("hone-{}", "8".repeat(64));
    for key in [GATEWAY, "the-key-of-old", &lost] {
        for client in [
            hone.client(&format!("Bearer {key}")),
            hone.client(&format!("\"{key}\"")),
            hone.client(&format!("{key},")),
            hone.client(&format!("{key}, Bearer x")),
            hone.keyless().header("x-api-key", &format!("Bearer {key}")),
            hone.keyless().header("api-key", &format!("Key {key}")),
            hone.keyless().header("x-api-key", &format!("'{key}'")),
            hone.keyless().header("x-api-key", &format!("sk-p, {key}")),
            hone.keyless()
                .header("x-hone-key-sim", &format!("sk-p {key}")),
            hone.client("sk-p").header("openai-project", key),
            hone.client("sk-p")
                .header("user-agent", &format!("agent {key}")),
        ] {
            let answer = client.ask("sim-small").await;
            assert!([400, 401].contains(&answer.status.as_u16()), "{answer}");
            answer
                .assert_says("not sent to any provider")
                .assert_hides(key);
        }
        let query = hone
            .client("sk-p")
            .get(&format!("/v1/models?key={key}"))
            .await;
        query.assert_refused(400, "misplaced_gateway_key");
    }
    assert_eq!(calls([&upstream]), [0]);
    let header = hone.client("sk-p").header("openai-api-key", GATEWAY);
    header.ask("sim-small").await.assert_ok();
    let headers = &upstream.requests()[0].headers;
    assert!(
        !headers.contains_key("openai-api-key"),
        "it is not forwarded"
    );
    // Another hone's key that was named for it.
    hone.client(&made).ask("sim-small").await.assert_ok();
    assert_eq!(calls_with(&made, [&upstream]), [1]);
}

#[tokio::test]
async fn unusable_keys_are_refused_before_any_upstream_hears_of_them() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let header = |client: Client, name, value| client.header(name, value);
    for (client, status, code) in [
        (hone.keyless(), 401, "invalid_api_key"),
        (hone.client("none"), 401, "invalid_api_key"),
        (hone.client(""), 401, "invalid_api_key"),
        (
            header(hone.keyless(), "x-hone-key", "unknown"),
            401,
            "invalid_gateway_key",
        ),
        (hone.client("a").key("b"), 400, "repeated_key"),
        (
            header(hone.client("a"), "x-api-key", "b"),
            400,
            "conflicting_keys",
        ),
        (
            header(hone.keyless(), "authorization", "Basic YTpi"),
            400,
            "invalid_authorization",
        ),
        (
            header(hone.client("a"), "x-hone-key-nowhere", "b"),
            400,
            "unknown_upstream",
        ),
    ] {
        client.ask("sim-small").await.assert_refused(status, code);
    }
    assert_eq!(calls([&upstream]), [0]);
}

#[tokio::test]
async fn a_clients_key_goes_to_the_upstream_its_model_routes_to_and_to_no_other() {
    let (first, second) = (upstream().await, upstream().await);
    let hone = hone()
        .upstream_with(&first, |first| first.models(&["sim-*"]))
        .upstream_with(&second, |second| second.named("other").models(&["far-*"]))
        .start();
    let client = hone.client("mine");
    client.ask("sim-small").await.assert_ok();
    let refused = client.ask("far-model").await;
    refused
        .assert_refused(401, "invalid_api_key")
        .assert_says("x-hone-key-other");
    let named = client.clone().header("x-hone-key-other", "theirs");
    named.ask("bon-far-model").await.assert_ok();
    assert_eq!(calls_with("mine", [&second]), [0]);
    assert_eq!(calls_with("theirs", [&first]), [0]);
    assert!(calls_with("theirs", [&second]) > [0]);
    let unknown = client.ask("nobody-serves-this").await;
    assert_eq!(unknown.code(), "model_not_found", "{unknown}");
}

#[tokio::test]
async fn addresses_that_keep_presenting_rejected_keys_are_stopped() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .bound("rejected_keys_per_minute", 5)
        .tenant("alice", |alice| alice.provider_key(GATEWAY))
        .start();
    let rejected = json!({"sim": fails_with(401)});
    let guess = async |attempt: u32| {
        let client = hone.client(&format!("guess-{attempt}"));
        client.ask_with("sim-small", rejected.clone()).await
    };
    for attempt in 0..5 {
        guess(attempt).await.assert_status(401);
    }
    let stopped = guess(6).await;
    stopped.assert_refused(429, "rejected_keys_limit_exceeded");
    assert_eq!(calls([&upstream]), [5]);
    // A named key is served.
    hone.client(GATEWAY).ask("sim-small").await.assert_ok();
}
