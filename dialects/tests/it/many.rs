//! As many calls, results and tools as a request may hold. Work that grows with the square of them
//! would take these tests minutes.

use hone_dialects::{Dialect, Route, codec};
use serde_json::{Value, json};

use crate::support::target;

const MANY: usize = 25_000;
/// Names are short: there may be more of them.
const MOST: usize = 100_000;

fn many(one: impl Fn(usize) -> Value) -> Value {
    (0..MANY).map(one).collect()
}

/// The same from the last to the first.
fn backwards(one: impl Fn(usize) -> Value) -> Value {
    (0..MANY).rev().map(one).collect()
}

/// What an upstream of each dialect in `to` gets of `body`.
fn pass(from: Dialect, to: &[Dialect], body: &Value) {
    let route = Route {
        model: Some("m"),
        ..Route::default()
    };
    let request = codec(from).decode_request(body.to_string().as_bytes(), &route);
    let request = request.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    for to in to {
        let encoded = codec(*to).encode_request(&request, &target());
        assert!(encoded.is_ok(), "{to:?}: {:?}", encoded.err());
    }
}

#[test]
fn results_of_many_calls_are_found_for_googles_clients() {
    let call = |at| json!({"functionCall": {"id": format!("c{at}"), "name": "f", "args": {}}});
    let result = |at| {
        json!({"functionResponse":
            {"id": format!("c{at}"), "name": "f", "response": {"output": "r"}}})
    };
    let nameless = json!({"functionCall": {"name": "f", "args": {}}});
    let next = json!({"functionResponse": {"name": "f", "response": {"output": "r"}}});
    for (calls, results) in [
        (many(call), backwards(result)),
        (many(|_| nameless.clone()), many(|_| next.clone())),
    ] {
        let body = json!({"contents": [{"role": "user", "parts": [{"text": "q"}]},
            {"role": "model", "parts": calls}, {"role": "user", "parts": results}]});
        pass(Dialect::Gemini, &[Dialect::Anthropic], &body);
    }
}

#[test]
fn results_of_many_calls_are_found_for_anthropics_clients() {
    let call = |at| json!({"type": "tool_use", "id": format!("c{at}"), "name": "f", "input": {}});
    let result =
        |at| json!({"type": "tool_result", "tool_use_id": format!("c{at}"), "content": "r"});
    let body = json!({"model": "m", "max_tokens": 5, "messages": [
        {"role": "user", "content": "q"}, {"role": "assistant", "content": many(call)},
        {"role": "user", "content": backwards(result)}]});
    pass(Dialect::Anthropic, &[Dialect::Gemini], &body);
}

#[test]
fn many_names_of_tools_are_made_to_fit() {
    let tool =
        |at| json!({"type": "function", "function": {"name": format!("a.{at}"), "parameters": {}}});
    let body = json!({"model": "m", "tools": (0..MOST).map(tool).collect::<Value>(),
        "messages": [{"role": "user", "content": "q"}]});
    pass(Dialect::OpenAiChat, &[Dialect::Anthropic], &body);
}

#[test]
fn many_tools_of_one_name_get_names_of_their_own() {
    let tool = |_| json!({"type": "custom", "name": "patch"});
    let body = json!({"model": "m", "tools": many(tool), "input": "q"});
    pass(Dialect::OpenAiResponses, &[Dialect::OpenAiChat], &body);
}
