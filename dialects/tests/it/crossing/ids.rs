//! The ids of calls and results.

use std::collections::BTreeSet;

use hone_dialects::{Dialect, codec};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{frame, source, translated};

const ANTHROPIC: Dialect = Dialect::Anthropic;
const CHAT: Dialect = Dialect::OpenAiChat;
const GEMINI: Dialect = Dialect::Gemini;
const RESPONSES: Dialect = Dialect::OpenAiResponses;

/// A client's request that has called a tool under each of these ids.
fn calling(client: Dialect, ids: &BTreeSet<String>) -> Value {
    let all = |of: &dyn Fn(&String) -> Value| ids.iter().map(of).collect::<Vec<_>>();
    let user = json!({"role": "user", "content": "q"});
    match client {
        ANTHROPIC => {
            let call =
                |id: &String| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
            let result =
                |id: &String| json!({"type": "tool_result", "tool_use_id": id, "content": "r"});
            json!({"model": "m", "max_tokens": 9, "messages": [user,
                {"role": "assistant", "content": all(&call)},
                {"role": "user", "content": all(&result)}]})
        }
        CHAT => {
            let function = json!({"name": "f", "arguments": "{}"});
            let call = |id: &String| json!({"id": id, "type": "function", "function": function});
            let result = |id: &String| json!({"role": "tool", "tool_call_id": id, "content": "r"});
            let calls = json!({"role": "assistant", "content": null, "tool_calls": all(&call)});
            let messages = [vec![user, calls], all(&result)].concat();
            json!({"model": "m", "messages": messages})
        }
        GEMINI => {
            let call = |id: &String| json!({"functionCall": {"id": id, "name": "f", "args": {}}});
            let result = |id: &String| {
                json!({"functionResponse":
                    {"id": id, "name": "f", "response": {"output": "r"}}})
            };
            json!({"model": "m", "contents": [{"role": "user", "parts": [{"text": "q"}]},
                {"role": "model", "parts": all(&call)}, {"role": "user", "parts": all(&result)}]})
        }
        RESPONSES => {
            let call = |id: &String| {
                json!({"type": "function_call", "call_id": id, "name": "f",
                "arguments": "{}"})
            };
            let result =
                |id: &String| json!({"type": "function_call_output", "call_id": id, "output": "r"});
            let input = [vec![user], all(&call), all(&result)].concat();
            json!({"model": "m", "input": input})
        }
    }
}

/// All texts in `value` whose member is one of `names`, from the first to the last.
fn members(value: &Value, names: &[&str], found: &mut Vec<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| members(value, names, found)),
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str().filter(|_| names.contains(&name.as_str())) {
                    Some(text) => found.push(text.to_owned()),
                    None => members(value, names, found),
                }
            }
        }
        _ => {}
    }
}

/// The ids of calls and those of results in what an upstream gets, each in their order.
fn ids(upstream: Dialect, body: &Value) -> [Vec<String>; 2] {
    if upstream == RESPONSES {
        // Both have one name.
        let items = body["input"].as_array().unwrap().iter();
        let of = |kind: &str| {
            let items = items.clone().filter(|item| item["type"] == kind);
            items
                .map(|item| item["call_id"].as_str().unwrap().to_owned())
                .collect()
        };
        return [of("function_call"), of("function_call_output")];
    }
    [&["id"][..], &["tool_call_id", "tool_use_id"]].map(|names| {
        let mut found = Vec::new();
        members(&body["messages"], names, &mut found);
        found
    })
}

fn fits(id: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=64).contains(&id.len()) && id.chars().all(fits)
}

proptest! {
    #[test]
    fn no_dot_or_colon_in_a_calls_id_is_refused_and_its_result_still_finds_it(
        asked in prop::collection::btree_set("[a-c.:é]{1,80}", 1..5),
    ) {
        for client in Dialect::ALL {
            let body = calling(client, &asked);
            for upstream in [ANTHROPIC, CHAT, RESPONSES] {
                if upstream == client {
                    continue;
                }
                let [calls, results] = ids(upstream, &translated(client, upstream, &body));
                prop_assert!(calls.iter().all(|id| fits(id)), "{:?}", calls);
                prop_assert_eq!(&calls, &results, "{:?} to {:?}", client, upstream);
                let different: BTreeSet<&String> = calls.iter().collect();
                prop_assert_eq!(different.len(), asked.len(), "{:?}", calls);
            }
        }
    }

    #[test]
    fn no_id_is_longer_than_64_and_none_hides_a_signature(
        id in "[a-z.:]{0,90}", signature in "([A-Za-z0-9]{4}){4,60}",
    ) {
        let part = json!({"functionCall": {"id": id, "name": "f", "args": {}},
            "thoughtSignature": signature});
        let body = json!({"candidates": [{"finishReason": "STOP",
            "content": {"role": "model", "parts": [part]}}]});
        let answer = codec(GEMINI).decode_answer(body.to_string().as_bytes(), &source()).unwrap();
        for client in [ANTHROPIC, CHAT, RESPONSES] {
            let told = codec(client).encode_answer(&answer, &frame(client));
            let mut found = Vec::new();
            let told: Value = serde_json::from_str(&told).unwrap();
            members(&told, &["id", "call_id"], &mut found);
            prop_assert!(found.len() >= 2, "{}", told);
            for id in found {
                prop_assert!(id.len() <= 64 && !id.contains(&signature), "{:?}: {}", client, id);
            }
        }
    }
}
