//! Turns that come as several contents: clients send each chunk of a stream back as one.

use hone_dialects::Dialect;
use serde_json::{Value, json};

use super::requests::{body, to_chat};
use crate::support::{decoded, translated};

const GEMINI: Dialect = Dialect::Gemini;

fn call(id: &str, city: &str) -> Value {
    json!({"functionCall": {"id": id, "name": "weather", "args": {"city": city}}})
}

fn response(id: &str, said: &str) -> Value {
    json!({"functionResponse": {"id": id, "name": "weather", "response": {"output": said}}})
}

fn model(part: &Value) -> Value {
    json!({"role": "model", "parts": [part]})
}

/// The turns of `calls`, and behind them the contents of their results.
fn asked(calls: &[Value], results: &[Value]) -> Value {
    let mut contents = vec![json!({"role": "user", "parts": [{"text": "Rome and Oslo?"}]})];
    contents.extend(calls.iter().map(model));
    contents.extend(results.iter().cloned());
    body(&contents.into())
}

fn user(parts: &Value) -> Value {
    json!({"role": "user", "parts": parts})
}

#[test]
fn calls_in_contents_of_their_own_are_one_turn_with_all_results_behind_it() {
    let calls = [
        json!({"text": "I look."}),
        call("a", "Rome"),
        call("b", "Oslo"),
    ];
    let together = [user(&json!([response("a", "warm"), response("b", "cold")]))];
    let apart = [
        user(&json!([response("b", "cold")])),
        user(&json!([response("a", "warm")])),
    ];
    for results in [&together[..], &apart[..]] {
        let body = asked(&calls, results);
        let (chat, _) = to_chat(&body);
        let messages = chat["messages"].as_array().unwrap();
        let roles: Vec<_> = messages.iter().map(|message| &message["role"]).collect();
        assert_eq!(roles, ["user", "assistant", "tool", "tool"]);
        assert_eq!(messages[1]["content"], "I look.");
        assert_eq!(messages[1]["tool_calls"][0]["id"], "a");
        assert_eq!(messages[1]["tool_calls"][1]["id"], "b");
        assert_eq!(messages[2]["content"], "warm");
        assert_eq!(messages[3]["content"], "cold");
        let anthropic = translated(GEMINI, Dialect::Anthropic, &body);
        assert_eq!(anthropic["messages"][2]["content"][0]["tool_use_id"], "a");
    }
}

#[test]
fn nameless_calls_in_contents_of_their_own_are_answered_in_their_order() {
    let call = |x: u8| json!({"functionCall": {"name": "f", "args": {"x": x}}});
    let result = |said: &str| {
        let part = json!({"functionResponse": {"name": "f", "response": {"output": said}}});
        user(&json!([part]))
    };
    let body = asked(&[call(1), call(2)], &[result("one"), result("two")]);
    let (chat, _) = to_chat(&body);
    let messages = chat["messages"].as_array().unwrap();
    for (at, said) in [(0, "one"), (1, "two")] {
        let id = &messages[1]["tool_calls"][at]["id"];
        assert_eq!(&messages[at + 2]["tool_call_id"], id);
        assert_eq!(messages[at + 2]["content"], said);
    }
}

#[test]
fn the_parts_of_a_turn_go_back_to_google_in_their_order_and_with_their_signatures() {
    let signed = json!({"functionCall": {"id": "a", "name": "weather", "args": {}},
        "thoughtSignature": "c2ln"});
    let parts = [
        json!({"text": "hm", "thought": true}),
        signed,
        json!({"text": "and"}),
        call("b", "Oslo"),
    ];
    let results = [
        user(&json!([response("a", "warm")])),
        user(&json!([response("b", "cold")])),
    ];
    let body = asked(&parts, &results);
    let same = translated(GEMINI, GEMINI, &body);
    let expected = json!({"role": "model", "parts": parts});
    assert_eq!(same["contents"][1], expected);
    let both = json!([response("a", "warm"), response("b", "cold")]);
    assert_eq!(same["contents"][2]["parts"], both);
    assert_eq!(same["contents"].as_array().unwrap().len(), 3);
}

#[test]
fn a_text_between_two_calls_stays_there_on_the_way_to_google() {
    let call = json!({"functionCall": {"name": "f", "args": {}}});
    let result = json!({"functionResponse": {"name": "f", "response": {"output": "x"}}});
    let parts = [call.clone(), json!({"text": "and"}), call];
    let body = asked(&parts, &[user(&json!([result, result]))]);
    let same = translated(GEMINI, GEMINI, &body);
    assert_eq!(same["contents"][1]["parts"], json!(parts));
}

#[test]
fn a_text_in_chunks_is_one_message_and_a_call_without_a_result_is_refused_still() {
    let body = asked(&[json!({"text": "Hel"}), json!({"text": "lo"})], &[]);
    let request = decoded(GEMINI, &body).unwrap();
    assert_eq!(request.messages().len(), 2);
    assert_eq!(request.messages()[1].text(), "Hello");
    let results = [user(&json!([response("b", "cold")]))];
    let body = asked(&[call("a", "Rome"), call("b", "Oslo")], &results);
    let mut contents = body["contents"].as_array().unwrap().clone();
    contents.push(model(&json!({"text": "Cold."})));
    let body = super::requests::body(&contents.into());
    let refusal = decoded(GEMINI, &body).unwrap_err();
    assert_eq!(refusal.param.as_deref(), Some("contents.3.parts"));
}
