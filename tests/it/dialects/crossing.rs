//! What holds where a request crosses from one dialect to another: errors, ends, limits, accounts.

use serde_json::{Value, json};

use super::speak::{ALL, Speaks};
use crate::support::head;
use crate::support::parts::{Dialect, Fault, Knobs, SimHandle};
use crate::support::raw::{RawUpstream, Then};
use crate::support::setup::{OPERATORS_KEY, Setup};
use crate::support::sim::{busy, calls, faulty, paced, status_fault};
use crate::support::{Answer, hone, in_time, upstream};

const MODEL: &str = "sim-small";

/// hone before a provider that speaks `dialect`, to be started.
async fn before(dialect: Speaks) -> (SimHandle, Setup) {
    let sim = upstream().await;
    let setup = hone().upstream_with(&sim, |upstream| dialect.upstream(&sim, upstream));
    (sim, setup)
}

/// All pairs of a client's and an upstream's dialect that differ.
fn crossings() -> impl Iterator<Item = (Speaks, Speaks)> {
    ALL.into_iter().flat_map(|client| {
        let others = ALL.into_iter().filter(move |upstream| *upstream != client);
        others.map(move |upstream| (client, upstream))
    })
}

/// The message and the kind of an error, in the client's shape.
fn error(client: Speaks, answer: &Answer) -> (String, String) {
    let error = answer.json()["error"].clone();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let kind = match client {
        Speaks::Anthropic => {
            assert_eq!(answer.json()["type"], "error", "{answer}");
            &error["type"]
        }
        Speaks::Gemini => {
            assert!(error["code"].is_u64(), "{answer}");
            &error["status"]
        }
        Speaks::Chat | Speaks::Responses => &error["type"],
    };
    (text(&error["message"]), text(kind))
}

/// How Anthropic's, OpenAI's and Google's clients call a status.
const KINDS: [(u16, [&str; 3]); 6] = [
    (
        400,
        [
            "invalid_request_error",
            "invalid_request_error",
            "INVALID_ARGUMENT",
        ],
    ),
    (
        401,
        [
            "authentication_error",
            "invalid_request_error",
            "UNAUTHENTICATED",
        ],
    ),
    (
        403,
        [
            "permission_error",
            "invalid_request_error",
            "PERMISSION_DENIED",
        ],
    ),
    (
        404,
        ["not_found_error", "invalid_request_error", "NOT_FOUND"],
    ),
    (
        429,
        ["rate_limit_error", "rate_limit_error", "RESOURCE_EXHAUSTED"],
    ),
    (500, ["api_error", "server_error", "INTERNAL"]),
];

async fn check_refusal(client: Speaks, upstream: Speaks, (status, words): (u16, [&str; 3])) {
    let [anthropic, openai, gemini] = words;
    let expected = match client {
        Speaks::Anthropic => anthropic,
        Speaks::Gemini => gemini,
        Speaks::Chat | Speaks::Responses => openai,
    };
    let (sim, setup) = before(upstream).await;
    sim.set(faulty(None, status_fault(status, None)));
    let hone = setup.start();
    for streams in [false, true] {
        let body = client.body(MODEL, "Hi", streams).to_string();
        let path = client.path(MODEL, streams);
        let answer = hone.client("k").post(&path, body).await;
        answer.assert_status(status);
        let (message, kind) = error(client, &answer);
        // Between OpenAI's two there is nothing to translate.
        let is_openais = |dialect| matches!(dialect, Speaks::Chat | Speaks::Responses);
        if !(is_openais(client) && is_openais(upstream)) {
            assert_eq!(kind, expected, "by {upstream:?}: {answer}");
            assert!(message.starts_with("sim: "), "{answer}");
        }
    }
}

#[tokio::test]
async fn an_upstreams_refusal_is_told_in_the_clients_words_with_its_status() {
    for kind in KINDS
        .into_iter()
        .filter(|(status, _)| [400, 404].contains(status))
    {
        for (client, upstream) in crossings() {
            check_refusal(client, upstream, kind).await;
        }
    }
}

#[tokio::test]
async fn a_key_that_an_upstream_rejects_is_masked_as_no_other_error() {
    for kind in KINDS
        .into_iter()
        .filter(|(status, _)| [401, 403].contains(status))
    {
        for (client, upstream) in crossings() {
            check_refusal(client, upstream, kind).await;
        }
    }
}

