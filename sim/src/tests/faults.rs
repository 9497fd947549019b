//! What goes wrong when it is told to.

use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use super::client::{self, Client, question};
use super::{start, with};
use crate::{Bomb, Fault, Injection, Knobs};

/// Whether an answer shows its fault.
type Shows<T> = fn(&T) -> bool;

#[tokio::test]
async fn a_status_fault_has_a_retry_after_and_an_error_body() {
    let fault = Fault::Status {
        status: 429,
        retry_after: Some("7".to_owned()),
        code: Some("rate_limit_exceeded".to_owned()),
    };
    let (sim, client) = start(Knobs {
        faults: vec![Injection {
            limit: Some(1),
            ..fault.into()
        }],
        ..Knobs::default()
    })
    .await;
    let answer = client.chat(&question()).await;
    assert_eq!(
        (
            answer.status,
            answer.headers["retry-after"].to_str().unwrap()
        ),
        (StatusCode::TOO_MANY_REQUESTS, "7")
    );
    assert_eq!(answer.json()["error"]["code"], "rate_limit_exceeded");
    assert_eq!(client.chat(&question()).await.status, StatusCode::OK);
    assert_eq!(sim.stats().faults.get("status"), Some(&1));
}

#[tokio::test]
async fn an_answer_that_is_cut_fails_on_the_way() {
    for http2 in [false, true] {
        let (sim, client) = start(with(Fault::CutMidBody)).await;
        let client = if http2 { Client::http2(&sim) } else { client };
        for stream in [false, true] {
            let mut asked = question();
            asked["stream"] = json!(stream);
            let answer = client
                .open("/v1/chat/completions", asked.to_string().into_bytes())
                .await;
            assert_eq!(answer.status(), StatusCode::OK);
            let (received, whole) = client::read(answer).await;
            assert!(
                !received.is_empty() && !whole,
                "stream: {stream}, http2: {http2}"
            );
        }
        assert_eq!((sim.stats().completed, sim.stats().cancelled), (2, 0));
    }
}

#[tokio::test]
async fn a_disconnect_comes_before_the_head() {
    let (sim, client) = start(with(Fault::Disconnect)).await;
    assert!(
        client
            .try_open("/v1/chat/completions", question().to_string().into_bytes())
            .await
            .is_err()
    );
    assert_eq!(sim.stats().faults.get("disconnect"), Some(&1));
}

#[tokio::test(start_paused = true)]
async fn a_hanging_answer_never_ends() {
    let (_sim, client) = start(with(Fault::HangBeforeHead)).await;
    assert!(
        tokio::time::timeout(Duration::from_secs(3600), client.chat(&question()))
            .await
            .is_err()
    );
    let (sim, client) = start(with(Fault::HangMidBody)).await;
    let answer = client
        .open("/v1/chat/completions", question().to_string().into_bytes())
        .await;
    assert!(
        tokio::time::timeout(Duration::from_secs(3600), client::read(answer))
            .await
            .is_err()
    );
    assert_eq!(
        sim.wait_until(|stats| stats.cancelled == 1).await.completed,
        0
    );
}

#[tokio::test]
async fn an_injection_can_be_limited_in_number_and_to_an_endpoint() {
    let only = Injection {
        endpoint: Some("models".to_owned()),
        limit: Some(2),
        ..Fault::HtmlPage.into()
    };
    let (_sim, client) = start(Knobs {
        faults: vec![only],
        ..Knobs::default()
    })
    .await;
    assert_eq!(
        client.chat(&question()).await.headers["content-type"],
        "application/json"
    );
    let mut kinds = Vec::new();
    for _ in 0..3 {
        kinds.push(client.get("/v1/models").await.headers["content-type"].clone());
    }
    assert_eq!(kinds, ["text/html", "text/html", "application/json"]);
}

#[tokio::test]
async fn a_rate_is_kept_and_repeats_under_a_seed() {
    let some = Injection {
        rate: 0.3,
        ..Fault::HtmlPage.into()
    };
    let mut runs = Vec::new();
    for _ in 0..2 {
        let (sim, client) = start(Knobs {
            faults: vec![some.clone()],
            ..Knobs::default()
        })
        .await;
        for _ in 0..200 {
            let _answer = client.chat(&question()).await;
        }
        runs.push(sim.stats().faults.get("html_page").copied().unwrap_or(0));
    }
    assert!((40..=80).contains(&runs[0]), "{runs:?}");
    assert_eq!(runs[0], runs[1]);
}

