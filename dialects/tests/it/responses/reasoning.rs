//! Reasoning that comes back.

use std::sync::Arc;

use hone_dialects::marks::envelope;
use hone_dialects::{Dialect, Target, codec};
use hone_strategies::chat::{ChatRequest, Message, Native};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{decoded, target};

const OWN: Dialect = Dialect::OpenAiResponses;

fn conversation(reasoning: &Value) -> Value {
    json!({"model": "m", "input": [
        {"role": "user", "content": "Hi"},
        reasoning,
        {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "x"}]})
}

fn input_to(target: &Target, request: &ChatRequest) -> Vec<Value> {
    let encoded = codec(OWN).encode_request(request, target).unwrap();
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    body["input"].as_array().unwrap().clone()
}

fn input(body: &Value) -> Vec<Value> {
    input_to(&target(), &decoded(OWN, body).unwrap())
}

#[test]
fn reasoning_without_a_summary_is_accepted() {
    let body = conversation(&json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "e"}));
    let found = input(&body);
    assert_eq!(found[1]["summary"], json!([]));
    let bare = conversation(&json!({"type": "reasoning"}));
    assert_eq!(input(&bare).len(), 3);
    let request = decoded(OWN, &bare).unwrap();
    for dialect in Dialect::ALL {
        assert!(codec(dialect).encode_request(&request, &target()).is_ok());
    }
}

#[test]
fn no_id_of_reasoning_that_nobody_has_stored_is_sent_and_none_of_what_it_led_to() {
    for encrypted in [Value::Null, json!(""), json!("hone1.e30")] {
        let reasoning = json!({"type": "reasoning", "id": "rs_1", "summary": [],
            "encrypted_content": encrypted});
        let found = input(&conversation(&reasoning));
        assert_eq!(found.len(), 3, "{encrypted}");
        assert_eq!(found[1]["type"], "function_call");
        assert_eq!(
            found[1].get("id"),
            None,
            "the API knows that they belong together"
        );
        assert_eq!(found[1]["call_id"], "c1");
    }
}

#[test]
fn reasoning_that_is_encrypted_goes_back_with_its_ids() {
    let reasoning = json!({"type": "reasoning", "id": "rs_1", "summary": [],
        "encrypted_content": "e"});
    let found = input(&conversation(&reasoning));
    assert_eq!(found[1], reasoning);
    assert_eq!(found[2]["id"], "fc_1");
}

#[test]
fn another_model_does_not_get_what_the_one_that_was_asked_has_encrypted() {
    let reasoning = json!({"type": "reasoning", "id": "rs_1", "summary": [],
        "encrypted_content": "e"});
    let request = decoded(OWN, &conversation(&reasoning)).unwrap();
    let mut other = target();
    other.is_asked = false;
    let found = input_to(&other, &request);
    assert!(found.iter().all(|item| item["type"] != "reasoning"));
    assert_eq!(found[1].get("id"), None);
}

#[test]
fn ids_that_the_api_would_refuse_do_not_reach_it() {
    let long = format!("msg_{}", "x".repeat(80));
    let body = json!({"model": "m", "input": [
        {"type": "message", "role": "assistant", "id": "item_1", "status": "completed",
            "content": [{"type": "output_text", "text": "A", "annotations": []}]},
        {"type": "message", "role": "user", "id": long, "content": "Hi"},
        {"type": "reasoning", "id": "item_2", "summary": [], "encrypted_content": "e"},
        {"type": "function_call", "id": "call_1", "call_id": "a.1", "name": "f", "arguments": ""},
        {"type": "function_call_output", "id": "x", "call_id": "a.1", "output": "x"}]});
    let found = input(&body);
    for at in [0, 1, 3] {
        assert_eq!(found[at].get("id"), None, "{at}");
    }
    assert!(found[2]["id"].as_str().unwrap().starts_with("rs_"));
    let id = hone_dialects::marks::clean("a.1").into_owned();
    assert_eq!(found[3]["call_id"], *id);
    assert_eq!(found[4]["call_id"], *id);
}

fn thinking() -> Value {
    json!([{"type": "thinking", "thinking": "hm", "signature": "s"}])
}

#[test]
fn a_signature_of_another_provider_comes_back_to_its_model_and_to_no_other() {
    let sealed = envelope::seal(Dialect::Anthropic, "up/m", &thinking()).unwrap();
    let reasoning = json!({"type": "reasoning", "id": "rs_1", "encrypted_content": sealed,
        "summary": [{"type": "summary_text", "text": "hm"}]});
    let body = conversation(&reasoning);
    let request = decoded(OWN, &body).unwrap();
    let to = |target: &Target| {
        let encoded = codec(Dialect::Anthropic)
            .encode_request(&request, target)
            .unwrap();
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        body["messages"][1]["content"].clone()
    };
    let blocks = to(&target());
    assert_eq!(blocks[0], thinking()[0]);
    assert_eq!(blocks[1]["type"], "tool_use");
    let mut other = target();
    other.model = "another".to_owned();
    assert_eq!(to(&other)[0]["type"], "tool_use");
    let own = input(&body);
    assert!(
        own.iter().all(|item| item["type"] != "reasoning"),
        "it is no reasoning of OpenAI's"
    );
}

