use super::*;
use crate::shape::Overflow;

fn spoken(dialect: Dialect, error: &ErrorReply) -> (u16, Value) {
    let Spoken { status, body, .. } = speak(dialect, error);
    (status, serde_json::from_str(&body).unwrap())
}

#[test]
fn every_status_has_its_name_in_every_dialect() {
    for row in &ROWS {
        let error = ErrorReply::new(row.status, "No.");
        let (status, body) = spoken(Dialect::Anthropic, &error);
        assert_eq!(status, if row.status == 503 { 529 } else { row.status });
        assert_eq!(body["type"], "error");
        assert_eq!(body["error"]["type"], row.anthropic);
        let (status, body) = spoken(Dialect::Gemini, &error);
        assert_eq!(
            (status, &body["error"]["code"]),
            (row.status, &row.status.into())
        );
        assert_eq!(body["error"]["status"], row.gemini);
        for dialect in [Dialect::OpenAiChat, Dialect::OpenAiResponses] {
            let (status, body) = spoken(dialect, &error);
            assert_eq!(
                (status, &body["error"]["type"]),
                (row.status, &row.openai.into())
            );
            assert_eq!(body["error"]["message"], "No.");
        }
    }
    assert_eq!(named(418).anthropic, "invalid_request_error");
    assert_eq!(named(599).gemini, "INTERNAL");
}

#[test]
fn an_error_is_the_same_after_a_dialect_has_said_it() {
    for dialect in Dialect::ALL {
        for row in &ROWS {
            let error = ErrorReply::new(row.status, "No.");
            let Spoken { status, body, .. } = speak(dialect, &error);
            let back = read(dialect, status, body.as_bytes());
            assert_eq!((back.status, &*back.message), (row.status, "No."));
        }
    }
}

#[test]
fn anthropics_errors_carry_the_requests_id() {
    let error = ErrorReply {
        request_id: Some("req_1".to_owned()),
        ..ErrorReply::new(401, "No key.")
    };
    let Spoken { body, headers, .. } = speak(Dialect::Anthropic, &error);
    assert!(body.contains(r#""request_id":"req_1""#));
    assert_eq!(headers, [("request-id", "req_1".to_owned())]);
}

#[test]
fn googles_clients_are_told_how_long_to_wait_in_the_body() {
    let error = ErrorReply {
        retry_after: Some(Duration::from_millis(11_200)),
        ..ErrorReply::new(429, "Wait.")
    };
    let Spoken { body, headers, .. } = speak(Dialect::Gemini, &error);
    assert_eq!(headers, [("retry-after", "12".to_owned())]);
    let back = read(Dialect::Gemini, 429, body.as_bytes());
    assert_eq!(back.retry_after, Some(Duration::from_secs(12)));
}

#[test]
fn an_error_about_a_key_is_masked_as_no_other_for_any_client() {
    for upstream in Dialect::ALL {
        for (status, names) in [
            (401, ["authentication_error", "UNAUTHENTICATED"]),
            (403, ["permission_error", "PERMISSION_DENIED"]),
        ] {
            let told = speak(upstream, &ErrorReply::new(status, "No such key."));
            let error = read(upstream, told.status, told.body.as_bytes());
            for client in Dialect::ALL {
                let (found, body) = spoken(client, &error);
                assert_eq!(found, status, "{upstream:?} to {client:?}: {body}");
                let name = match client {
                    Dialect::Anthropic => &body["error"]["type"],
                    Dialect::Gemini => &body["error"]["status"],
                    // OpenAI has no name of its own for it.
                    Dialect::OpenAiChat | Dialect::OpenAiResponses => continue,
                };
                let is_googles = client == Dialect::Gemini;
                assert_eq!(name, names[usize::from(is_googles)], "{upstream:?}: {body}");
            }
        }
    }
}

#[test]
fn googles_bad_key_is_401() {
    let body = br#"[{"error":{"code":400,"message":"API key not valid.","status":
        "INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}]"#;
    assert_eq!(read(Dialect::Gemini, 400, body).status, 401);
}

#[test]
fn a_request_that_is_too_long_is_known_in_the_words_of_every_provider() {
    let most = |message: &str| {
        let body = json!({"error": {"message": message}}).to_string();
        read(Dialect::OpenAiChat, 400, body.as_bytes()).overflow
    };
    for (message, figures) in [
        ("prompt is too long: 210000 tokens > 200000 maximum", true),
        (
            "This model's maximum context length is 4096 tokens. However, you requested 5000 \
             tokens (4500 in the messages, 500 in the completion).",
            true,
        ),
        (
            "The input token count (1200000) exceeds the maximum number of tokens allowed \
             (1048576).",
            true,
        ),
        (
            "the request exceeds the available context size, try increasing it",
            false,
        ),
    ] {
        let found = most(message).unwrap();
        assert_eq!(found.tokens.is_some(), figures, "{message}");
    }
    assert_eq!(most("`prompt` must be a string"), None);
    let code = br#"{"error":{"message":"Too much.","code":"context_length_exceeded"}}"#;
    assert!(read(Dialect::OpenAiResponses, 400, code).overflow.is_some());
}

#[test]
fn a_request_that_is_too_long_is_told_in_the_words_that_start_a_compaction() {
    let error = ErrorReply {
        overflow: Some(Overflow {
            tokens: Some(9000),
            most: Some(8192),
        }),
        ..ErrorReply::new(413, "Zu lang.")
    };
    let (status, body) = spoken(Dialect::Anthropic, &error);
    let message = &body["error"]["message"];
    assert_eq!(
        (status, message),
        (
            400,
            &json!("prompt is too long: 9000 tokens > 8192 maximum")
        )
    );
    let (status, body) = spoken(Dialect::OpenAiResponses, &error);
    assert_eq!(
        (status, &body["error"]["code"]),
        (400, &json!("context_length_exceeded"))
    );
    let (_, body) = spoken(Dialect::Gemini, &error);
    let text = body["error"]["message"].as_str().unwrap();
    assert!(
        text.contains("input token count (9000) exceeds the maximum"),
        "{text}"
    );
}

#[test]
fn what_is_no_error_document_is_told_by_its_status() {
    for body in ["", "<html>", "[]", "{}", "null", "{\"error\":7}"] {
        let error = read(Dialect::Anthropic, 529, body.as_bytes());
        assert_eq!(error.status, 503, "{body}");
        assert!(!error.message.is_empty());
    }
    let long = json!({"error": {"message": "é".repeat(20_000)}}).to_string();
    assert!(read(Dialect::Gemini, 500, long.as_bytes()).message.len() <= 16 * 1024);
}

#[test]
fn an_overloaded_server_is_529_for_anthropics_clients_alone() {
    for upstream in Dialect::ALL {
        let error = json!({"error": {"message": "Busy.", "code": 529}});
        assert_eq!(status_within(upstream, &error), 503, "{upstream:?}");
        let error = read(upstream, 529, error.to_string().as_bytes());
        assert_eq!(error.status, 503, "{upstream:?}");
        for error in [error, ErrorReply::new(529, "Busy.")] {
            for client in Dialect::ALL {
                let spoken = speak(client, &error);
                let expected = if client == Dialect::Anthropic {
                    529
                } else {
                    503
                };
                assert_eq!(spoken.status, expected, "{client:?}");
                let is_told = spoken.body.contains("529");
                assert!(!is_told, "{}", spoken.body);
            }
        }
    }
}
