//! The operator's own key: for whom it is, for what, and who hears of its troubles.

use futures_util::future::join_all;
use http::Method;
use serde_json::json;

use crate::support::head;
use crate::support::parts::SimHandle;
use crate::support::raw::{RawUpstream, Then};
use crate::support::setup::Upstream;
use crate::support::sim::{calls, fault};
use crate::support::{Hone, chat_body, hone, upstream};

fn for_loopback(upstream: &SimHandle) -> Hone {
    hone()
        .upstream_with(upstream, |upstream| {
            let upstream = upstream.fallback_for("loopback");
            upstream.set("fallback_fields", vec!["sim".to_owned()])
        })
        .start()
}

#[tokio::test]
async fn the_operators_account_is_not_the_callers_business() {
    let upstream = upstream().await;
    let hone = for_loopback(&upstream);
    let client = hone.keyless().header("openai-organization", "org-caller");
    for (status, expected, code) in [
        (401, 502, "fallback_key_rejected"),
        (402, 502, "fallback_key_rejected"),
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
    for (field, value) in [
        ("previous_response_id", json!("r1")),
        ("previous_re\u{17f}ponse_id", json!("r1")),
        ("conversation", json!("r1")),
        ("background", json!(true)),
        ("bac\u{212a}ground", json!(true)),
        ("prompt", json!({"id": "p"})),
        ("input", json!([{"type": "item_reference", "id": "i"}])),
        (
            "input",
            json!([{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]),
        ),
        (
            "tools",
            json!([{"type": "file_search", "vector_store_ids": ["v"]}]),
        ),
        (
            "tools",
            json!([{"type": "code_interpreter", "container": "c"}]),
        ),
        ("new", json!(1)),
    ] {
        let mut body = json!({"model": "sim-small", "input": "x"});
        body[field] = value;
        let answer = client.post("/v1/responses", body.to_string()).await;
        answer.assert_refused(403, "fallback_field_not_allowed");
    }
    for model in ["sim-small", "re2-sim-small"] {
        let file = json!([{"type": "file", "file": {"file_id": "f"}}]);
        let fields = json!({"messages": [{"role": "user", "content": file}]});
        let answer = client.ask_with(model, fields).await;
        answer.assert_refused(403, "fallback_field_not_allowed");
    }
    let form = json!({"model": "sim-image", "image": {"file_id": "f"}});
    let answer = client.post("/v1/images/edits", form.to_string()).await;
    answer.assert_refused(403, "fallback_field_not_allowed");
    assert_eq!(calls([&upstream]), [0]);
    client.get("/v1/models").await.assert_ok();
}

#[tokio::test]
async fn the_operators_key_is_not_for_what_comes_through_a_proxy_or_from_a_page() {
    let upstream = upstream().await;
    let hone = for_loopback(&upstream);
    for (name, value) in [
        ("via", "1.1 nginx"),
        ("x-forwarded-for", "203.0.113.7"),
        ("cf-connecting-ip", "203.0.113.7"),
        ("true-client-ip", "203.0.113.7"),
        ("x-client-ip", "203.0.113.7"),
        ("x-original-forwarded-for", "203.0.113.7"),
        ("origin", "http://localhost:3000"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let answer = hone.keyless().header(name, value).ask("sim-small").await;
        answer.assert_refused(401, "invalid_api_key");
    }
    let body = chat_body("sim-small").to_string();
    for (version, host) in [("1.0", "127.0.0.1:8000"), ("1.1", "api.example.com")] {
        let head = format!("POST /v1/chat/completions HTTP/{version}\r\nhost: {host}\r\n");
        let length = body.len();
        let rest = format!("content-length: {length}\r\nconnection: close\r\n\r\n{body}");
        let json = "content-type: application/json\r\n";
        let answer = hone.exchange([head.as_str(), json, &rest].concat()).await;
        assert!(answer.contains(" 401 "), "{answer}");
    }
    assert_eq!(calls([&upstream]), [0]);
    hone.keyless().ask("sim-small").await.assert_ok();
}

#[tokio::test]
async fn keyless_models_are_not_for_web_pages() {
    let upstream = upstream().await;
    let keyless = hone().upstream_with(&upstream, Upstream::keyless);
    let hone = keyless.start();
    for (name, value) in [
        ("host", "evil.example:8000"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        let client = hone.client("by-habit").header(name, value);
        client
            .ask("sim-small")
            .await
            .assert_refused(403, "foreign_page");
        let list = client.get("/v1/models").await;
        list.assert_refused(403, "foreign_page");
        let answer = client.ask("re2-sim-small").await;
        answer.assert_refused(403, "foreign_page");
    }
    assert_eq!(calls([&upstream]), [0]);
    // nginx before a local model is honest use.
    let proxied = hone.keyless().header("x-forwarded-for", "203.0.113.7");
    proxied
        .header("via", "1.1 nginx")
        .ask("sim-small")
        .await
        .assert_ok();
    let open = keyless.set("hosts", vec!["ai.example".to_owned()]).start();
    let named = open.keyless().header("host", "AI.example");
    named.ask("sim-small").await.assert_ok();
    let page = named.header("origin", "https://ai.example");
    page.header("sec-fetch-site", "same-origin")
        .ask("sim-small")
        .await
        .assert_ok();
}

#[tokio::test]
async fn an_idempotency_key_goes_out_with_its_tenant_where_the_key_is_shared() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream_with(&upstream, Upstream::fallback_key)
        .tenant("alice", |alice| alice.key("gateway-alice"))
        .tenant("bob", |bob| bob.key("gateway-bob"))
        .start();
    for key in ["gateway-alice", "gateway-bob", "sk-own"] {
        let client = hone.client(key).header("idempotency-key", "1");
        client.ask("sim-small").await.assert_ok();
    }
    let requests = upstream.requests();
    let sent = requests
        .iter()
        .map(|request| &request.headers["idempotency-key"]);
    assert_eq!(sent.collect::<Vec<_>>(), ["alice/1", "bob/1", "1"]);
}

#[tokio::test]
async fn an_error_tells_its_reason_and_nothing_of_the_operators_account() {
    for (body, told) in [
        (
            r#"{"error":{"message":"No m in org-A1b2C3d4","code":"model_not_found"},"user":"u"}"#,
            "No m in […]",
        ),
        (
            r#"{"error":{"message":"Your credit balance is 3.17"}}"#,
            "operator's to know",
        ),
        ("<html>org-A1b2C3d4</html>", "gave no reason"),
    ] {
        for status in [
            "400 Bad Request",
            "404 Not Found",
            "500 Internal Server Error",
        ] {
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nx-ms-region: Sweden\r\n\
                 x-should-retry: false\r\nconnection: close\r\n\
                 x-request-id: r1\r\n\r\n{body}"
            );
            let upstream = RawUpstream::start(answer, Then::Close).await;
            let fallback = |upstream: Upstream| upstream.fallback_for("loopback");
            let hone = hone().upstream_with(&upstream, fallback).start();
            for model in ["m", "re2-m"] {
                let answer = hone.keyless().ask(model).await;
                let code = status
                    .split(' ')
                    .next()
                    .unwrap_or_default()
                    .parse()
                    .expect("a status");
                answer.assert_status(code).assert_says(told);
                answer.assert_hides("A1b2C3d4").assert_hides("3.17");
                answer
                    .assert_header("x-ms-region", "")
                    .assert_header("x-request-id", "r1");
                let own = hone.client("own").ask(model).await;
                assert_eq!((own.status.as_u16(), own.text()), (code, body.to_owned()));
            }
        }
    }
}

#[tokio::test]
async fn an_error_within_an_answer_tells_nothing_of_the_operators_account_either() {
    let error = r#"{"code":"c","message":"Rate limit reached in organization org-OPERATOR1"}"#;
    let failed = format!(r#"{{"id":"r","status":"failed","output":[],"error":{error}}}"#);
    let plain = r#"data: {"type":"response.created","response":{"error":null,"id":"r"}}"#;
    let events = format!(
        "{plain}\n\nevent: error\ndata: {{\"type\":\"error\",\"error\":{error}}}\n\n\
         event: response.failed\ndata: {{\"type\":\"response.failed\",\"response\":{failed}}}\n\n"
    );
    for (kind, body) in [
        ("application/json", failed.clone()),
        ("Application/JSON", failed.clone()),
        ("text/plain", failed.clone()),
        ("application/json", format!("\u{feff} {failed}")),
        ("text/html", format!("\n[{failed}]")),
        ("text/event-stream", events.clone()),
        ("Text/Event-Stream; charset=utf-8", events),
    ] {
        let head = head::answer("200 OK").header("content-type", kind).close();
        let upstream = RawUpstream::start(head.body(&body), Then::Close).await;
        let fallback = |upstream: Upstream| upstream.fallback_for("loopback");
        let hone = hone().upstream_with(&upstream, fallback).start();
        let is_stream = kind.to_lowercase().starts_with("text/event-stream");
        for (path, stream) in [
            ("/v1/responses", is_stream),
            ("/v1/audio/speech", is_stream),
        ] {
            let mut asked = json!({"model": "m", "input": "x"});
            if path == "/v1/responses" {
                asked["stream"] = json!(stream);
            }
            let answer = hone.keyless().post(path, asked.to_string()).await;
            answer.assert_ok().assert_hides("OPERATOR1");
            answer
                .assert_says("operator's to know")
                .assert_says(r#""id":"r""#);
            let own = hone.client("own").post(path, asked.to_string()).await;
            assert_eq!(own.text(), body);
        }
    }
}

/// What providers answer with status 200 where they fail: as an answer, and as a stream.
fn failures() -> Vec<(&'static str, String)> {
    let error = r#"{"code":"c","message":"Rate limit reached for sk-OPERATOR1 in org-OPERATOR1"}"#;
    let choice = |more: &str| format!(r#"{{"choices":[{{"index":0,"error":{error}{more}}}]}}"#);
    let message = r#","message":{"role":"assistant","content":""}"#;
    let documents = [
        format!(r#"{{"error":{error}}}"#),
        format!(r#"[{{"error":{error}}}]"#),
        r#"{"error":"no key sk-OPERATOR1","choices":[]}"#.to_owned(),
        choice(&format!(r#"{message},"finish_reason":"error""#)),
        choice(message),
    ];
    let delta = r#","delta":{"content":"B"}"#;
    let begun = format!(r#"data: {{"choices":[{{"index":0{delta}}}]}}"#);
    let streams = [
        format!("data: {{\"error\":{error}}}\n\n"),
        format!("event: error\ndata: {{\"error\":{error}}}\n\n"),
        format!("{begun}\n\ndata: {{\"error\":{error}}}\n\ndata: [DONE]\n\n"),
        format!("{begun}\n\ndata: {}\n\n", choice(r#","delta":{}"#)),
        format!("{begun}\n\ndata: {}\n\n", choice(delta)),
    ];
    let documents = documents.map(|text| ("application/json", text));
    let streams = streams.map(|text| ("text/event-stream", text));
    documents.into_iter().chain(streams).collect()
}

#[tokio::test]
async fn a_call_of_a_strategy_that_fails_within_an_answer_tells_nothing_of_the_account() {
    // At once: each waits before it tries again.
    let cases = failures().into_iter().map(|(kind, body)| async move {
        let head = head::answer("200 OK").header("content-type", kind).close();
        let upstream = RawUpstream::start(head.body(&body), Then::Close).await;
        let fallback = |upstream: Upstream| upstream.fallback_for("loopback");
        let hone = &hone().upstream_with(&upstream, fallback).start();
        let asked = ["re2-m", "bon-m", "moa-m"]
            .into_iter()
            .flat_map(|model| [false, true].map(|stream| (model, stream)));
        let answers = asked.map(|(model, stream)| async move {
            let fields = json!({"stream": stream});
            let answer = hone.keyless().ask_with(model, fields.clone()).await;
            answer.assert_hides("OPERATOR1");
            let own = hone.client("own").ask_with(model, fields).await;
            own.assert_says("OPERATOR1");
        });
        join_all(answers).await;
    });
    join_all(cases).await;
}
