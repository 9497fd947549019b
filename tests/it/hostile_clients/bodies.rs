//! Bodies that are no chat request, that cannot be read, or that are too large.

use http::Method;
use serde_json::json;

use crate::support::client::CHAT;
use crate::support::head::{chunks, post_chat};
use crate::support::sim::calls;
use crate::support::{chat_body, hone, upstream};

/// What is no chat request, and the code that says why.
const NO_CHATS: [(&str, &str); 17] = [
    ("", "invalid_json"),
    ("{", "invalid_json"),
    ("[]", "invalid_json"),
    (r#""text""#, "invalid_json"),
    (r#"{"model":"m",}"#, "invalid_json"),
    (r#"{"model":"m"} trailing"#, "invalid_json"),
    (r#"{"model":"a","model":"b"}"#, "duplicate_field"),
    (r#"{"model":"a","mod\u0065l":"b"}"#, "duplicate_field"),
    (
        r#"{"stream":true,"stream":false,"model":"a"}"#,
        "duplicate_field",
    ),
    (r#"{"model":5}"#, "invalid_type"),
    (r#"{"model":"m","optillm_approach":7}"#, "invalid_type"),
    (
        r#"{"model":"m","optillm_approach":"bon&"}"#,
        "invalid_approach",
    ),
    (
        r#"{"model":"m","optillm_approach":"bonn"}"#,
        "unknown_approach",
    ),
    (r#"{"model":"bon-m"}"#, "invalid_request"),
    (r#"{"model":"bon-m","messages":5}"#, "invalid_request"),
    (r#"{"model":"bon-m","messages":[5]}"#, "invalid_request"),
    (
        r#"{"model":"bon-m","messages":[],"best_of_n":"x"}"#,
        "invalid_request",
    ),
];

#[tokio::test]
async fn bodies_that_are_no_chat_request_are_refused_before_anything_is_spent() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k");
    let deep = format!(
        r#"{{"model":"bon-m","messages":[{{"role":"user","content":"x"}}],"x":{}1{}}}"#,
        "[".repeat(100_000),
        "]".repeat(100_000)
    );
    let not_utf8 = [br#"{"model":"m"#.as_slice(), b"\xff", br#""}"#].concat();
    let rows = NO_CHATS.map(|(body, code)| (body.as_bytes(), code));
    let more = [
        (not_utf8.as_slice(), "invalid_json"),
        (deep.as_bytes(), "invalid_request"),
    ];
    for (body, code) in rows.into_iter().chain(more) {
        let answer = client.post(CHAT, body.to_vec()).await;
        answer
            .assert_refused(400, code)
            .assert_header("x-hone-error", code);
    }
    assert_eq!(calls([&upstream]), [0]);
    client.ask("sim-small").await.assert_ok();
}

#[tokio::test]
async fn what_hone_does_not_read_passes_however_odd() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let messages = r#"[{"role":"user","content":"x"}]"#;
    let deep = "[".repeat(5000) + &"]".repeat(5000);
    let odd =
        format!(r#"{{"messages":{messages},"model":"m","deep":{deep},"big":1e400,"a":1,"a":2}}"#);
    hone.client("k").post(CHAT, odd.clone()).await;
    assert_eq!(upstream.requests()[0].body, odd.as_bytes());
}

#[tokio::test]
async fn types_and_encodings_that_hone_cannot_read_are_415() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let client = hone.client("k");
    let body = chat_body("sim-small").to_string();
    let typed = async |kind| {
        let client = client.clone().header("content-type", kind);
        client.send(Method::POST, CHAT, body.clone()).await
    };
    let plain = typed("text/plain").await;
    plain.assert_refused(415, "unsupported_media_type");
    let none = client.send(Method::POST, CHAT, body.clone()).await;
    none.assert_status(415);
    let packed = client.clone().header("content-encoding", "gzip");
    let packed = packed.post(CHAT, body.clone()).await;
    packed.assert_refused(415, "unsupported_encoding");
    let charset = typed("Application/JSON; charset=utf-8").await;
    charset.assert_ok();
}

#[tokio::test]
async fn a_body_above_the_bound_is_413_whether_its_length_is_declared_or_not() {
    let upstream = upstream().await;
    let hone = hone()
        .upstream(&upstream)
        .bound("body_bytes", 1024)
        .bound("buffered_bytes", 65_536)
        .start();
    let padding = json!({"padding": "x".repeat(3000)});
    let declared = hone.client("k").ask_with("sim-small", padding).await;
    declared.assert_refused(413, "body_too_large");
    let chunk = "x".repeat(1000);
    let request = post_chat("k").chunked().close();
    let answer = hone
        .exchange(request.then(chunks([&chunk, &chunk, &chunk])))
        .await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    assert_eq!(calls([&upstream]), [0]);
}

#[tokio::test]
async fn hones_own_headers_are_read_strictly() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    for (name, value) in [
        ("x-hone-deadline-ms", "soon"),
        ("x-hone-deadline-ms", "0"),
        ("x-hone-detail", "all"),
        ("x-hone-dry-run", "maybe"),
    ] {
        let answer = hone.client("k").header(name, value).ask("sim-small").await;
        answer.assert_refused(400, "invalid_header");
    }
}

#[tokio::test]
async fn a_byte_order_mark_is_called_by_its_name() {
    let upstream = upstream().await;
    let hone = hone().upstream(&upstream).start();
    let text = chat_body("sim-small").to_string();
    let wide = |order: fn(u16) -> [u8; 2]| -> Vec<u8> {
        let letters = std::iter::once(0xfeff).chain(text.encode_utf16());
        letters.flat_map(order).collect()
    };
    for (body, charset) in [
        (format!("\u{feff}{text}").into_bytes(), "UTF-8"),
        (wide(u16::to_le_bytes), "UTF-16"),
        (wide(u16::to_be_bytes), "UTF-16"),
    ] {
        for path in [CHAT, "/v1/embeddings"] {
            let refused = hone.client("k").post(path, body.clone()).await;
            refused
                .assert_refused(400, "invalid_json")
                .assert_says("byte order mark")
                .assert_says(charset);
        }
    }
    assert_eq!(calls([&upstream]), [0]);
}
