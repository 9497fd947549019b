//! Answers of upstreams that nobody could use: told as errors, and never as answers.

use hone_dialects::{Dialect, ErrorReply, Event, codec};
use serde_json::{Value, json};

use crate::support::{events as events_of, source};

fn refused(dialect: Dialect, body: &Value) -> Option<ErrorReply> {
    let answer = codec(dialect).decode_answer(body.to_string().as_bytes(), &source());
    answer.err().map(|error| *error)
}

fn malformed(dialect: Dialect, body: &Value) {
    let error = refused(dialect, body).unwrap_or_else(|| panic!("{dialect:?}: {body}"));
    let found = (error.status, error.code.as_deref());
    assert_eq!(found, (502, Some("upstream_malformed")), "{body}");
}

/// Whether the stream fails as malformed.
fn fails(dialect: Dialect, documents: &[Value]) -> bool {
    let events = documents
        .iter()
        .map(|document| format!("data: {document}\n\n"));
    let stream: String = events.collect();
    let last = events_of(dialect, [stream.as_bytes()]).pop();
    let code = match last {
        Some(Event::Failed(error)) => error.code,
        _ => None,
    };
    code.as_deref() == Some("upstream_malformed")
}

/// A chat upstream's answer that calls with `arguments` and ends for `reason`.
fn calling(arguments: &str, reason: &str) -> Value {
    let call = json!({"id": "c", "type": "function",
        "function": {"name": "f", "arguments": arguments}});
    let message = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    json!({"choices": [{"index": 0, "message": message, "finish_reason": reason}]})
}

#[test]
fn a_call_that_nobody_could_run_is_no_answer() {
    for arguments in [r#"{"a":"#, "[]", "1", "text"] {
        for reason in ["tool_calls", "stop"] {
            let error = refused(Dialect::OpenAiChat, &calling(arguments, reason));
            let error = error.unwrap_or_else(|| panic!("{arguments}"));
            let found = (error.status, error.code.as_deref());
            assert_eq!(found, (502, Some("malformed_tool_call")), "{arguments}");
        }
        assert_eq!(
            refused(Dialect::OpenAiChat, &calling(arguments, "length")),
            None
        );
    }
    for arguments in ["", " ", "{}", r#"{"a":1}"#] {
        assert_eq!(
            refused(Dialect::OpenAiChat, &calling(arguments, "tool_calls")),
            None
        );
    }
    let block = json!({"type": "tool_use", "id": "c", "name": "f", "input": "text"});
    let body = json!({"content": [block], "stop_reason": "tool_use"});
    let error = refused(Dialect::Anthropic, &body).unwrap();
    assert_eq!(error.code.as_deref(), Some("malformed_tool_call"));
}

#[test]
fn an_answer_that_has_not_ended_is_none() {
    let text = json!({"type": "text", "text": "Hel"});
    malformed(
        Dialect::Anthropic,
        &json!({"content": [text], "stop_reason": null}),
    );
    let text = json!({"type": "output_text", "text": "Hel"});
    let item = json!({"type": "message", "role": "assistant", "content": [text]});
    for status in ["queued", "in_progress"] {
        malformed(
            Dialect::OpenAiResponses,
            &json!({"status": status, "output": [item]}),
        );
    }
}

#[test]
fn a_stream_that_begins_again_is_no_answer() {
    let start = json!({"type": "message_start", "message": {"content": []}});
    let said = json!({"type": "content_block_delta", "index": 0,
        "delta": {"type": "text_delta", "text": "a"}});
    let end = json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}});
    let stop = json!({"type": "message_stop"});
    let all = [&start, &said, &end, &stop].map(Clone::clone);
    assert!(!fails(Dialect::Anthropic, &all));
    for at in 1..=3 {
        let mut all = all.to_vec();
        all.insert(at, start.clone());
        assert!(fails(Dialect::Anthropic, &all), "{at}");
    }
}

#[test]
fn nothing_is_said_behind_googles_finish_reason() {
    let said = |part: Value| json!({"candidates": [{"content": {"parts": [part]}}]});
    let end = json!({"candidates": [{"content": {"parts": [{"text": "a"}]},
        "finishReason": "STOP"}]});
    for part in [
        json!({"text": "b"}),
        json!({"text": "b", "thought": true}),
        json!({"executableCode": {"code": "1"}}),
    ] {
        assert!(!fails(Dialect::Gemini, &[said(part.clone()), end.clone()]));
        assert!(fails(Dialect::Gemini, &[end.clone(), said(part)]));
    }
    let call = json!({"functionCall": {"name": "f", "args": {}}});
    for part in [call, json!({"text": ""})] {
        assert!(!fails(Dialect::Gemini, &[end.clone(), said(part)]));
    }
}