#[tokio::test]
async fn broken_content_is_delivered_with_status_200() {
    let is_json = |body: &[u8]| serde_json::from_slice::<Value>(body).is_ok();
    let rows: [(Fault, Shows<client::Answer>); 6] = [
        (Fault::MalformedJson, |answer| {
            std::str::from_utf8(&answer.body).is_ok()
        }),
        (Fault::InvalidUtf8, |answer| {
            std::str::from_utf8(&answer.body).is_err()
        }),
        (Fault::HtmlPage, |answer| {
            answer.headers["content-type"] == "text/html"
        }),
        (Fault::EndEarly, |answer| answer.body.is_empty()),
        (Fault::Gzip, |answer| {
            answer.headers["content-encoding"] == "gzip" && answer.body.starts_with(&[0x1f, 0x8b])
        }),
        (Fault::HugeHeader { bytes: 30_000 }, |answer| {
            answer.headers["x-huge"].len() == 30_000
        }),
    ];
    for (fault, holds) in rows {
        let (_sim, client) = start(with(fault.clone())).await;
        let answer = client.chat(&question()).await;
        assert_eq!(answer.status, StatusCode::OK, "{fault:?}");
        assert!(holds(&answer), "{fault:?}: {answer:?}");
        assert_eq!(
            is_json(&answer.body),
            matches!(fault, Fault::HugeHeader { .. }),
            "{fault:?}"
        );
    }
}

#[tokio::test]
async fn a_broken_stream_still_ends_properly() {
    let rows: [(Fault, Shows<str>); 4] = [
        (Fault::EndEarly, |stream| {
            !stream.contains("[DONE]") && stream.contains("stop")
        }),
        (Fault::ErrorEvent, |stream| {
            !stream.contains("[DONE]") && stream.contains(r#"data: {"error":"#)
        }),
        (Fault::MalformedJson, |stream| {
            stream.contains("[DONE]")
                && stream
                    .split("\n\n")
                    .any(|event| event.len() > 20 && !event.ends_with('}'))
        }),
        (Fault::NullContent, |stream| {
            stream.contains("[DONE]") && stream.contains(r#""content":null"#)
        }),
    ];
    for (fault, holds) in rows {
        let (_sim, client) = start(with(fault.clone())).await;
        let mut asked = question();
        asked["stream"] = json!(true);
        let answer = client.chat(&asked).await;
        let stream = std::str::from_utf8(&answer.body).unwrap();
        assert!(holds(stream), "{fault:?}: {stream}");
    }
}

#[tokio::test]
async fn an_answer_can_have_no_content_or_no_choices() {
    for (fault, content) in [
        (Fault::NullContent, Some(Value::Null)),
        (Fault::EmptyContent, Some(json!(""))),
        (Fault::NoChoices, None),
    ] {
        let (_sim, client) = start(with(fault)).await;
        let body = client.chat(&question()).await.json();
        assert_eq!(body.pointer("/choices/0/message/content").cloned(), content);
        assert_eq!(body["usage"]["completion_tokens"], 0);
    }
}

#[tokio::test]
async fn a_redirection_says_where() {
    let (_sim, client) = start(with(Fault::Redirect {
        location: "http://127.0.0.1:1/v1".to_owned(),
    }))
    .await;
    let answer = client.chat(&question()).await;
    assert_eq!(
        (answer.status, answer.headers["location"].to_str().unwrap()),
        (StatusCode::TEMPORARY_REDIRECT, "http://127.0.0.1:1/v1")
    );
}

#[tokio::test]
async fn early_hints_precede_the_same_answer() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (sim, client) = start(with(Fault::EarlyHints)).await;
    assert_eq!(client.chat(&question()).await.status, StatusCode::OK);
    let mut stream = tokio::net::TcpStream::connect(sim.addr()).await.unwrap();
    stream
        .write_all(b"GET /v1/models HTTP/1.1\r\nhost: sim\r\nconnection: close\r\n\r\n")
        .await
        .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(
        answer.starts_with("HTTP/1.1 103 Early Hints\r\n")
            && answer.contains("\r\n\r\nHTTP/1.1 200 OK\r\n"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_json_bomb_is_in_the_answer_and_in_its_message() {
    let bomb = Fault::JsonBomb {
        shape: Bomb::Wide,
        bytes: 8,
    };
    let (_sim, client) = start(with(bomb)).await;
    let body = client.chat(&question()).await.json();
    let extra = json!([[0], [0], 0]);
    assert_eq!(body["extra"], extra);
    assert_eq!(body["choices"][0]["message"]["extra"], extra);
    assert_eq!(body["usage"]["completion_tokens"], 16);
}

#[tokio::test]
async fn faults_read_back_what_they_write_and_are_counted_under_that_name() {
    let faults = r#"["disconnect", "hang_before_head", "hang_mid_body", "cut_mid_body", "end_early",
        "error_event", "malformed_json", "invalid_utf8", "null_content", "empty_content",
        "no_choices", "html_page", "gzip", "early_hints", {"status": {"status": 500}},
        {"redirect": {"location": "/"}}, {"huge_header": {"bytes": 1}},
        {"json_bomb": {"shape": "wide", "bytes": 8}}]"#;
    let parsed: Vec<Fault> = serde_json::from_str(faults).unwrap();
    for (fault, text) in parsed
        .iter()
        .zip(serde_json::from_str::<Vec<Value>>(faults).unwrap())
    {
        let name = text
            .as_object()
            .map_or(text.clone(), |object| json!(object.keys().next().unwrap()));
        assert_eq!(json!(fault.kind()), name);
    }
}
