//! Broken upstreams: each has a stated outcome, for a relay and for a strategy, and the process
//! serves the next request.

use http_body_util::BodyExt;
use serde_json::json;
use tokio::time::timeout;

use crate::support::client::PATIENCE;
use crate::support::raw::{RawUpstream, Then, exchange};
use crate::support::{Client, chat_body, hone, table_at, upstream};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
const SSE: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";

fn with_length(head: &str, body: &str) -> Vec<u8> {
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// What a client of hone gets from an upstream that answers with these bytes.
async fn through(
    answer: impl Into<Vec<u8>>,
    then: Then,
    model: &str,
    stream: bool,
) -> Result<(u16, String, String), String> {
    let upstream = RawUpstream::start(answer, then).await;
    let bounds = "[bounds]\nupstream_head = \"300ms\"\nstream_idle = \"300ms\"\n\
        sse_event_bytes = 1024\nanswer_bytes = 4096\n";
    let hone = hone(&format!("{}{bounds}", table_at("broken", upstream.address)));
    let mut body = chat_body(model);
    body["stream"] = json!(stream);
    let response = Client::new(hone.address()).key("k").open_chat(&body).await;
    let (head, body) = response.into_parts();
    let code = head
        .headers
        .get("x-hone-error")
        .map_or(String::new(), |code| {
            code.to_str().expect("text").to_owned()
        });
    let body = timeout(PATIENCE, body.collect())
        .await
        .expect("an end in time")
        .map_err(|error| format!("{} then {error}", head.status))?;
    assert_eq!(
        Client::new(hone.address()).get("/livez").await.status,
        200,
        "the process serves the next request"
    );
    Ok((
        head.status.as_u16(),
        code,
        String::from_utf8_lossy(&body.to_bytes()).into_owned(),
    ))
}

#[tokio::test]
async fn a_relay_hands_on_what_it_gets_and_never_repairs_it() {
    let rows: Vec<(Vec<u8>, u16, &str)> = vec![
        (with_length(OK, "{not json"), 200, "{not json"),
        (
            with_length(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n",
                "<p>hi</p>",
            ),
            200,
            "<p>hi</p>",
        ),
        (
            with_length(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:1/\r\n",
                "x",
            ),
            307,
            "x",
        ),
        (
            with_length(
                "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\n",
                "late",
            ),
            200,
            "late",
        ),
        (
            with_length("HTTP/1.1 418 I'm a teapot\r\n", "short"),
            418,
            "short",
        ),
        (
            with_length("HTTP/1.1 500 Internal Server Error\r\n", "boom"),
            500,
            "boom",
        ),
        (
            with_length("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n", "\u{1f}zip"),
            200,
            "\u{1f}zip",
        ),
        (
            with_length(SSE, &format!("data: {}\n\n", "x".repeat(3000))),
            200,
            "data: x",
        ),
    ];
    for (answer, status, beginning) in rows {
        let shown = String::from_utf8_lossy(&answer[..answer.len().min(80)]).into_owned();
        let (got, code, body) = through(answer, Then::Close, "m", false)
            .await
            .expect("a whole answer");
        assert_eq!(got, status, "{shown}: {body}");
        assert_eq!(code, "", "{shown}");
        assert!(body.starts_with(beginning), "{shown}: {body}");
    }
}

#[tokio::test]
async fn invalid_utf8_is_relayed_byte_for_byte() {
    let upstream = RawUpstream::start(
        [
            b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n".as_slice(),
            b"\xff\xfe\0",
        ]
        .concat(),
        Then::Close,
    )
    .await;
    let hone = hone(&table_at("broken", upstream.address));
    assert_eq!(
        Client::new(hone.address())
            .key("k")
            .chat(&chat_body("m"))
            .await
            .body
            .as_ref(),
        b"\xff\xfe\0"
    );
}

#[tokio::test]
async fn a_cut_answer_aborts_the_clients_connection_and_adds_no_byte() {
    let cut = format!("{OK}content-length: 100\r\n\r\n{{\"id\"");
    assert!(
        through(cut, Then::Close, "m", false).await.is_err(),
        "content-length"
    );
    let chunked = format!("{SSE}transfer-encoding: chunked\r\n\r\n10\r\ndata: 1234567\n\n\r\n");
    let error = through(chunked.clone(), Then::Close, "m", true)
        .await
        .expect_err("chunked");
    assert!(error.starts_with("200"), "{error}");
    let upstream = RawUpstream::start(chunked, Then::Close).await;
    let hone = hone(&table_at("broken", upstream.address));
    let body = chat_body("m").to_string();
    let request = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer k\r\n\
            content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let seen = exchange(hone.address(), request.as_bytes()).await;
    assert!(seen.contains("data: 1234567"), "{seen}");
    assert!(
        !seen.ends_with("0\r\n\r\n"),
        "no end of chunks is made up: {seen}"
    );
    assert!(!seen.contains("[DONE]"));
}

#[tokio::test]
async fn an_upstream_that_falls_silent_in_mid_stream_is_cut() {
    let started = format!("{SSE}transfer-encoding: chunked\r\n\r\n10\r\ndata: 1234567\n\n\r\n");
    assert!(through(started, Then::Hang, "m", true).await.is_err());
}

#[tokio::test]
async fn an_upstream_without_an_answer_is_502_or_504() {
    for model in ["m", "bon-m"] {
        let (status, code, _) = through("", Then::Hang, model, false)
            .await
            .expect("an error");
        assert_eq!(
            (status, code.as_str()),
            (504, "deadline_exceeded"),
            "hang, {model}"
        );
        let (status, code, _) = through("", Then::Close, model, false)
            .await
            .expect("an error");
        assert_eq!(
            (status, code.as_str()),
            (502, "upstream_unavailable"),
            "closes, {model}"
        );
        let (status, code, _) = through("garbage\r\n\r\n", Then::Close, model, false)
            .await
            .expect("an error");
        assert_eq!(
            (status, code.as_str()),
            (502, "upstream_unavailable"),
            "garbage, {model}"
        );
        let huge = format!("HTTP/1.1 200 OK\r\nx-big: {}\r\n\r\n", "x".repeat(600_000));
        let (status, code, _) = through(huge, Then::Close, model, false)
            .await
            .expect("an error");
        assert_eq!(
            (status, code.as_str()),
            (502, "upstream_unavailable"),
            "oversized headers, {model}"
        );
    }
}

#[tokio::test]
async fn an_upstream_that_cannot_be_reached_is_502_and_soon_given_a_rest() {
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("binds")
        .local_addr()
        .expect("an address");
    let hone = hone(&table_at("gone", nobody));
    let client = Client::new(hone.address()).key("k");
    for _ in 0..4 {
        let answer = client.chat(&chat_body("m")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (502, "upstream_unavailable")
        );
    }
    assert!(
        !client
            .chat(&chat_body("m"))
            .await
            .header("retry-after")
            .is_empty(),
        "the breaker is open"
    );
}

#[tokio::test]
async fn a_strategy_never_takes_a_broken_answer_for_an_answer() {
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("malformed", with_length(OK, "{not json")),
        ("no choices", with_length(OK, "{}")),
        (
            "wrong type",
            with_length(
                "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n",
                "<p>hi</p>",
            ),
        ),
        (
            "cut",
            format!("{OK}content-length: 100\r\n\r\n{{\"id\"").into_bytes(),
        ),
        (
            "invalid UTF-8",
            [
                b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n".as_slice(),
                b"\xff\xfe\0",
            ]
            .concat(),
        ),
        ("above the bound", with_length(OK, &" ".repeat(6000))),
        (
            "gzip",
            with_length("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n", "\u{1f}zip"),
        ),
    ];
    for (name, answer) in rows {
        for stream in [false, true] {
            let (status, code, body) = through(answer.clone(), Then::Close, "bon-m", stream)
                .await
                .expect("an error");
            assert_eq!(status, 502, "{name}, stream: {stream}: {body}");
            assert!(
                ["upstream_malformed", "upstream_unavailable"].contains(&code.as_str()),
                "{name}: {code}"
            );
        }
    }
}