#[tokio::test]
async fn what_is_tried_again_in_vain_keeps_its_status_too() {
    for kind in KINDS
        .into_iter()
        .filter(|(status, _)| [429, 500].contains(status))
    {
        let next = ALL.into_iter().cycle().skip(1);
        for (client, upstream) in ALL.into_iter().zip(next) {
            check_refusal(client, upstream, kind).await;
        }
    }
}

#[tokio::test]
async fn an_overloaded_upstream_is_529_for_anthropics_clients_and_503_for_others() {
    for (client, upstream) in crossings() {
        let (sim, setup) = before(upstream).await;
        let status = if upstream == Speaks::Anthropic {
            529
        } else {
            503
        };
        sim.set(faulty(None, status_fault(status, None)));
        let hone = setup.start();
        let body = client.body(MODEL, "Hi", false).to_string();
        let answer = hone
            .client("k")
            .post(&client.path(MODEL, false), body)
            .await;
        let told = if client == Speaks::Anthropic {
            529
        } else {
            503
        };
        answer.assert_status(told);
    }
}

#[tokio::test]
async fn a_stream_that_breaks_off_never_ends_like_one_that_is_whole() {
    let faults = [
        Fault::CutMidBody,
        Fault::EndMidBody,
        Fault::ErrorEvent,
        Fault::MalformedJson,
    ];
    for (client, upstream) in crossings() {
        let (sim, setup) = before(upstream).await;
        let hone = setup.start();
        let path = client.path(MODEL, true);
        for fault in faults.clone() {
            sim.set(faulty(None, fault.clone()));
            let body = client.body(MODEL, "Say hello to all of us.", true);
            let answer = hone.client("k").post(&path, body.to_string()).await;
            let is_told = answer.status.as_u16() >= 500 || text(&answer).contains("error");
            assert!(
                is_told && !client.is_whole(&answer),
                "{client:?} by {upstream:?}, {fault:?}: {answer}"
            );
        }
    }
}

fn text(answer: &Answer) -> String {
    crate::support::text(&answer.body)
}

#[tokio::test]
async fn a_translated_call_is_charged_what_its_answer_tells() {
    const LIMIT: u64 = 100;
    for (client, upstream) in crossings() {
        let (_sim, setup) = before(upstream).await;
        let hone = setup.limit("tokens_per_minute", 100).start();
        for streams in [false, true] {
            let asks = hone.client(if streams { "a" } else { "b" });
            let body = client.body(MODEL, "Say hello.", streams).to_string();
            let answer = asks.post(&client.path(MODEL, streams), body).await;
            answer.assert_ok();
            let (input, output) = client.usage(&answer);
            let spent = LIMIT - asks.left("tokens").await;
            // Some of it has come back meanwhile.
            let all = input + output;
            assert!(
                spent <= all && spent + 10 > all && all > 10,
                "{client:?} by {upstream:?}: {spent} of {all}"
            );
        }
    }
}

#[tokio::test]
async fn a_client_that_leaves_ends_a_translated_call() {
    for (client, upstream) in crossings() {
        let (sim, setup) = before(upstream).await;
        sim.set(Knobs {
            answer_tokens: 5000,
            ..paced(20)
        });
        let hone = setup.start();
        let body = client.body(MODEL, "Tell me all.", true).to_string();
        let path = client.path(MODEL, true);
        {
            let asks = hone.client("k");
            let asked = asks.post(&path, body);
            let busy = busy(&sim);
            tokio::select! {
                _ = asked => panic!("it takes minutes"),
                () = busy => {}
            }
        }
        in_time(sim.wait_until(|stats| stats.in_flight == 0)).await;
    }
}

#[tokio::test]
async fn what_a_dialect_has_no_words_for_is_named() {
    let (_sim, setup) = before(Speaks::Anthropic).await;
    let hone = setup.start();
    let mut body = Speaks::Chat.body(MODEL, "Hi", false);
    body["seed"] = json!(1);
    body["logit_bias"] = json!({"1": 2});
    body["service_tier"] = json!("flex");
    let answer = hone.client("k").chat(&body).await;
    answer.assert_ok();
    let told = answer.header("x-hone-degraded");
    assert!(
        told.contains("seed") && told.contains("logit_bias"),
        "{told}"
    );
    assert!(!told.contains("service_tier"), "{told}");
}

