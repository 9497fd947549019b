//! `hone check` against upstreams.

use std::process::Output;

use serde_json::json;

use crate::support::head::answer;
use crate::support::parts::{Knobs, SimHandle};
use crate::support::process::run;
use crate::support::raw::{RawUpstream, Then};
use crate::support::setup::{OPERATORS_KEY, Setup, Upstream};
use crate::support::sim::{fails, rejects};
use crate::support::{hone, text, upstream};

/// Asks the upstreams of a configuration.
async fn connect(setup: &Setup, more: &[&str]) -> (Output, String) {
    let folder = tempfile::tempdir().expect("fixture: a folder");
    let path = folder.path().join("hone.toml");
    std::fs::write(&path, setup.text()).expect("fixture: a file");
    let path = path.display().to_string();
    let output = run(&[&["check", "--config", &path, "--connect"], more].concat()).await;
    let told = text(&output.stdout) + &text(&output.stderr);
    (output, told)
}

fn with_key(upstream: &SimHandle) -> Setup {
    hone().upstream_with(upstream, Upstream::fallback_key)
}

#[tokio::test]
async fn an_upstream_that_works_is_told_to_in_few_requests_with_few_tokens() {
    let upstream = upstream().await;
    let (output, told) = connect(&with_key(&upstream), &[]).await;
    assert!(output.status.success(), "{told}");
    let dialects = ["anthropic", "openai-responses"];
    let chat = ["URL", "models", "key", "chat", "streaming", "n", "logprobs"];
    assert!(told.contains(" in openai-chat with the key of"), "{told}");
    for what in chat.into_iter().chain(dialects) {
        assert!(
            told.contains(&format!("# sim: works {what}: ")),
            "{what}: {told}"
        );
    }
    assert!(!told.contains(OPERATORS_KEY), "{told}");
    let requests = upstream.requests();
    let list_and_calls = 4;
    assert_eq!(requests.len(), list_and_calls + dialects.len());
    for request in requests.iter().filter(|request| !request.body.is_empty()) {
        let body: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
        let ceilings = ["max_tokens", "max_output_tokens"];
        let tokens = ceilings.iter().find_map(|name| body[name].as_u64());
        let tokens = tokens.expect("a ceiling");
        assert!(tokens * body["n"].as_u64().unwrap_or(1) <= 16, "{body}");
    }
    assert!(told.parse::<toml::Table>().is_ok(), "still TOML: {told}");
}

#[tokio::test]
async fn what_an_upstream_lacks_is_told_and_is_no_failure() {
    let upstream = upstream().await;
    upstream.set(Knobs {
        ignores: vec!["n".to_owned()],
        ..rejects("logprobs")
    });
    let (output, told) = connect(&with_key(&upstream), &[]).await;
    assert!(output.status.success(), "{told}");
    assert!(told.contains("lacks n: ignored"), "{told}");
    assert!(told.contains("lacks logprobs: 400"), "{told}");
}

#[tokio::test]
async fn the_field_for_tokens_is_the_one_that_the_upstream_takes() {
    let upstream = upstream().await;
    upstream.set(rejects("max_tokens"));
    let (output, told) = connect(&with_key(&upstream), &["--model", "sim-large"]).await;
    assert!(output.status.success(), "{told}");
    assert!(told.contains("works chat: sim-large answers"), "{told}");
    let chat = upstream.requests().into_iter();
    let chat = chat.filter(|request| !request.target.ends_with("/messages"));
    let chat = chat.filter(|request| !request.target.ends_with("/responses"));
    assert_eq!(chat.count(), 4, "a list and three calls");
}

#[tokio::test]
async fn what_fails_is_told_in_the_providers_words_without_the_key() {
    let upstream = upstream().await;
    upstream.set(fails(401));
    let (output, told) = connect(&with_key(&upstream), &[]).await;
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("FAILS key: 401"), "{told}");
    assert!(!told.contains(OPERATORS_KEY), "{told}");
    upstream.set(fails(500));
    let (output, told) = connect(&with_key(&upstream), &["--model", "m"]).await;
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("FAILS chat: m: 500"), "{told}");
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_told_with_its_cause() {
    let far = "[[upstream]]\nname = 'far'\nbase_url = 'http://no-such-host.invalid/v1'";
    let (output, told) = connect(&hone().config(far), &[]).await;
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(
        told.contains("FAILS URL: ") && told.contains("cannot be resolved"),
        "{told}"
    );
    let page = answer("404 Not Found").close().body("404 page not found");
    let pages = RawUpstream::start(page, Then::Close).await;
    let without_path = hone().upstream(&pages);
    let (_, told) = connect(&without_path, &["--model", "m"]).await;
    assert!(
        told.contains("FAILS chat: m: 404") && told.contains("end in /v1"),
        "{told}"
    );
}

#[tokio::test]
async fn each_upstream_gets_the_key_that_is_named_for_it_and_no_other() {
    let (first, second) = (upstream().await, upstream().await);
    let setup = hone()
        .upstream(&first)
        .upstream_with(&second, |upstream| upstream.named("other"));
    let (_, told) = connect(&setup, &["--key-env", "OPERATORS_KEY"]).await;
    assert!(told.contains("# other: asking"), "{told}");
    let keys = [&first, &second].map(|sim| sim.stats().calls_with(OPERATORS_KEY.as_bytes()));
    assert_eq!(keys, [6, 0], "{told}");
    let (_, told) = connect(&setup, &["--key-env", "other=OPERATORS_KEY"]).await;
    let keys = [&first, &second].map(|sim| sim.stats().calls_with(OPERATORS_KEY.as_bytes()));
    assert_eq!(keys, [6, 6], "{told}");
    let (output, told) = connect(&setup, &["--key-env", "nobody=OPERATORS_KEY"]).await;
    assert!(
        !output.status.success() && told.contains("no upstream `nobody`"),
        "{told}"
    );
    assert_eq!(
        json!([first.requests().len(), second.requests().len()]),
        json!([12, 12])
    );
}