#[test]
fn reasoning_comes_back_out_of_another_dialects_envelope() {
    let items = json!([{"type": "reasoning", "id": "rs_1", "summary": [],
        "encrypted_content": "e"}, {"type": "message", "content": []}]);
    let sealed = envelope::seal(OWN, "up/m", &items).unwrap();
    let native = envelope::open(&sealed).unwrap().into_native().unwrap();
    let message = Message::assistant("So").with_native(Some(Arc::new(native)));
    let request = ChatRequest::new("m", [Message::user("Hi"), message, Message::user("Go")]);
    let found = input_to(&target(), &request);
    let kinds: Vec<_> = found.iter().map(|item| item["type"].clone()).collect();
    assert_eq!(kinds, ["message", "reasoning", "message", "message"]);
    assert_eq!(found[1]["encrypted_content"], "e");
}

#[test]
fn a_turn_that_somebody_changed_is_written_anew() {
    let native = Native {
        dialect: OWN,
        model: String::new(),
        value: vec![json!({"type": "message", "role": "user", "id": "msg_1", "content": "Old"})],
    };
    let message = Message::user("Old").with_native(Some(Arc::new(native)));
    let request = ChatRequest::new("m", [message.with("content", "New")]);
    let wanted = json!({"type": "message", "role": "user", "content": "New"});
    assert_eq!(input_to(&target(), &request), [wanted]);
}

#[test]
fn an_envelope_within_an_envelope_goes_nowhere() {
    let inner = json!([{"type": "reasoning", "id": "rs_1", "encrypted_content": "hone1.e30"}]);
    let sealed = envelope::seal(OWN, "up/m", &inner).unwrap();
    let found = input(&conversation(&json!({"type": "reasoning", "id": "rs_1",
        "summary": [], "encrypted_content": sealed})));
    assert_eq!(found.len(), 3, "{found:?}");
}

#[test]
fn another_dialects_envelope_is_no_item_that_is_stored() {
    let text = json!({"text": "", "thoughtSignature": "AAAA"});
    let thinking = json!({"type": "thinking", "thinking": "", "signature": "s"});
    let bare = json!({"id": "x"});
    for (dialect, value) in [
        (Dialect::Gemini, text),
        (Dialect::Anthropic, thinking),
        (Dialect::Gemini, bare),
    ] {
        let sealed = envelope::seal(dialect, "g/gemini", &json!([value])).unwrap();
        let found = input(&json!({"model": "gpt-5.4", "store": false, "input": [
            {"role": "user", "content": "Hi"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": sealed},
            {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
                "content": [{"type": "output_text", "text": "Hello", "annotations": []}]},
            {"role": "user", "content": "And?"}]}));
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[1]["content"], "Hello");
    }
}

/// Items of a conversation, with any ids.
fn any_items() -> impl Strategy<Value = Vec<Value>> {
    let id = "(item_|msg_|rs_|fc_|ctc_|call_|chatcmpl-)?[a-z0-9]{0,80}";
    let item = (id, 0_usize..5).prop_map(|(id, kind)| match kind {
        0 => json!({"type": "message", "role": "assistant", "id": id, "content": "a"}),
        1 => json!({"type": "message", "role": "user", "id": id, "content": "q"}),
        2 => json!({"type": "reasoning", "id": id, "summary": [], "encrypted_content": "e"}),
        3 => json!({"type": "function_call", "id": id, "call_id": "c", "name": "f",
            "arguments": "{}"}),
        _ => json!({"type": "custom_tool_call", "id": id, "call_id": "c", "name": "p",
            "input": "i"}),
    });
    prop::collection::vec(item, 1..6)
}

proptest! {
    #[test]
    fn no_id_that_openai_would_refuse_for_its_prefix_or_length_reaches_it(items in any_items()) {
        let found = input(&json!({"model": "m", "input": items}));
        prop_assert_eq!(found.len(), items.len());
        for item in found {
            let prefix = match item["type"].as_str().unwrap() {
                "message" => "msg_",
                "reasoning" => "rs_",
                "function_call" => "fc_",
                _ => "ctc_",
            };
            let fits = |id: &str| id.starts_with(prefix) && id.len() <= 64;
            prop_assert!(item["id"].as_str().is_none_or(fits), "{}", item);
        }
    }
}
