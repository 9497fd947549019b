//! Thought signatures, on their way through clients of every dialect.

use std::sync::Arc;

use hone_dialects::{Dialect, Target, codec};
use hone_strategies::chat::{ChatRequest, Message, Native};
use serde_json::{Value, json};

use super::upstreams::{anthropic, call, chat, model, to};
use crate::support::json_of;

const ANTHROPIC: Dialect = Dialect::Anthropic;
const CHAT: Dialect = Dialect::OpenAiChat;
const GEMINI: Dialect = Dialect::Gemini;

/// The stand-in for a signature: base64 of `skip_thought_signature_validator`.
const STAND_IN: &str = "c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=";

/// A step of the current turn, whose call `maker` has signed.
fn signed(maker: &str) -> ChatRequest {
    let part = json!({"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln"});
    let thought = json!({"text": "hm", "thought": true});
    let native = Native {
        dialect: GEMINI,
        model: maker.to_owned(),
        value: vec![thought, part],
    };
    let message = Message::new("assistant", Value::Null)
        .with("tool_calls", json!([call("c", "f")]))
        .with_native(Some(Arc::new(native)));
    let result = Message::new("tool", "7").with("tool_call_id", "c");
    ChatRequest::new("m", vec![Message::user("a"), message, result])
}

fn second_turn(request: &ChatRequest, target: &Target) -> (Value, Vec<String>) {
    let encoded = codec(GEMINI).encode_request(request, target).unwrap();
    let found = json_of(&encoded);
    (
        found["contents"][1]["parts"].clone(),
        encoded.losses.degraded,
    )
}

#[test]
fn a_signature_is_never_nested_in_its_call_and_goes_to_its_own_model_alone() {
    let target = model("gemini-3-pro");
    let (parts, lost) = second_turn(&signed("up/gemini-3-pro"), &target);
    assert_eq!(
        parts[0],
        json!({"text": "hm", "thought": true}),
        "all parts are carried"
    );
    assert_eq!(parts[1]["thoughtSignature"], "c2ln");
    assert!(parts[1]["functionCall"].get("thoughtSignature").is_none());
    assert!(lost.is_empty());
    let (parts, lost) = second_turn(&signed("up/gemini-3-flash"), &target);
    assert_eq!(parts.as_array().unwrap().len(), 1);
    assert_eq!(parts[0]["thoughtSignature"], STAND_IN);
    assert_eq!(lost, ["thought_signatures"]);
    let (parts, lost) = second_turn(&signed("up/other"), &model("gemini-2.5-pro"));
    assert!(parts[0].get("thoughtSignature").is_none());
    assert!(lost.is_empty());
}

#[test]
fn no_signature_is_missing_beside_the_first_call_of_a_step_of_the_current_turn() {
    let step = |id: &str| {
        let calls = json!([call(id, "f"), call(&format!("{id}x"), "f")]);
        let result = |id: String| json!({"role": "tool", "tool_call_id": id, "content": "1"});
        vec![
            json!({"role": "assistant", "content": null, "tool_calls": calls}),
            result(id.to_owned()),
            result(format!("{id}x")),
        ]
    };
    let user = json!({"role": "user", "content": "a"});
    let messages = [
        vec![user.clone()],
        step("1"),
        vec![user],
        step("2"),
        step("3"),
    ]
    .concat();
    let (found, _) = to(&model("gemini-3-pro"), CHAT, &chat(&json!(messages)));
    let contents = found["contents"].as_array().unwrap();
    let calls = contents.iter().filter(|content| content["role"] == "model");
    let signed = calls.map(|content| {
        let parts = content["parts"].as_array().unwrap().iter();
        parts
            .map(|part| part.get("thoughtSignature").is_some())
            .collect::<Vec<_>>()
    });
    let signed: Vec<_> = signed.collect();
    assert_eq!(signed, [[false, false], [true, false], [true, false]]);
}

#[test]
fn a_chat_client_gives_the_signature_back_beside_the_call() {
    let mut call = call("c", "f");
    call["extra_content"] = json!({"google": {"thought_signature": "c2ln"}});
    let messages = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "7"},
    ]);
    let (found, encoded) = to(&model("gemini-3-pro"), CHAT, &chat(&messages));
    assert_eq!(found["contents"][1]["parts"][0]["thoughtSignature"], "c2ln");
    assert!(encoded.losses.degraded.is_empty());
}

#[test]
fn signatures_that_went_through_anthropics_client_come_back_to_their_calls() {
    let answer = json!({"candidates": [{"content": {"role": "model", "parts": [
        {"text": "hm", "thought": true},
        {"functionCall": {"name": "f", "args": {"x": 1}}, "thoughtSignature": "c2ln"},
        {"functionCall": {"name": "g", "args": {}, "id": "g.1"}}]}, "finishReason": "STOP"}]});
    let source = hone_dialects::Source {
        maker: "up/gemini-3-pro".to_owned(),
        ..crate::support::source()
    };
    let answer = codec(GEMINI)
        .decode_answer(answer.to_string().as_bytes(), &source)
        .unwrap();
    let told = codec(ANTHROPIC).encode_answer(&answer, &crate::support::frame(ANTHROPIC));
    let content = serde_json::from_str::<Value>(&told).unwrap()["content"].clone();
    let results: Vec<Value> = content
        .as_array()
        .unwrap()
        .iter()
        .filter(|block| block["type"] == "tool_use")
        .map(|block| json!({"type": "tool_result", "tool_use_id": block["id"], "content": "7"}))
        .collect();
    let body = anthropic(&json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": content},
        {"role": "user", "content": results},
    ]));
    let (found, encoded) = to(&model("gemini-3-pro"), ANTHROPIC, &body);
    let parts = &found["contents"][1]["parts"];
    assert_eq!(parts[0]["functionCall"]["name"], "f");
    assert_eq!(parts[0]["thoughtSignature"], "c2ln");
    assert!(encoded.losses.degraded.is_empty());
    let (found, _) = to(&model("gemini-3-flash"), ANTHROPIC, &body);
    assert_eq!(
        found["contents"][1]["parts"][0]["thoughtSignature"],
        STAND_IN
    );
}