#[tokio::test]
async fn streaming_works_wherever_an_approach_could_read_the_answer() {
    let choice = |rest: &str| format!(r#"{{"choices":[{{"index":0,{rest}}}]}}"#);
    let chunk = choice(r#""delta":{"content":"yes"},"finish_reason":null"#);
    let last = choice(r#""delta":{},"finish_reason":"stop""#);
    let document = choice(r#""message":{"content":"yes"},"finish_reason":"stop""#);
    for (kind, body, works) in [
        (
            "text/event-stream",
            format!("data: {chunk}\n\ndata: [DONE]\n\n"),
            true,
        ),
        (
            "text/event-stream",
            format!("data: {chunk}\n\ndata: {last}\n\n"),
            true,
        ),
        (
            "Text/Event-Stream",
            format!(": hi\n\ndata:{chunk}\n\ndata:[DONE]\n\n"),
            true,
        ),
        (
            "text/plain",
            format!("data: {chunk}\n\ndata: [DONE]\n\n"),
            true,
        ),
        ("application/json", document.clone(), true),
        ("text/event-stream", document, true),
        ("text/event-stream", format!("data: {chunk}\n\n"), false),
        (
            "text/event-stream",
            r#"data: {"error":{"message":"no worker"}}"#.to_owned(),
            false,
        ),
        ("application/json", "<html>busy</html>".to_owned(), false),
    ] {
        let given = answer("200 OK")
            .header("content-type", kind)
            .close()
            .body(&body);
        let upstream = RawUpstream::start(given, Then::Close).await;
        let (output, told) = connect(&hone().upstream(&upstream), &["--model", "m"]).await;
        assert_eq!(output.status.success(), works, "{kind} {body}\n{told}");
        let how = if body.contains("data:") {
            "works streaming: events"
        } else {
            "works streaming: the answer comes in one piece"
        };
        assert_eq!(told.contains(how), works, "{kind} {body}\n{told}");
        assert!(works || !told.contains("works streaming"), "{told}");
        assert!(!told.contains("lacks streaming"), "{kind} {body}\n{told}");
        assert!(works || told.contains("FAILS chat: m: "), "{told}");
    }
}

#[tokio::test]
async fn a_model_whose_name_begins_with_an_approach_is_told_of() {
    let list = r#"[{"id":"deepthink-reasoning-7b"},{"id":"none-such"},{"id":"sim-small"}]"#;
    let upstream =
        RawUpstream::start(answer("200 OK").json().close().body(list), Then::Close).await;
    let (_, told) = connect(&hone().upstream(&upstream), &["--model", "m"]).await;
    assert!(
        told.contains("lacks names: deepthink-reasoning-7b would run"),
        "{told}"
    );
    assert_eq!(told.matches("lacks names").count(), 1, "{told}");
    let named = hone().upstream_with(&upstream, |upstream| {
        upstream.models(&["deepthink-reasoning-7b", "*"])
    });
    let (_, told) = connect(&named, &["--model", "m"]).await;
    assert!(!told.contains("lacks names"), "{told}");
}

/// Dialects, where their providers list their models, and what their APIs do not have.
const DIALECTS: [(&str, &str, &[&str]); 3] = [
    ("anthropic", "/v1/models", &["n", "logprobs"]),
    ("openai-responses", "/v1/models", &["n"]),
    ("gemini", "/v1beta/models", &[]),
];

#[tokio::test]
async fn each_upstream_is_asked_in_its_own_dialect() {
    for (dialect, list, lacks) in DIALECTS {
        let upstream = upstream().await;
        let setup = hone().upstream_with(&upstream, |upstream| {
            upstream.fallback_key().dialect(dialect)
        });
        let (output, told) = connect(&setup, &["--model", "sim-small"]).await;
        assert!(output.status.success(), "{dialect}: {told}");
        assert!(
            told.contains(&format!(" in {dialect} with the key")),
            "{told}"
        );
        for what in ["URL", "models", "key", dialect, "streaming"] {
            assert!(
                told.contains(&format!("# sim: works {what}: ")),
                "{what}: {told}"
            );
        }
        assert_eq!(upstream.requests()[0].target, list, "{dialect}");
        for what in lacks {
            let line = format!("# sim: lacks {what}: its API has none");
            assert!(told.contains(&line), "{what}: {told}");
        }
        assert!(!told.contains(OPERATORS_KEY), "{told}");
    }
}

#[tokio::test]
async fn a_provider_that_knows_chat_alone_is_told_to_be_asked_in_it() {
    let choice = r#"{"choices":[{"index":0,"message":{"content":"yes"},"finish_reason":"stop"}]}"#;
    let given = answer("200 OK").json().close().body(choice);
    let upstream = RawUpstream::start(given, Then::Close).await;
    let (output, told) = connect(&hone().upstream(&upstream), &["--model", "m"]).await;
    assert!(output.status.success(), "{told}");
    for dialect in ["anthropic", "openai-responses"] {
        let line = told
            .lines()
            .find(|line| line.contains(&format!("lacks {dialect}: ")));
        let line = line.unwrap_or_else(|| panic!("{dialect}: {told}"));
        assert!(
            line.ends_with("hone asks in chat completions instead"),
            "{line}"
        );
    }
    assert!(!told.contains("gemini"), "{told}");
}
