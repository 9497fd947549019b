//! What the operator's key serves of the dialects' bodies: nothing that is stored.

use serde_json::{Value, json};

use crate::support::raw::{RawUpstream, Then};
use crate::support::{Hone, head, hone};

async fn provider() -> RawUpstream {
    let answer = head::answer("200 OK").json().close().body("{}");
    RawUpstream::start(answer, Then::Close).await
}

fn before(raw: &RawUpstream, dialect: &str) -> Hone {
    let setup = hone().upstream_with(raw, |raw| raw.dialect(dialect).fallback_for("anyone"));
    setup.start()
}

/// Whether each of these bodies is served at `path`, with the rest that it needs.
async fn served(path: &str, dialect: &str, bodies: &[Value], is_served: bool) {
    let raw = provider().await;
    let hone = before(&raw, dialect);
    for body in bodies {
        let answer = hone.keyless().post(path, body.to_string()).await;
        if is_served {
            answer
                .assert_ok()
                .assert_header("x-hone-credential", "fallback");
        } else {
            answer.assert_status(403);
            answer.assert_header("x-hone-error", "fallback_field_not_allowed");
        }
    }
    assert_eq!(raw.heard().len(), if is_served { bodies.len() } else { 0 });
}

fn message(content: &Value) -> Value {
    json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": content}]})
}

fn with(mut body: Value, field: &str, value: Value) -> Value {
    body[field] = value;
    body
}

const MESSAGES: [&str; 2] = ["/v1/messages?beta=true", "/v1/messages/count_tokens"];

