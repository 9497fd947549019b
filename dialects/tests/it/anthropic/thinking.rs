//! What is asked of thinking, and what goes with it.

use hone_dialects::{Dialect, Settings, ThinkingForm, codec};
use hone_strategies::chat::{ChatRequest, Message};
use serde_json::{Value, json};

use crate::support::{decoded, encoded, json_of, target, translated};

const ANTHROPIC: Dialect = Dialect::Anthropic;
const CHAT: Dialect = Dialect::OpenAiChat;

/// A request of these messages.
fn body(messages: &Value) -> Value {
    json!({"model": "asked", "max_tokens": 100, "messages": messages})
}

/// A call whose result the model has not seen, and no thinking in front of it.
fn open_call() -> Value {
    json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "t", "name": "f", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t", "content": "7"}]},
    ])
}

#[test]
fn edits_that_clear_thinking_are_no_400_for_want_of_thinking_but_dropped_with_it() {
    let edits = json!({"edits": [{"type": "clear_thinking_20251015"}]});
    let mut body = body(&json!([{"role": "user", "content": "a"}]));
    body["context_management"] = edits.clone();
    let without = translated(ANTHROPIC, ANTHROPIC, &body);
    assert_eq!(without.get("context_management"), None);
    body["thinking"] = json!({"type": "adaptive"});
    let with = translated(ANTHROPIC, ANTHROPIC, &body);
    assert_eq!(with["context_management"], edits);
    let request = decoded(ANTHROPIC, &body).unwrap();
    let losses = encoded(CHAT, &request).losses;
    assert_eq!(losses.degraded, ["context_management"]);
    body["messages"] = open_call();
    let omitted = translated(ANTHROPIC, ANTHROPIC, &body);
    for name in ["thinking", "context_management"] {
        assert_eq!(omitted.get(name), None);
    }
}

#[test]
fn a_turn_of_calls_that_no_thinking_leads_is_no_400_but_asked_without_thinking() {
    let call = json!({"id": "t", "type": "function",
        "function": {"name": "f", "arguments": "{}"}});
    let mut request = ChatRequest::new(
        "m",
        [
            Message::user("go"),
            Message::assistant("").with("tool_calls", vec![call]),
            Message::new("tool", "7").with("tool_call_id", "t"),
        ],
    );
    request.set("reasoning_effort", "high");
    let found = encoded(ANTHROPIC, &request);
    assert_eq!(json_of(&found).get("thinking"), None);
    assert_eq!(found.losses.degraded, ["thinking"]);
    let mut own = body(&open_call());
    own["thinking"] = json!({"type": "enabled", "budget_tokens": 2000});
    let found = encoded(ANTHROPIC, &decoded(ANTHROPIC, &own).unwrap());
    assert_eq!(json_of(&found).get("thinking"), None);
    assert_eq!(found.losses.degraded, ["thinking"]);
}

#[test]
fn an_effort_becomes_a_word_or_a_budget() {
    let mut request = ChatRequest::new("m", [Message::user("a")]);
    request.set("reasoning_effort", "medium");
    let body = json_of(&encoded(ANTHROPIC, &request));
    assert_eq!(body["output_config"], json!({"effort": "medium"}));
    assert_eq!(body["thinking"]["type"], "adaptive");
    let mut target = target();
    target.settings = Settings {
        thinking: ThinkingForm::Budget,
        ..Settings::default()
    };
    let budget = codec(ANTHROPIC).encode_request(&request, &target).unwrap();
    let body = json_of(&budget);
    let thinking = json!({"type": "enabled", "budget_tokens": 8192});
    assert_eq!(
        (&body["thinking"], &body["max_tokens"]),
        (&thinking, &json!(24_576))
    );
    request.set("max_tokens", 500);
    let none = codec(ANTHROPIC).encode_request(&request, &target).unwrap();
    assert_eq!(json_of(&none).get("thinking"), None);
    assert_eq!(none.losses.degraded, ["reasoning_effort"]);
}
