//! Keys: whose pays, who sees it, and the reports of other proxies' users that must be impossible
//! here.

use http::Method;
use serde_json::json;

use crate::support::{Client, chat_body, hone, hone_before, hone_with_env, table, upstream};

const GATEWAY: &str = "hk-alice";
/// `hone key digest` of [`GATEWAY`].
fn gateway_digest() -> String {
    hone::config::KeyDigest::of(GATEWAY.as_bytes()).to_string()
}

fn operators_key(name: &str) -> Option<String> {
    (name == "OPERATORS_KEY").then(|| "sk-operator".to_owned())
}

const FALLBACK: &str = "fallback_key = { env = \"OPERATORS_KEY\" }\n";

#[tokio::test]
async fn report_a_the_key_was_set_in_the_client_yet_the_proxy_wanted_one_on_the_server() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let answer = Client::new(hone.address())
        .key("sk-mine")
        .chat(&chat_body("sim-small"))
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-hone-credential"), "client");
    assert_eq!(upstream.stats().calls_with(b"sk-mine"), 1);
}

#[tokio::test]
async fn report_b_a_configured_key_was_overridden_by_another_source_and_the_probe_answered_401() {
    let upstream = upstream().await;
    let env = |name: &str| match name {
        "OPERATORS_KEY" => Some("sk-operator".to_owned()),
        // What other proxies read on their own.
        "OPENAI_API_KEY" | "OPTILLM_API_KEY" | "LITELLM_MASTER_KEY" => {
            Some("sk-ambient".to_owned())
        }
        _ => None,
    };
    let config = format!(
        "{}{FALLBACK}fallback_for = \"loopback\"\n",
        table(&upstream)
    );
    let hone = hone_with_env(&config, env);
    let answer = Client::new(hone.address())
        .chat(&chat_body("sim-small"))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("x-hone-credential")),
        (200, "fallback")
    );
    assert_eq!(upstream.stats().calls_with(b"sk-operator"), 1);
    assert_eq!(upstream.stats().calls_with(b"sk-ambient"), 0);
    let before = upstream.stats().total_calls();
    for probe in ["/livez", "/readyz", "/health"] {
        assert_eq!(
            Client::new(hone.address()).get(probe).await.status,
            200,
            "{probe}"
        );
    }
    assert_eq!(
        upstream.stats().total_calls(),
        before,
        "probes call no provider"
    );
}

#[tokio::test]
async fn report_c_first_start_and_the_admin_user_was_not_found_in_a_database() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let client = Client::new(hone.address()).key("never-seen-before");
    assert_eq!(client.chat(&chat_body("sim-small")).await.status, 200);
    assert_eq!(
        client.get("/hone/whoami").await.json()["identified_by"],
        "unregistered_provider_key"
    );
}

#[tokio::test]
async fn report_d_a_valid_key_was_rejected_because_another_source_won_by_precedence() {
    let upstream = upstream().await;
    let config = format!(
        "{}{FALLBACK}fallback_for = \"anyone\"\n[[tenant]]\nname = \"alice\"\nkeys = [\"{}\"]\n",
        table(&upstream),
        gateway_digest()
    );
    let hone = hone_with_env(&config, operators_key);
    let with_both = Client::new(hone.address())
        .key("sk-mine")
        .header("x-hone-key", GATEWAY)
        .chat(&chat_body("sim-small"))
        .await;
    assert_eq!(
        (
            with_both.status.as_u16(),
            with_both.header("x-hone-credential")
        ),
        (200, "client")
    );
    assert_eq!(upstream.stats().calls_with(b"sk-mine"), 1);
    assert_eq!(upstream.stats().calls_with(b"sk-operator"), 0);
}

#[tokio::test]
async fn report_e_a_keyless_local_model_demanded_a_dummy_provider_key() {
    let upstream = upstream().await;
    let hone = hone(&format!("{}auth = \"none\"\n", table(&upstream)));
    let answer = Client::new(hone.address())
        .chat(&chat_body("sim-small"))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("x-hone-credential")),
        (200, "none")
    );
    let sent = Client::new(hone.address())
        .key("sk-by-habit")
        .chat(&chat_body("sim-small"))
        .await;
    assert_eq!(
        (sent.status.as_u16(), sent.header("x-hone-credential")),
        (200, "none")
    );
    assert_eq!(
        upstream.stats().calls_with(b"sk-by-habit"),
        0,
        "whatever was sent is stripped"
    );
}

