//! Whole answers.

use std::sync::Arc;

use hone_dialects::{Dialect, ErrorReply, Frame, codec};
use hone_strategies::chat::{Choice, Completion, Message, Native, Usage};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::grammar::response::check_response;
use crate::support::{decoded, frame, source};

const OWN: Dialect = Dialect::OpenAiResponses;

fn response(items: &Value, status: &str) -> Value {
    json!({"id": "resp_1", "object": "response", "status": status, "output": items,
        "usage": {"input_tokens": 3, "output_tokens": 9}})
}

fn read(response: &Value) -> Result<Completion, Box<ErrorReply>> {
    codec(OWN).decode_answer(response.to_string().as_bytes(), &source())
}

fn answer(items: &Value) -> Completion {
    read(&response(items, "completed")).unwrap_or_else(|error| panic!("{error:?}"))
}

fn written_in(answer: &Completion, frame: &Frame) -> Value {
    let text = codec(OWN).encode_answer(answer, frame);
    let found: Value = serde_json::from_str(&text).unwrap();
    check_response(&found).unwrap_or_else(|why| panic!("{why}: {text}"));
    found
}

fn written(message: Message, reason: &str) -> Value {
    let answer = Completion {
        choices: vec![Choice::new(message, reason)],
        usage: Some(Usage::new(3, 4)),
        ..Completion::default()
    };
    written_in(&answer, &frame(OWN))
}

fn call(arguments: &str) -> Value {
    json!({"id": "call_1", "type": "function",
        "function": {"name": "f", "arguments": arguments}})
}

#[test]
fn an_answer_has_reasoning_text_and_calls_in_this_order() {
    let message = Message::assistant("So")
        .with("reasoning_content", "hm")
        .with("tool_calls", json!([call("{}")]));
    let found = written(message, "tool_calls");
    let kinds: Vec<_> = found["output"].as_array().unwrap().iter().collect();
    let kinds: Vec<_> = kinds.iter().map(|item| item["type"].clone()).collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call"]);
    assert_eq!(found["status"], "completed");
    assert_eq!(found["store"], false);
    assert_eq!(found["usage"]["total_tokens"], 7);
    let sealed = found["output"][0]["encrypted_content"].as_str().unwrap();
    assert!(sealed.starts_with("hone1."), "never an empty signature");
}

#[test]
fn a_call_that_was_cut_off_is_left_out_of_a_whole_answer() {
    let message = Message::assistant("So").with("tool_calls", json!([call("{\"a\":")]));
    let found = written(message, "length");
    assert_eq!(found["status"], "incomplete");
    assert_eq!(found["incomplete_details"]["reason"], "max_output_tokens");
    assert_eq!(found["output"].as_array().unwrap().len(), 1);
    let cut = json!([{"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f",
        "arguments": "{\"a\":", "status": "incomplete"}]);
    let mut told = response(&cut, "incomplete");
    told["incomplete_details"] = json!({"reason": "max_output_tokens"});
    let found = read(&told).unwrap();
    assert_eq!(found.choices[0].finish_reason.as_deref(), Some("length"));
    assert_eq!(found.choices[0].message.tool_calls(), None);
}

#[test]
fn a_call_that_nobody_could_run_is_a_failure_of_the_upstream() {
    let items = json!([{"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f",
        "arguments": "{\"a\":", "status": "completed"}]);
    let error = read(&response(&items, "completed")).unwrap_err();
    assert_eq!(
        (error.status, error.code.as_deref()),
        (502, Some("malformed_tool_call"))
    );
}

#[test]
fn an_incomplete_answer_is_no_error_and_its_usage_is_not_lost() {
    let text = json!({"type": "output_text", "text": "Hel", "annotations": []});
    let items = json!([{"type": "message", "id": "msg_1", "role": "assistant",
        "status": "incomplete", "content": [text]}]);
    for (reason, word) in [
        ("max_output_tokens", "length"),
        ("content_filter", "content_filter"),
        ("steered", "stop"),
    ] {
        let mut told = response(&items, "incomplete");
        told["incomplete_details"] = json!({ "reason": reason });
        let found = read(&told).unwrap();
        assert_eq!(found.choices[0].finish_reason.as_deref(), Some(word));
        assert_eq!(found.usage.map(|usage| usage.completion), Some(9));
    }
}

