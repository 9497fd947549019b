//! Envelopes that a client has written itself: nothing holds a secret that would tell them apart.

use std::collections::BTreeMap;

use hone_dialects::marks::envelope;
use hone_dialects::{Dialect, Route, codec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::support::{json_of, target};

const MEMBERS: [&str; 16] = [
    "content",
    "data",
    "encrypted_content",
    "extra",
    "fileData",
    "functionCall",
    "id",
    "name",
    "signature",
    "source",
    "summary",
    "text",
    "thinking",
    "thought",
    "thoughtSignature",
    "type",
];
const WORDS: [&str; 8] = [
    "c1",
    "document",
    "file_1",
    "item_reference",
    "reasoning",
    "redacted_thinking",
    "rs_1",
    "thinking",
];
const CLIENTS: [Dialect; 3] = [
    Dialect::Anthropic,
    Dialect::OpenAiResponses,
    Dialect::Gemini,
];

/// What upstreams write themselves.
fn honest() -> Vec<Value> {
    vec![
        json!({"type": "thinking", "thinking": "t", "signature": "s"}),
        json!({"type": "redacted_thinking", "data": "d"}),
        json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "e",
            "summary": [{"type": "summary_text", "text": "t"}]}),
        json!({"text": "t", "thought": true, "thoughtSignature": "s"}),
        json!({"text": "", "thoughtSignature": "s"}),
        json!({"functionCall": {"id": "c1"}, "thoughtSignature": "s"}),
        json!(null),
    ]
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        select(&WORDS[..]).prop_map(Value::from),
        Just(json!(null)),
        any::<bool>().prop_map(Value::from),
        any::<u8>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let list = prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            list.prop_map(Value::from),
            members(inner).prop_map(Value::from_iter)
        ]
    })
}

fn members(
    value: impl Strategy<Value = Value>,
) -> impl Strategy<Value = BTreeMap<&'static str, Value>> {
    prop::collection::btree_map(select(&MEMBERS[..]), value, 0..4)
}

/// Something honest with members of a client's own in it.
fn forged() -> impl Strategy<Value = Value> {
    let value = (select(honest()), members(anything()));
    value.prop_map(|(mut value, members)| {
        for (name, more) in members {
            match &mut value {
                Value::Object(fields) => fields.insert(name.to_owned(), more),
                _ => None,
            };
        }
        value
    })
}

/// The slot in which a client of `dialect` keeps an envelope of `value`.
fn slot(dialect: Dialect, maker: Dialect, value: &Value) -> String {
    slot_of(dialect, (maker, &target().maker()), value)
}

/// The same by any model.
fn slot_of(dialect: Dialect, (maker, model): (Dialect, &str), value: &Value) -> String {
    let envelope = envelope::seal(maker, model, value).unwrap();
    match dialect {
        Dialect::Gemini => envelope::to_base64(&envelope),
        _ => envelope,
    }
}

/// A conversation in `client` whose model's turn holds the envelope.
fn body(client: Dialect, slot: &str) -> Value {
    match client {
        Dialect::Anthropic => json!({"model": "m", "max_tokens": 5, "messages": [
            {"role": "user", "content": "q"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "t", "signature": slot},
                {"type": "text", "text": "a"},
                {"type": "tool_use", "id": "c1", "name": "f", "input": {}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "c1", "content": "r"}]}]}),
        Dialect::Gemini => json!({"contents": [
            {"role": "user", "parts": [{"text": "q"}]},
            {"role": "model", "parts": [{"text": "a", "thoughtSignature": slot},
                {"functionCall": {"id": "c1", "name": "f", "args": {}}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "c1", "name": "f", "response": {"output": "r"}}}]}]}),
        _ => json!({"model": "m", "input": [
            {"role": "user", "content": "q"},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": slot},
            {"type": "message", "role": "assistant", "content": "a"},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "r"}]}),
    }
}

/// What an upstream of `to` gets of the body, if it is asked at all.
fn written(client: Dialect, to: Dialect, body: &Value) -> Option<Value> {
    let route = Route {
        model: Some("m"),
        ..Route::default()
    };
    let request = codec(client).decode_request(body.to_string().as_bytes(), &route);
    let encoded = codec(to).encode_request(&request.unwrap(), &target());
    Some(json_of(&encoded.ok()?))
}

fn are_texts(fields: &Map<String, Value>, names: &[&str]) -> bool {
    let is_text = |name: &&str| fields.get(*name).is_some_and(Value::is_string);
    fields.len() == names.len() + 1 && names.iter().all(is_text)
}

