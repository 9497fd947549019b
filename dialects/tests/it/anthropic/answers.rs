//! Whole answers, read from upstreams and written for clients.

use hone_dialects::{Dialect, Model, codec};
use hone_strategies::chat::{Choice, Completion, Message, Usage};
use serde_json::{Value, json};

use crate::support::{frame, source};

const ANTHROPIC: Dialect = Dialect::Anthropic;

fn answer(content: &Value, reason: &str) -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "m",
        "content": content, "stop_reason": reason, "stop_sequence": null,
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 4, "output_tokens": 5}})
}

fn read(content: &Value, reason: &str) -> Completion {
    let body = answer(content, reason).to_string();
    let read = codec(ANTHROPIC).decode_answer(body.as_bytes(), &source());
    read.unwrap_or_else(|error| panic!("{error:?}"))
}

fn written(answer: &Completion) -> Value {
    let text = codec(ANTHROPIC).encode_answer(answer, &frame(ANTHROPIC));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn an_answer_of_anthropics_is_the_same_after_the_middle() {
    let content = json!([
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "a", "citations": [{"type": "char_location"}]},
        {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
    ]);
    let read = read(&content, "tool_use");
    let message = &read.choices[0].message;
    assert_eq!(message.text(), "a");
    assert_eq!(message.get("reasoning_content"), Some(&json!("hm")));
    let usage = read.usage.unwrap();
    assert_eq!((usage.prompt, usage.cached, usage.completion), (7, 4, 5));
    let found = written(&read);
    assert_eq!(found["content"], content);
    assert_eq!(found["stop_reason"], "tool_use");
    assert_eq!(found["model"], "asked");
    assert!(found["id"].as_str().unwrap().starts_with("msg_"));
}

#[test]
fn the_reason_is_that_of_the_blocks_and_every_word_is_known() {
    let text = json!([{"type": "text", "text": "a"}]);
    for (word, reason) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("pause_turn", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("tool_use", "stop"),
    ] {
        let found = read(&text, word).choices[0].finish_reason.clone();
        assert_eq!(found.as_deref(), Some(reason), "{word}");
    }
}

#[test]
fn a_client_that_did_not_ask_for_thinking_gets_none() {
    let content = json!([{"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "text", "text": "a"}]);
    let read = read(&content, "end_turn");
    let mut frame = frame(ANTHROPIC);
    let request = hone_strategies::chat::ChatRequest::new("m", []);
    let origin = hone_strategies::chat::Origin::new(ANTHROPIC);
    frame.request = request.with_origin(Some(std::sync::Arc::new(origin)));
    let text = codec(ANTHROPIC).encode_answer(&read, &frame);
    assert!(!text.contains("thinking"), "{text}");
}

#[test]
fn usage_is_always_there_and_a_cut_call_is_not() {
    let call = json!({"id": "t", "type": "function",
        "function": {"name": "f", "arguments": "{\"a\":"}});
    let message = Message::assistant("a").with("tool_calls", vec![call]);
    let answer = Completion {
        choices: vec![Choice::new(message, "length")],
        ..Completion::default()
    };
    let found = written(&answer);
    assert_eq!(found["content"], json!([{"type": "text", "text": "a"}]));
    assert_eq!(found["stop_reason"], "max_tokens");
    assert_eq!(found["usage"]["input_tokens"], 0);
    let answer = Completion::of_text("b", Usage::new(3, 4));
    assert_eq!(written(&answer)["usage"]["output_tokens"], 4);
}

#[test]
fn an_error_with_status_200_is_an_error() {
    let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"Busy"}}"#;
    let error = codec(ANTHROPIC).decode_answer(body.as_bytes(), &source());
    let error = error.unwrap_err();
    assert_eq!((error.status, &*error.message), (503, "Busy"));
    for body in [
        "",
        "<html>",
        "{}",
        "[]",
        r#"{"type":"message","content":[]}"#,
    ] {
        let error = codec(ANTHROPIC).decode_answer(body.as_bytes(), &source());
        assert_eq!(error.unwrap_err().status, 502, "{body}");
    }
}

#[test]
fn counts_and_lists_have_the_shape_that_clients_read() {
    let codec = codec(ANTHROPIC);
    assert_eq!(codec.encode_count_answer(7), r#"{"input_tokens":7}"#);
    assert_eq!(codec.decode_count(br#"{"input_tokens":7}"#), Some(7));
    let models = [
        Model {
            id: "a",
            created: 0,
        },
        Model {
            id: "b",
            created: 0,
        },
    ];
    let list: Value = serde_json::from_str(&codec.encode_models(&models)).unwrap();
    assert_eq!(
        list,
        json!({"data": [
            {"type": "model", "id": "a", "display_name": "a",
                "created_at": "1970-01-01T00:00:00Z"},
            {"type": "model", "id": "b", "display_name": "b",
                "created_at": "1970-01-01T00:00:00Z"}],
            "has_more": false, "first_id": "a", "last_id": "b"})
    );
    let body = json!({"model": "m", "max_tokens": 9, "temperature": 0.5,
        "messages": [{"role": "user", "content": "a"}]});
    let request = crate::support::decoded(ANTHROPIC, &body).unwrap();
    let count = codec
        .encode_count(&request, &crate::support::target())
        .unwrap()
        .unwrap();
    assert_eq!(count.path, "/messages/count_tokens");
    let body = crate::support::json_of(&count);
    assert_eq!(
        body,
        json!({"model": "m", "messages": [{"role": "user", "content": "a"}]})
    );
}