#[tokio::test]
async fn a_clients_key_of_any_shape_reaches_the_upstream_byte_for_byte() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
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
            let answer = Client::new(hone.address())
                .key(key)
                .chat(&chat_body(model))
                .await;
            assert_eq!(answer.status, 200, "{key}: {}", answer.text());
        }
        assert!(upstream.stats().calls_with(key.as_bytes()) >= 2, "{key}");
    }
}

#[tokio::test]
async fn a_gateway_key_never_leaves_the_process() {
    let upstream = upstream().await;
    let config = format!(
        "{}{FALLBACK}[[tenant]]\nname = \"alice\"\nkeys = [\"{}\"]\n",
        table(&upstream),
        gateway_digest()
    );
    let hone = hone_with_env(&config, operators_key);
    for client in [
        Client::new(hone.address()).key(GATEWAY),
        Client::new(hone.address()).header("x-hone-key", GATEWAY),
        Client::new(hone.address()).header("x-api-key", GATEWAY),
    ] {
        let answer = client.chat(&chat_body("sim-small")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("x-hone-credential")),
            (200, "fallback"),
            "{}",
            answer.text()
        );
    }
    assert_eq!(upstream.stats().calls_with(GATEWAY.as_bytes()), 0);
    for request in upstream.requests() {
        assert!(
            request
                .headers
                .keys()
                .all(|name| !name.as_str().starts_with("x-hone"))
        );
    }
}

#[tokio::test]
async fn unusable_keys_are_refused_before_any_upstream_hears_of_them() {
    let upstream = upstream().await;
    let hone = hone_before(&upstream);
    let address = hone.address();
    let rows: Vec<(Client, u16, &str)> = vec![
        (Client::new(address), 401, "invalid_api_key"),
        (Client::new(address).key("none"), 401, "invalid_api_key"),
        (Client::new(address).key(""), 401, "invalid_api_key"),
        (
            Client::new(address).header("x-hone-key", "unknown"),
            401,
            "invalid_gateway_key",
        ),
        (Client::new(address).key("a").key("b"), 400, "repeated_key"),
        (
            Client::new(address).key("a").header("x-api-key", "b"),
            400,
            "conflicting_keys",
        ),
        (
            Client::new(address).header("authorization", "Basic YTpi"),
            400,
            "invalid_authorization",
        ),
        (
            Client::new(address)
                .key("a")
                .header("x-hone-key-nowhere", "b"),
            400,
            "unknown_upstream",
        ),
    ];
    for (client, status, code) in rows {
        let answer = client.chat(&chat_body("sim-small")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (status, code),
            "{}",
            answer.text()
        );
    }
    assert_eq!(upstream.stats().total_calls(), 0);
}

#[tokio::test]
async fn a_clients_key_goes_to_the_upstream_its_model_routes_to_and_to_no_other() {
    let (first, second) = (upstream().await, upstream().await);
    let other = table(&second)
        .replace("\"sim\"", "\"other\"")
        .replace("base_url", "models = [\"far-*\"]\nbase_url");
    let hone = hone(&format!("{}models = [\"sim-*\"]\n{other}", table(&first)));
    let client = Client::new(hone.address()).key("mine");
    assert_eq!(client.chat(&chat_body("sim-small")).await.status, 200);
    let refused = client.chat(&chat_body("far-model")).await;
    assert_eq!(
        (refused.status.as_u16(), refused.code().as_str()),
        (401, "invalid_api_key")
    );
    assert!(
        refused.text().contains("x-hone-key-other"),
        "{}",
        refused.text()
    );
    let named = client
        .clone()
        .header("x-hone-key-other", "theirs")
        .chat(&chat_body("bon-far-model"))
        .await;
    assert_eq!(named.status, 200, "{}", named.text());
    assert_eq!(
        (
            second.stats().calls_with(b"mine"),
            first.stats().calls_with(b"theirs")
        ),
        (0, 0)
    );
    assert!(second.stats().calls_with(b"theirs") > 0);
    assert_eq!(
        client.chat(&chat_body("nobody-serves-this")).await.code(),
        "model_not_found"
    );
}