/// Whether `value` is reasoning of `dialect` to the last member.
fn is_reasoning(dialect: Dialect, value: &Value) -> bool {
    let Some(fields) = value.as_object() else {
        return false;
    };
    match (dialect, value["type"].as_str()) {
        (Dialect::Anthropic, Some("thinking")) => are_texts(fields, &["thinking", "signature"]),
        (Dialect::Anthropic, Some("redacted_thinking")) => are_texts(fields, &["data"]),
        (Dialect::OpenAiResponses, Some("reasoning")) => {
            let is_text = |part: &Value| {
                let fields = part.as_object().unwrap();
                part["type"] == "summary_text" && are_texts(fields, &["text"])
            };
            let summary = value["summary"].as_array().unwrap();
            let mut rest = fields.clone();
            rest.remove("summary");
            are_texts(&rest, &["id", "encrypted_content"]) && summary.iter().all(is_text)
        }
        (Dialect::Gemini, None) => {
            value["thought"] == true && are_texts(fields, &["text", "thoughtSignature"])
        }
        _ => false,
    }
}

/// Takes reasoning out of what is written for an upstream of `dialect`.
fn without(dialect: Dialect, value: &mut Value) {
    match value {
        Value::Array(values) => {
            values.retain(|value| !is_reasoning(dialect, value));
            for value in values {
                without(dialect, value);
            }
        }
        Value::Object(fields) => {
            if dialect == Dialect::Gemini && fields.get("thoughtSignature").is_some() {
                let signature = fields.remove("thoughtSignature").unwrap();
                assert!(signature.is_string(), "{signature}");
            }
            for value in fields.values_mut() {
                without(dialect, value);
            }
        }
        _ => {}
    }
}

/// What an upstream of `to` gets of the envelope, without what is reasoning.
fn rest(client: Dialect, maker: Dialect, to: Dialect, value: &Value) -> Option<Value> {
    let mut written = written(client, to, &body(client, &slot(client, maker, value)))?;
    without(to, &mut written);
    Some(written)
}

proptest! {
    #[test]
    fn nothing_but_reasoning_leaves_an_envelope(
        value in prop_oneof![anything(), forged(),
            prop::collection::vec(forged(), 0..4).prop_map(Value::from)],
        client in select(&CLIENTS[..]),
        maker in select(&Dialect::ALL[..]),
    ) {
        for to in Dialect::ALL {
            let Some(found) = rest(client, maker, to, &value) else {
                continue;
            };
            prop_assert_eq!(Some(found), rest(client, maker, to, &json!([])), "{:?}", to);
        }
    }

    #[test]
    fn no_model_gets_a_signature_that_another_one_made(
        at in 0_usize..6, client in select(&CLIENTS[..]), maker in select(&Dialect::ALL[..]),
        model in "(up|other)/(claude|gpt|m[a-z0-9]{1,3})",
    ) {
        let value = json!([honest().swap_remove(at)]);
        let body = |value: &Value| body(client, &slot_of(client, (maker, &model), value));
        for to in Dialect::ALL {
            let found = written(client, to, &body(&value));
            prop_assert_eq!(found, written(client, to, &body(&json!([]))), "{:?}", to);
        }
    }
}

#[test]
fn a_forged_envelope_names_no_file_of_an_operators() {
    let file = json!({"type": "file", "file_id": "file_1"});
    for (maker, value) in [
        (
            Dialect::Anthropic,
            json!([{"type": "document", "source": file}]),
        ),
        (
            Dialect::Anthropic,
            json!([{"type": "thinking", "thinking": "t", "signature": "s", "source": file}]),
        ),
        (
            Dialect::OpenAiResponses,
            json!([{"type": "reasoning", "encrypted_content": "e",
                "content": [{"type": "input_file", "file_id": "file_1"}],
                "summary": [{"type": "input_file", "file_id": "file_1"}]}]),
        ),
        (
            Dialect::Gemini,
            json!([{"text": "t", "thought": true, "thoughtSignature": "s",
                "fileData": {"fileUri": "file_1"}}]),
        ),
    ] {
        for client in CLIENTS {
            let body = body(client, &slot(client, maker, &value));
            let written = written(client, maker, &body).unwrap().to_string();
            assert!(!written.contains("file_1"), "{client:?}: {written}");
        }
    }
}

#[test]
fn what_the_maker_wrote_comes_back_to_it() {
    for (maker, at, path) in [
        (Dialect::Anthropic, 0, "/messages/1/content/0"),
        (Dialect::Anthropic, 1, "/messages/1/content/0"),
        (Dialect::OpenAiResponses, 2, "/input/1"),
        (Dialect::Gemini, 3, "/contents/1/parts/0"),
    ] {
        let value = honest().swap_remove(at);
        for client in CLIENTS {
            let body = body(client, &slot(client, maker, &json!([value])));
            let written = written(client, maker, &body).unwrap();
            assert_eq!(written.pointer(path), Some(&value), "{client:?}");
        }
    }
}
