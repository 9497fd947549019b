//! In which slot a key goes to an upstream of each dialect, and what a rejected one counts.

use serde_json::json;

use crate::support::head;
use crate::support::raw::{RawUpstream, Then};
use crate::support::setup::OPERATORS_KEY;
use crate::support::{Client, hone};

const SLOTS: [&str; 4] = ["authorization", "x-api-key", "api-key", "x-goog-api-key"];
const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const GENERATE: &str = "/v1beta/models/m:generateContent";

async fn provider() -> RawUpstream {
    let answer = head::answer("200 OK").json().close().body("{}");
    RawUpstream::start(answer, Then::Close).await
}

/// The slots, and what is in them, of the last request that `raw` heard.
fn slots(raw: &RawUpstream) -> Vec<(String, String)> {
    let heard = raw.heard().pop().expect("a request");
    let lines = heard.lines().filter_map(|line| line.split_once(": "));
    let keys = lines.filter(|(name, _)| SLOTS.contains(name));
    keys.map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn with(client: &Client, lines: &[(&str, &str)]) -> Client {
    let client = client.clone();
    lines
        .iter()
        .fold(client, |client, (name, value)| client.header(name, value))
}

fn body() -> String {
    json!({"model": "m", "messages": [], "contents": [], "max_tokens": 1}).to_string()
}

#[tokio::test]
async fn within_a_dialect_a_key_goes_on_in_the_slot_that_its_client_has_used() {
    let raw = provider().await;
    let (bearer, plain) = (("authorization", "Bearer k"), "k");
    for (dialect, path, sent, arrives) in [
        (
            "anthropic",
            MESSAGES,
            &[("x-api-key", plain)][..],
            ("x-api-key", plain),
        ),
        ("anthropic", MESSAGES, &[bearer], bearer),
        (
            "anthropic",
            MESSAGES,
            &[bearer, ("x-api-key", plain)],
            bearer,
        ),
        (
            "anthropic",
            MESSAGES,
            &[("x-goog-api-key", plain)],
            ("x-api-key", plain),
        ),
        (
            "gemini",
            GENERATE,
            &[("x-goog-api-key", plain)],
            ("x-goog-api-key", plain),
        ),
        ("gemini", GENERATE, &[bearer], bearer),
        (
            "gemini",
            GENERATE,
            &[("x-api-key", plain)],
            ("x-goog-api-key", plain),
        ),
        ("openai-chat", CHAT, &[("x-api-key", plain)], bearer),
        (
            "openai-responses",
            "/v1/responses",
            &[("api-key", plain)],
            bearer,
        ),
        // Of a client of another dialect nothing is known but its key.
        ("anthropic", "/v1/files/f", &[bearer], ("x-api-key", plain)),
        (
            "gemini",
            "/v1/files/f",
            &[bearer],
            ("x-goog-api-key", plain),
        ),
        (
            "anthropic",
            MESSAGES,
            &[bearer, ("x-hone-key-sim", "own")],
            ("x-api-key", "own"),
        ),
    ] {
        let hone = hone()
            .upstream_with(&raw, |raw| raw.dialect(dialect))
            .start();
        let client = with(&hone.keyless(), sent);
        match path {
            "/v1/files/f" => client.get(path).await,
            _ => client.post(path, body()).await,
        };
        let arrives = (arrives.0.to_owned(), arrives.1.to_owned());
        assert_eq!(slots(&raw), [arrives], "{dialect} {path} {sent:?}");
    }
}

#[tokio::test]
async fn a_slot_that_the_operator_names_is_always_the_one() {
    let raw = provider().await;
    for (auth, arrives) in [
        ("bearer", ("authorization", "Bearer k")),
        ("api-key", ("api-key", "k")),
    ] {
        let hone = hone()
            .upstream_with(&raw, |raw| raw.dialect("anthropic").set("auth", auth))
            .start();
        with(&hone.keyless(), &[("x-api-key", "k")])
            .post(MESSAGES, body())
            .await;
        assert_eq!(
            slots(&raw),
            [(arrives.0.to_owned(), arrives.1.to_owned())],
            "{auth}"
        );
    }
}

#[tokio::test]
async fn the_operators_key_goes_into_the_dialects_own_slot() {
    let raw = provider().await;
    for (dialect, slot, value) in [
        ("anthropic", "x-api-key", OPERATORS_KEY.to_owned()),
        ("gemini", "x-goog-api-key", OPERATORS_KEY.to_owned()),
        (
            "openai-chat",
            "authorization",
            format!("Bearer {OPERATORS_KEY}"),
        ),
    ] {
        let hone = hone()
            .upstream_with(&raw, |raw| raw.dialect(dialect).fallback_for("anyone"))
            .start();
        hone.keyless().get("/v1/models").await;
        assert_eq!(slots(&raw), [(slot.to_owned(), value)], "{dialect}");
    }
}

/// Google's answer to a key that it does not know.
fn unknown_key() -> Vec<u8> {
    let info = json!({"@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "API_KEY_INVALID", "domain": "googleapis.com"});
    let error = json!({"code": 400, "message": "API key not valid.",
        "status": "INVALID_ARGUMENT", "details": [info]});
    head::answer("400 Bad Request")
        .json()
        .close()
        .body(json!({"error": error}).to_string())
}

#[tokio::test]
async fn a_key_that_google_rejects_counts_as_rejected_though_it_says_400() {
    let raw = RawUpstream::start(unknown_key(), Then::Close).await;
    let hone = hone()
        .upstream_with(&raw, |raw| raw.dialect("gemini"))
        .bound("rejected_keys_per_minute", 2)
        .start();
    for guess in 0..4 {
        let client = hone
            .keyless()
            .header("x-goog-api-key", &format!("guess-{guess}"));
        let answer = client.post(GENERATE, body()).await;
        if guess < 2 {
            answer.assert_status(400).assert_header("x-hone-error", "");
            assert_eq!(answer.json()["error"]["message"], "API key not valid.");
        } else {
            answer.assert_status(429);
            answer.assert_header("x-hone-error", "rejected_keys_limit_exceeded");
        }
    }
    assert_eq!(raw.heard().len(), 2);
}

#[tokio::test]
async fn an_operators_key_that_google_rejects_is_the_operators_affair() {
    let raw = RawUpstream::start(unknown_key(), Then::Close).await;
    let hone = hone()
        .upstream_with(&raw, |raw| raw.dialect("gemini").fallback_for("anyone"))
        .start();
    let answer = hone.keyless().get("/v1/models").await;
    answer.assert_refused(502, "fallback_key_rejected");
}

#[tokio::test]
async fn what_a_dialects_clients_say_of_themselves_goes_to_upstreams_of_it() {
    let raw = provider().await;
    let own = [
        ("anthropic", MESSAGES, "anthropic-x"),
        ("anthropic", MESSAGES, "x-app"),
        ("anthropic", MESSAGES, "x-claude-code-session-id"),
        ("openai-responses", "/v1/responses", "x-codex-turn-metadata"),
        ("openai-responses", "/v1/responses", "session-id"),
        ("openai-chat", CHAT, "originator"),
        ("gemini", GENERATE, "x-goog-x"),
        ("gemini", GENERATE, "x-server-timeout"),
    ];
    for (dialect, path, _) in own {
        let hone = hone()
            .upstream_with(&raw, |raw| raw.dialect(dialect))
            .start();
        let names = own.map(|(_, _, name)| (name, "1"));
        let client = with(&hone.client("k"), &names).header("x-stainless-lang", "js");
        client.post(path, body()).await;
        let heard = raw.heard().pop().expect("a request");
        let is_openais = dialect.starts_with("openai");
        for (of, _, name) in own {
            let passes = of == dialect || is_openais && of.starts_with("openai");
            let is_there = heard.contains(&format!("\r\n{name}: 1\r\n"));
            assert_eq!(is_there, passes, "{name} to {dialect}: {heard}");
        }
        assert!(heard.contains("x-stainless-lang: js"), "{heard}");
    }
}

#[tokio::test]
async fn with_the_operators_key_no_client_names_who_is_billed() {
    let raw = provider().await;
    let hone = hone()
        .upstream_with(&raw, |raw| raw.dialect("gemini").fallback_for("anyone"))
        .start();
    let client = hone.keyless().header("x-goog-user-project", "mine");
    client
        .clone()
        .header("x-goog-api-client", "x")
        .get("/v1/models")
        .await;
    let heard = raw.heard().pop().expect("a request");
    assert!(
        heard.contains("x-goog-api-client: x") && !heard.contains("mine"),
        "{heard}"
    );
}
