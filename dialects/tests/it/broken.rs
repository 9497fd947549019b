//! Answers of upstreams that nobody could use: told as errors, and never as answers.

use hone_dialects::{Dialect, ErrorReply, codec};
use serde_json::{Value, json};

use crate::support::source;

fn refused(dialect: Dialect, body: &Value) -> Option<ErrorReply> {
    let answer = codec(dialect).decode_answer(body.to_string().as_bytes(), &source());
    answer.err().map(|error| *error)
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