#[test]
fn a_failed_response_is_an_error_although_its_status_is_200() {
    for (status, error, wanted) in [
        (
            "failed",
            json!({"code": "server_error", "message": "Sorry."}),
            502,
        ),
        (
            "failed",
            json!({"code": "rate_limit_exceeded", "message": "Slow."}),
            429,
        ),
        ("cancelled", Value::Null, 502),
    ] {
        let mut told = response(&json!([]), status);
        told["error"] = error;
        assert_eq!(read(&told).unwrap_err().status, wanted);
    }
    assert!(read(&json!({"output": "x"})).is_err());
    assert!(read(&json!({})).is_err());
    assert!(codec(OWN).decode_answer(b"<html>", &source()).is_err());
}

#[test]
fn a_plain_answer_carries_no_second_copy_of_itself() {
    let text = json!({"type": "output_text", "text": "Hi", "annotations": [], "logprobs": []});
    let message = json!({"type": "message", "id": "msg_1", "role": "assistant",
        "status": "completed", "content": [text]});
    let found = answer(&json!([message]));
    assert!(found.choices[0].message.native().is_none());
    assert_eq!(found.choices[0].message.text(), "Hi");
}

#[test]
fn an_answer_of_its_own_dialect_comes_through_as_it_was() {
    let items = json!([
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"},
        {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "phase": "final_answer", "content": [{"type": "output_text", "text": "Hi",
            "annotations": [], "logprobs": []}]},
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c", "name": "p", "input": "x",
            "status": "completed"}]);
    let found = answer(&items);
    assert_eq!(written_in(&found, &frame(OWN))["output"], items);
    let mut unasked = frame(OWN);
    unasked.request = decoded(OWN, &json!({"model": "m", "input": "Hi"})).unwrap();
    let output = &written_in(&found, &unasked)["output"];
    assert_eq!(
        output[0].get("encrypted_content"),
        None,
        "nobody asked for it"
    );
}

#[test]
fn an_answer_of_anthropics_brings_its_signature_along() {
    let native = Native {
        dialect: Dialect::Anthropic,
        model: "up/claude".to_owned(),
        value: vec![
            json!({"type": "thinking", "thinking": "hm", "signature": "s"}),
            json!({"type": "text", "text": "So"}),
        ],
    };
    let message = Message::assistant("So").with("reasoning_content", "hm");
    let found = written(message.with_native(Some(Arc::new(native))), "stop");
    let sealed = found["output"][0]["encrypted_content"].as_str().unwrap();
    let opened = hone_dialects::marks::envelope::open(sealed).unwrap();
    let value = opened.of(Dialect::Anthropic, "up/claude").unwrap();
    assert_eq!(
        value.as_array().unwrap().len(),
        1,
        "the reasoning and nothing else"
    );
}