#[tokio::test]
async fn the_operators_account_is_not_the_callers_business() {
    let upstream = upstream().await;
    let hone = hone_with_env(
        &format!(
            "{}{FALLBACK}fallback_for = \"loopback\"\n",
            table(&upstream)
        ),
        operators_key,
    );
    let client = Client::new(hone.address()).header("openai-organization", "org-caller");
    for (status, expected, code) in [
        (401, 502, "fallback_key_rejected"),
        (403, 502, "fallback_key_rejected"),
        (429, 429, "rate_limit_exceeded"),
    ] {
        for model in ["sim-small", "bon-sim-small"] {
            let mut body = chat_body(model);
            body["sim"] =
                json!({"faults": [{"fault": {"status": {"status": status, "retry_after": "90"}}}]});
            let answer = client.chat(&body).await;
            assert_eq!(
                (answer.status.as_u16(), answer.code().as_str()),
                (expected, code),
                "{status} {model}: {}",
                answer.text()
            );
            if status == 429 {
                assert_eq!(
                    (
                        answer.header("x-hone-limit-source"),
                        answer.header("retry-after")
                    ),
                    ("upstream", "90")
                );
            }
        }
    }
    assert!(
        upstream
            .requests()
            .iter()
            .all(|request| !request.headers.contains_key("openai-organization"))
    );
}

#[tokio::test]
async fn a_fallback_key_serves_only_what_shares_nothing_between_its_callers() {
    let upstream = upstream().await;
    let hone = hone_with_env(
        &format!(
            "{}{FALLBACK}fallback_for = \"loopback\"\n",
            table(&upstream)
        ),
        operators_key,
    );
    let client = Client::new(hone.address());
    for (method, path) in [
        (Method::GET, "/v1/files"),
        (Method::POST, "/v1/batches"),
        (Method::GET, "/v1/responses/r1"),
        (Method::DELETE, "/v1/models/x"),
        (Method::POST, "/v1/fine_tuning/jobs"),
    ] {
        let answer = client.send(method, path, "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (403, "fallback_path_not_allowed"),
            "{path}"
        );
    }
    for field in ["previous_response_id", "conversation", "background"] {
        let answer = client
            .post(
                "/v1/responses",
                json!({"model": "sim-small", "input": "x", field: "r1"}).to_string(),
            )
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "fallback_field_not_allowed"),
            "{field}"
        );
    }
    assert_eq!(upstream.stats().total_calls(), 0);
    assert_eq!(client.get("/v1/models").await.status, 200);
}

#[tokio::test]
async fn addresses_that_keep_presenting_rejected_keys_are_stopped() {
    let upstream = upstream().await;
    let config = format!(
        "{}[bounds]\nrejected_keys_per_minute = 5\n[[tenant]]\nname = \"alice\"\n\
            provider_keys = [\"{}\"]\n",
        table(&upstream),
        gateway_digest()
    );
    let hone = hone(&config);
    let mut body = chat_body("sim-small");
    body["sim"] = json!({"faults": [{"fault": {"status": {"status": 401}}}]});
    for attempt in 0..5 {
        assert_eq!(
            Client::new(hone.address())
                .key(&format!("guess-{attempt}"))
                .chat(&body)
                .await
                .status,
            401
        );
    }
    let stopped = Client::new(hone.address()).key("guess-6").chat(&body).await;
    assert_eq!(
        (stopped.status.as_u16(), stopped.code().as_str()),
        (429, "rejected_keys_limit_exceeded")
    );
    assert_eq!(upstream.stats().total_calls(), 5);
    assert_eq!(
        Client::new(hone.address())
            .key(GATEWAY)
            .chat(&chat_body("sim-small"))
            .await
            .status,
        200,
        "a named key is served"
    );
}
