//! Ways around a rule that a hostile reader found, each closed.

use http::Method;
use serde_json::json;

use crate::support::{Client, chat_body, hone, hone_before, hone_with_env, table, upstream};

fn operators_key(name: &str) -> Option<String> {
    (name == "OPERATORS_KEY").then(|| "sk-operator".to_owned())
}

#[tokio::test]
async fn another_content_type_is_no_way_around_the_rules_for_models_and_tokens() {
    let upstream = upstream().await;
    let config = format!(
        "{}fallback_key = {{ env = \"OPERATORS_KEY\" }}\nfallback_for = \"loopback\"\n",
        table(&upstream)
    );
    let hone = hone_with_env(&config, operators_key);
    let body =
        json!({"model": "sim-small", "input": "x", "previous_response_id": "r1"}).to_string();
    for path in [
        "responses",
        "completions",
        "embeddings",
        "messages",
        "moderations",
        "images/generations",
    ] {
        for kind in ["application/x+json", "text/plain"] {
            let answer = Client::new(hone.address())
                .header("content-type", kind)
                .send(Method::POST, &format!("/v1/{path}"), body.clone())
                .await;
            assert_eq!(answer.status, 415, "{path} {kind}: {}", answer.text());
        }
    }
    assert_eq!(upstream.stats().total_calls(), 0);
    let picture =
        json!({"model": "sim-image", "prompt": "x", "background": "transparent"}).to_string();
    assert_ne!(
        Client::new(hone.address())
            .post("/v1/images/generations", picture)
            .await
            .status,
        400,
        "there it is a colour"
    );
}

#[tokio::test]
async fn a_dry_run_of_a_relay_spends_nothing() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let client = Client::new(hone.address())
        .key("k")
        .header("x-hone-dry-run", "1");
    assert_eq!(
        client.chat(&chat_body("sim-small")).await.json()["upstream_calls"],
        1
    );
    assert_eq!(client.get("/v1/models").await.json()["upstream_calls"], 1);
    assert_eq!(upstream.stats().total_calls(), 0);
}

#[tokio::test]
async fn an_empty_body_of_type_json_passes_where_hone_needs_nothing_of_it() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    Client::new(hone.address())
        .key("k")
        .post("/v1/batches/b1/cancel", "")
        .await;
    assert_eq!(upstream.requests()[0].target, "/v1/batches/b1/cancel");
}

#[tokio::test]
async fn virtual_models_are_listed_to_clients_that_accept_compression_too() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[[model]]\nname = \"careful\"\nmodel = \"sim-small\"\napproach = \"bon\"\n",
        table(&upstream)
    ));
    let list = Client::new(hone.address())
        .key("k")
        .header("accept-encoding", "gzip")
        .get("/v1/models")
        .await;
    assert!(list.text().contains("careful"));
    assert_eq!(
        upstream.requests()[0].headers["accept-encoding"],
        "identity"
    );
}

#[tokio::test]
async fn what_an_upstream_refuses_and_what_is_not_counted_costs_no_tokens() {
    let upstream = upstream().await;
    let hone = hone(&format!(
        "{}[limits]\ntokens_per_minute = 1500\n",
        table(&upstream)
    ));
    let client = Client::new(hone.address()).key("k");
    let mut refused = chat_body("sim-small");
    refused["sim"] = json!({"faults": [{"fault": {"status": {"status": 429}}}]});
    for attempt in 0..8 {
        assert_eq!(
            client.chat(&refused).await.header("x-hone-limit-source"),
            "",
            "attempt {attempt}: the upstream's own 429"
        );
        let moderated = client
            .post(
                "/v1/moderations",
                json!({"input": "x".repeat(2000)}).to_string(),
            )
            .await;
        assert_eq!(moderated.status, 200, "attempt {attempt}");
    }
    assert_eq!(client.chat(&chat_body("sim-small")).await.status, 200);
}

#[tokio::test]
async fn a_key_that_the_operator_took_back_is_not_shown_to_a_provider() {
    let upstream = upstream().await;
    let revoked = hone::config::KeyDigest::of(b"a-gateway-key-of-old");
    let hone = hone(&format!(
        "revoked_keys = [\"{revoked}\"]\n{}",
        table(&upstream)
    ));
    let made = format!("hone-{}", "5".repeat(64));
    for (key, code) in [
        ("a-gateway-key-of-old", "revoked_key"),
        (made.as_str(), "invalid_gateway_key"),
    ] {
        let client = Client::new(hone.address());
        for client in [
            client.clone().key(key),
            client.clone().header("x-api-key", key),
            client.header("x-hone-key-sim", key),
        ] {
            let answer = client.chat(&chat_body("sim-small")).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (401, code),
                "{key}"
            );
            assert!(!answer.text().contains(key));
            assert!(
                answer.text().contains("not sent to any provider"),
                "{}",
                answer.text()
            );
        }
    }
    assert_eq!(upstream.stats().total_calls(), 0);
    assert_eq!(
        Client::new(hone.address())
            .key("sk-another")
            .chat(&chat_body("sim-small"))
            .await
            .status,
        200
    );
}