#[tokio::test]
async fn messages_that_carry_their_content_are_served() {
    let cache = json!({"type": "ephemeral", "ttl": "1h"});
    let source = json!({"type": "base64", "media_type": "image/png", "data": "AAAA"});
    let block = json!({"type": "text", "text": "x", "cache_control": cache});
    let bodies = [
        message(&json!("Hi")),
        message(&json!([block, {"type": "image", "source": source}])),
        message(
            &json!([{"type": "tool_result", "tool_use_id": "t", "is_error": true,
            "content": [{"type": "text", "text": "7"}, {"type": "image", "source": source}]}]),
        ),
        message(
            &json!([{"type": "thinking", "thinking": "", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"file_id": "x"}}]),
        ),
        message(
            &json!([{"type": "web_search_tool_result", "tool_use_id": "t", "content":
            [{"type": "web_search_result", "url": "u", "title": "t", "encrypted_content": "e"}]}]),
        ),
        with(message(&json!("Hi")), "system", json!([block])),
        with(
            message(&json!("Hi")),
            "tools",
            json!([{"name": "f", "input_schema": {"type": "object"}, "defer_loading": true},
                {"type": "web_search_20250305", "name": "web_search", "max_uses": 3},
                {"type": "bash_20250124", "name": "bash"}]),
        ),
        with(
            message(&json!("Hi")),
            "context_management",
            json!({"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}),
        ),
        with(
            message(&json!("Hi")),
            "output_config",
            json!({"effort": "high"}),
        ),
        with(
            message(&json!("Hi")),
            "thinking",
            json!({"type": "adaptive", "display": "omitted"}),
        ),
    ];
    for path in MESSAGES {
        served(path, "anthropic", &bodies, true).await;
    }
}

#[tokio::test]
async fn messages_that_name_what_is_stored_are_not() {
    let hi = || message(&json!("Hi"));
    let bodies = [
        with(hi(), "container", json!("container_1")),
        with(
            hi(),
            "mcp_servers",
            json!([{"type": "url", "url": "https://x"}]),
        ),
        with(hi(), "user_profile_id", json!("u")),
        with(hi(), "System", json!("x")),
        message(&json!([{"type": "image", "source": {"type": "file", "file_id": "file_1"}}])),
        message(&json!([{"type": "document", "source": {"type": "url",
            "url": "https://api.anthropic.com/v1/files/file_1/content"}}])),
        message(&json!([{"type": "container_upload", "file_id": "file_1"}])),
        message(&json!([{"type": "tool_result", "tool_use_id": "t",
            "content": [{"type": "image", "source": {"type": "file", "file_id": "file_1"}}]}])),
        with(
            hi(),
            "tools",
            json!([{"type": "code_execution_20250825", "name": "x"}]),
        ),
        with(
            hi(),
            "tools",
            json!([{"type": "mcp_toolset", "mcp_server_name": "x"}]),
        ),
    ];
    for path in MESSAGES {
        served(path, "anthropic", &bodies, false).await;
    }
}

fn content(part: &Value) -> Value {
    json!({"contents": [{"role": "user", "parts": [part]}]})
}

const GENERATE: [&str; 2] = [
    "/v1beta/models/m:generateContent",
    "/v1/models/m:streamGenerateContent?alt=sse",
];
const COUNT: &str = "/v1beta/models/m:countTokens";

#[tokio::test]
async fn calls_of_google_that_carry_their_content_are_served_in_both_spellings() {
    let data = json!({"mimeType": "image/png", "data": "AAAA"});
    let bodies = [
        content(&json!({"text": "Hi"})),
        content(&json!({"inlineData": data})),
        content(&json!({"inline_data": {"mime_type": "image/png", "data": "AAAA"}})),
        content(&json!({"fileData": {"fileUri": "https://www.youtube.com/watch?v=x"}})),
        content(
            &json!({"functionCall": {"name": "f", "args": {"fileUri": "x"}},
            "thoughtSignature": "s"}),
        ),
        content(&json!({"function_response": {"name": "f", "response": {"output": "7"}}})),
        with(
            content(&json!({"text": "Hi"})),
            "system_instruction",
            json!({"parts": {"text": "x"}}),
        ),
        with(
            content(&json!({"text": "Hi"})),
            "tools",
            json!([{"function_declarations": [{"name": "f", "parameters_json_schema": {}}]},
                {"googleSearch": {}}, {"url_context": {}}]),
        ),
        with(
            content(&json!({"text": "Hi"})),
            "generationConfig",
            json!({"max_output_tokens": 9, "thinkingConfig": {"thinkingBudget": -1}}),
        ),
    ];
    for path in GENERATE {
        served(path, "gemini", &bodies, true).await;
    }
    served(COUNT, "gemini", &bodies, true).await;
    let counted =
        bodies.map(|body| json!({"generateContentRequest": with(body, "model", json!("m"))}));
    served(COUNT, "gemini", &counted, true).await;
}

#[tokio::test]
async fn calls_of_google_that_name_what_is_stored_are_not() {
    let hi = || content(&json!({"text": "Hi"}));
    let stored = "https://generativelanguage.googleapis.com/v1beta/files/f";
    let bodies = [
        with(hi(), "cachedContent", json!("cachedContents/c")),
        with(hi(), "cached_content", json!("cachedContents/c")),
        with(hi(), "labels", json!({"a": "b"})),
        with(hi(), "GenerationConfig", json!({})),
        content(&json!({"fileData": {"fileUri": stored}})),
        content(&json!({"file_data": {"file_uri": "gs://bucket/f"}})),
        with(
            hi(),
            "tools",
            json!([{"fileSearch": {"fileSearchStoreNames": ["s"]}}]),
        ),
        with(hi(), "tools", json!([{"retrieval": {}}])),
        with(hi(), "tools", json!([{"mcp_servers": []}])),
        with(hi(), "generationConfig", json!({"max_outputTokens": 9})),
    ];
    for path in GENERATE {
        served(path, "gemini", &bodies, false).await;
    }
    served(COUNT, "gemini", &bodies, false).await;
    let nested = [json!({"generateContentRequest": with(hi(), "cachedContent", json!("c"))})];
    served(COUNT, "gemini", &nested, false).await;
}

#[tokio::test]
async fn the_counter_of_responses_is_served_as_responses_are() {
    let body = json!({"model": "m", "input": "Hi"});
    let path = "/v1/responses/input_tokens";
    served(path, "openai-responses", std::slice::from_ref(&body), true).await;
    let state = with(body, "previous_response_id", json!("resp_1"));
    served(path, "openai-responses", &[state], false).await;
}