#[tokio::test]
async fn what_may_not_be_left_out_is_refused_by_its_path_before_anything_is_spent() {
    let (sim, setup) = before(Speaks::Chat).await;
    let hone = setup.start();
    let mut body = Speaks::Responses.body(MODEL, "Hi", false);
    body["previous_response_id"] = json!("resp_1");
    let answer = hone
        .client("k")
        .post("/v1/responses", body.to_string())
        .await;
    answer.assert_status(400);
    assert_eq!(answer.json()["error"]["param"], "previous_response_id");
    let mut body = Speaks::Anthropic.body(MODEL, "Hi", false);
    body["messages"][0]["content"] =
        json!([{"type": "image", "source": {"type": "file", "file_id": "f"}}]);
    let answer = hone
        .client("k")
        .post("/v1/messages", body.to_string())
        .await;
    answer.assert_status(400);
    assert!(error(Speaks::Anthropic, &answer).0.len() > 9, "{answer}");
    assert_eq!(calls([&sim]), [0]);
}

#[tokio::test]
async fn a_provider_without_the_clients_endpoint_is_asked_in_chat() {
    let refusal = head::answer("404 Not Found")
        .json()
        .body(r#"{"detail":"Not Found"}"#);
    let raw = RawUpstream::start(refusal, Then::Close).await;
    let hone = hone().upstream(&raw).start();
    let body = Speaks::Anthropic.body(MODEL, "Hi", false).to_string();
    let answer = hone.client("k").post("/v1/messages", body).await;
    // It has no endpoint at all: its own refusal stands.
    answer.assert_status(404);
    let asked: Vec<String> = raw.heard();
    let lines: Vec<&str> = asked
        .iter()
        .filter_map(|text| text.lines().next())
        .collect();
    assert_eq!(
        lines,
        [
            "POST /v1/messages HTTP/1.1",
            "POST /v1/chat/completions HTTP/1.1"
        ]
    );
}

#[tokio::test]
async fn a_chat_only_provider_serves_all_clients_within_their_limits_and_tells_its_own_errors() {
    let sim = upstream().await;
    let set = |more: Knobs| {
        sim.set(Knobs {
            speaks: Some(Dialect::Chat),
            ..more
        });
    };
    set(Knobs::default());
    let hone = hone()
        .upstream(&sim)
        .limit("concurrent_requests", 1)
        .limit("requests_per_minute", 3)
        .start();
    for (key, client) in [("a", Speaks::Anthropic), ("b", Speaks::Responses)] {
        let asks = hone.client(key);
        let body = client.body(MODEL, "Hi", false).to_string();
        for _ in 0..2 {
            asks.post(&client.path(MODEL, false), body.clone())
                .await
                .assert_ok();
        }
        // Each request has cost one cell, whatever it took to answer it.
        assert_eq!(asks.left("requests").await, 1, "{client:?}");
    }
    let mut refuses = faulty(None, status_fault(401, None));
    refuses.faults[0].endpoint = Some("chat/completions".to_owned());
    set(refuses);
    let body = Speaks::Anthropic.body(MODEL, "Hi", false).to_string();
    let refused = hone.client("c").post("/v1/messages", body).await;
    refused.assert_status(401);
    assert_eq!(error(Speaks::Anthropic, &refused).1, "authentication_error");
}

#[tokio::test]
async fn the_operators_key_is_told_to_nobody_by_whatever_error() {
    for (client, upstream) in ALL
        .into_iter()
        .flat_map(|one| ALL.map(|other| (one, other)))
    {
        let words = format!("bad key {OPERATORS_KEY} of AIzaSyD-1234567890abc");
        let told = json!({"error": {"message": words, "type": "x", "code": 400}}).to_string();
        let refusal = head::answer("400 Bad Request").json().close().body(&told);
        let raw = RawUpstream::start(refusal, Then::Close).await;
        let hone = hone()
            .upstream_with(&raw, |raw| {
                raw.dialect(upstream.name())
                    .fallback_key()
                    .set("fallback_for", "anyone")
            })
            .start();
        for streams in [false, true] {
            let body = client.body(MODEL, "Hi", streams).to_string();
            let answer = hone
                .keyless()
                .post(&client.path(MODEL, streams), body)
                .await;
            answer.assert_hides(OPERATORS_KEY).assert_hides("AIzaSyD");
            assert!(answer.status.is_client_error() || answer.status.is_server_error());
        }
    }
}
