//! Finished answers that a strategy gives to a client of their own dialect, block by block as their
//! maker wrote them.

use std::sync::Arc;

use hone_dialects::{Dialect, Ending, codec};
use hone_strategies::chat::{Choice, Completion, Delta, Message, Native};
use serde_json::{Value, json};

use crate::support::{frame, streamed};

/// A turn that thinks and calls, as the maker of each dialect writes it.
fn turn(dialect: Dialect) -> Vec<Value> {
    match dialect {
        Dialect::Anthropic => vec![
            json!({"type": "thinking", "thinking": "hm", "signature": "s"}),
            json!({"type": "tool_use", "id": "c", "name": "f", "input": {"a": 1}}),
        ],
        Dialect::Gemini => vec![json!({"functionCall": {"id": "c", "name": "f",
            "args": {"a": 1}}, "thoughtSignature": "c2ln"})],
        Dialect::OpenAiChat => Vec::new(),
        Dialect::OpenAiResponses => vec![
            json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"}),
            json!({"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f",
                "arguments": "{\"a\":1}", "status": "completed"}),
        ],
    }
}

fn native(dialect: Dialect) -> Arc<Native> {
    Arc::new(Native {
        dialect,
        model: "up/m".to_owned(),
        value: turn(dialect),
    })
}

fn calls() -> Value {
    let function = json!({"name": "f", "arguments": "{\"a\":1}"});
    json!([{"index": 0, "id": "c", "type": "function", "function": function}])
}

/// The end of the answer in each dialect that has blocks: where it is told, and its word.
const ENDS: [(Dialect, &str); 3] = [
    (Dialect::Anthropic, r#""stop_reason":"tool_use""#),
    (Dialect::Gemini, r#""finishReason":"STOP""#),
    (Dialect::OpenAiResponses, r#""status":"completed""#),
];

#[test]
fn a_stream_of_native_calls_ends_in_calls() {
    for (dialect, end) in ENDS {
        for reason in ["tool_calls", "content_filter"] {
            let mut whole = Delta::field("tool_calls", calls());
            whole.native = Some(native(dialect));
            let deltas = [whole, Delta::finish(reason)];
            let text = streamed(dialect, &deltas, &Ending::default());
            let (_, last) = text
                .trim_end()
                .rsplit_once("\n\ndata: ")
                .unwrap_or(("", &text));
            let told = if dialect == Dialect::Anthropic {
                &text
            } else {
                last
            };
            assert!(told.contains(end), "{dialect:?} {reason}: {text}");
            assert!(!text.contains(r#""incomplete""#), "{text}");
        }
    }
}

#[test]
fn a_whole_answer_of_native_calls_ends_in_calls_whatever_else_is_told_of_them() {
    for (dialect, end) in ENDS {
        for reason in ["tool_calls", "content_filter"] {
            let message = Message::assistant("").with_native(Some(native(dialect)));
            let answer = Completion {
                choices: vec![Choice::new(message, reason)],
                ..Completion::default()
            };
            let text = codec(dialect).encode_answer(&answer, &frame(dialect));
            assert!(text.contains(end), "{dialect:?} {reason}: {text}");
        }
    }
}