#[tokio::test]
async fn an_upstreams_own_error_reaches_the_client_unchanged_through_a_strategy_too() {
    let body = r#"{"error":{"message":"no","type":"x","param":null,"code":"y"}}"#;
    for status in ["401 Unauthorized", "404 Not Found", "400 Bad Request"] {
        let answer = with_length(
            &format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-request-id: r1\r\n"),
            body,
        );
        for model in ["m", "bon-m", "self_consistency-m"] {
            let (got, code, seen) = through(answer.clone(), Then::Close, model, false)
                .await
                .expect("an answer");
            assert!(status.starts_with(&got.to_string()), "{model}: {got}");
            assert_eq!((seen.as_str(), code.as_str()), (body, ""), "{model}");
        }
    }
}

#[tokio::test]
async fn redirects_are_never_followed() {
    let target = upstream().await;
    let answer = with_length(
        &format!(
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: {}/chat/completions\r\n",
            target.base_url()
        ),
        "x",
    );
    for model in ["m", "bon-m"] {
        let (status, _, _) = through(answer.clone(), Then::Close, model, false)
            .await
            .expect("an answer");
        assert_eq!(status, 307, "{model}");
    }
    assert_eq!(target.stats().total_calls(), 0);
}

#[tokio::test]
async fn an_upstream_that_falls_silent_in_mid_body_is_cut_or_504() {
    let started = format!("{OK}content-length: 100\r\n\r\n{{\"id\":");
    assert!(
        through(started.clone(), Then::Hang, "m", false)
            .await
            .is_err(),
        "a relay adds nothing to what it has"
    );
    let (status, code, _) = through(started, Then::Hang, "bon-m", false)
        .await
        .expect("an error");
    assert_eq!((status, code.as_str()), (504, "deadline_exceeded"));
}

#[tokio::test]
async fn an_upstream_that_never_finishes_to_connect_is_502_when_that_time_is_over() {
    // The system accepts, nobody shakes hands.
    let mute = tokio::net::TcpListener::bind("127.0.0.1:0")
        .await
        .expect("binds");
    let table = table_at("mute", mute.local_addr().expect("an address")).replace("http:", "https:");
    let hone = hone(&format!("{table}[bounds]\nconnect = \"200ms\"\n"));
    for model in ["m", "re2-m"] {
        let (client, body) = (Client::new(hone.address()).key("k"), chat_body(model));
        let answer = timeout(std::time::Duration::from_secs(10), client.chat(&body))
            .await
            .expect("an answer in time");
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (502, "upstream_unavailable"),
            "{model}"
        );
    }
}