#[test]
fn a_custom_call_that_gives_no_text_is_told_as_it_is() {
    let body = json!({"model": "m", "input": "Hi", "tools": [{"type": "custom", "name": "f"}]});
    let mut frame = frame(OWN);
    frame.request = decoded(OWN, &body).unwrap();
    for (arguments, input) in [
        (r#"{"input":"a\nb"}"#, "a\nb"),
        (r#"{"patch":"a"}"#, r#"{"patch":"a"}"#),
    ] {
        let message = Message::assistant("").with("tool_calls", json!([call(arguments)]));
        let answer = Completion {
            choices: vec![Choice::new(message, "tool_calls")],
            ..Completion::default()
        };
        let found = written_in(&answer, &frame);
        assert_eq!(found["output"][0]["input"], input);
        assert_eq!(found["output"][0]["call_id"], "call_1");
    }
}

#[test]
fn cited_pages_and_probabilities_go_both_ways() {
    let entry = json!({"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []});
    let cited = json!({"type": "url_citation", "url": "https://a.b", "title": "A",
        "start_index": 0, "end_index": 2});
    let text = json!({"type": "output_text", "text": "Hi", "annotations": [cited],
        "logprobs": [entry]});
    let items = json!([{"type": "message", "id": "msg_1", "role": "assistant",
        "status": "completed", "content": [text]}]);
    let mut found = answer(&items);
    let choice = &mut found.choices[0];
    let logprobs = choice.logprobs.as_ref().unwrap().to_value();
    assert_eq!(logprobs["content"], json!([entry]));
    let annotations = choice.message.get("annotations").unwrap();
    assert_eq!(annotations[0]["url_citation"]["url"], "https://a.b");
    choice.message = choice.message.clone().with_native(None);
    let part = written_in(&found, &frame(OWN))["output"][0]["content"][0].clone();
    assert_eq!(part, text);
}

#[test]
fn errors_are_openais() {
    let spoken = codec(OWN).error(&ErrorReply::new(404, "No such model."));
    assert_eq!(spoken.status, 404);
    let body: Value = serde_json::from_str(&spoken.body).unwrap();
    let wanted = json!({"message": "No such model.", "type": "invalid_request_error",
        "param": null, "code": null});
    assert_eq!(body["error"], wanted);
}

fn any_message() -> impl Strategy<Value = Message> {
    let text = "[a-c é]{0,6}";
    (text, text, 0_usize..3, text).prop_map(|(said, thought, calls, argument)| {
        let arguments = json!({ "a": argument }).to_string();
        let calls: Vec<Value> = (0..calls)
            .map(|at| {
                let mut call = call(&arguments);
                call["id"] = format!("call_{at}").into();
                call
            })
            .collect();
        let mut message = Message::assistant(said);
        if !thought.is_empty() {
            message = message.with("reasoning_content", thought);
        }
        if calls.is_empty() {
            message
        } else {
            message.with("tool_calls", calls)
        }
    })
}

proptest! {
    #[test]
    fn no_chatcmpl_id_stands_in_an_output_item(message in any_message(), seed in "[a-z0-9]{1,9}") {
        let answer = Completion {
            choices: vec![Choice::new(message, "stop")],
            rest: Arc::new(Map::from_iter([("id".to_owned(), "chatcmpl-1".into())])),
            ..Completion::default()
        };
        let frame = Frame { seed, ..frame(OWN) };
        // The reader compares the ids of items with their kinds.
        let found = written_in(&answer, &frame);
        prop_assert!(found["id"].as_str().unwrap().starts_with("resp_hone_"), "{}", found);
        prop_assert!(!found.to_string().contains("chatcmpl"), "{}", found);
    }

    /// What is written for a client is read again as what it was.
    #[test]
    fn an_answer_survives_the_way_through_the_dialect(
        message in any_message(), usage in (0_u64..99, 0_u64..99),
    ) {
        let calls = message.tool_calls().is_some();
        let reason = if calls { "tool_calls" } else { "stop" };
        let answer = Completion {
            choices: vec![Choice::new(message.clone(), reason)],
            usage: Some(Usage::new(usage.0, usage.1)),
            ..Completion::default()
        };
        let found = read(&written_in(&answer, &frame(OWN))).unwrap();
        let choice = &found.choices[0];
        prop_assert_eq!(choice.message.text(), message.text());
        prop_assert_eq!(choice.message.get("tool_calls"), message.get("tool_calls"));
        let thoughts = (choice.message.get("reasoning_content"), message.get("reasoning_content"));
        prop_assert_eq!(thoughts.0, thoughts.1);
        prop_assert_eq!(choice.finish_reason.as_deref(), Some(reason));
        prop_assert_eq!(found.usage, answer.usage);
    }
}
