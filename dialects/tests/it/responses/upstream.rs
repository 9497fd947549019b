//! Streams as an upstream sends them, and what they add to an answer.

use hone_strategies::chat::Delta;
use serde_json::{Value, json};

pub(super) fn event(data: &Value) -> String {
    format!(
        "event: {}\ndata: {data}\n\n",
        data["type"].as_str().unwrap()
    )
}

pub(super) fn response(items: &[Value], status: &str) -> Value {
    let mut response = json!({"id": "resp_1", "object": "response", "status": status, "model": "m",
        "output": items, "usage": {"input_tokens": 3, "output_tokens": 9,
        "input_tokens_details": {"cached_tokens": 2},
        "output_tokens_details": {"reasoning_tokens": 4}, "total_tokens": 12}});
    if status == "incomplete" {
        response["incomplete_details"] = json!({"reason": "max_output_tokens"});
    }
    response
}

pub(super) fn ending(items: &[Value], status: &str) -> String {
    let name = format!("response.{status}");
    event(&json!({"type": name, "response": response(items, status)}))
}

/// An upstream's stream of these items; each text in two deltas.
pub(super) fn stream(items: &[Value]) -> String {
    let begun = json!({"type": "response.created", "response": {"id": "resp_1", "output": []}});
    let mut text = event(&begun);
    for (index, item) in items.iter().enumerate() {
        text += &item_events(index, item, true);
    }
    text + &ending(items, "completed")
}

pub(super) fn item_events(index: usize, item: &Value, has_deltas: bool) -> String {
    let mut empty = item.clone();
    for (name, value) in [
        ("content", json!([])),
        ("summary", json!([])),
        ("arguments", json!("")),
    ] {
        if empty.get(name).is_some() {
            empty[name] = value;
        }
    }
    let mut all = vec![json!({"type": "response.output_item.added", "item": empty})];
    let mut halves = |name: &str, number: Option<(&str, usize)>, whole: &str| {
        let (head, tail) = whole.split_at(whole.len() / 2);
        for half in [head, tail].iter().filter(|_| has_deltas) {
            let mut delta = json!({"type": format!("{name}.delta"), "delta": half});
            if let Some((number, at)) = number {
                delta[number] = at.into();
            }
            all.push(delta);
        }
    };
    if let Some(arguments) = item["arguments"].as_str() {
        halves("response.function_call_arguments", None, arguments);
    }
    if let Some(input) = item["input"].as_str() {
        halves("response.custom_tool_call_input", None, input);
    }
    for (list, number) in [("summary", "summary_index"), ("content", "content_index")] {
        for (at, part) in item[list].as_array().into_iter().flatten().enumerate() {
            let (name, field) = match part["type"].as_str().unwrap() {
                "summary_text" => ("response.reasoning_summary_text", "text"),
                "reasoning_text" => ("response.reasoning_text", "text"),
                "refusal" => ("response.refusal", "refusal"),
                _ => ("response.output_text", "text"),
            };
            halves(name, Some((number, at)), part[field].as_str().unwrap());
        }
    }
    all.push(json!({"type": "response.output_item.done", "item": item}));
    let with_place = |mut data: Value| {
        data["output_index"] = index.into();
        data["item_id"] = item["id"].clone();
        event(&data)
    };
    all.into_iter().map(with_place).collect()
}

pub(super) fn message(id: &str, text: &str) -> Value {
    json!({"id": id, "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]})
}

pub(super) fn call(id: &str, arguments: &str) -> Value {
    json!({"id": format!("fc_{id}"), "type": "function_call", "status": "completed",
        "call_id": format!("call_{id}"), "name": "f", "arguments": arguments})
}

pub(super) fn reasoning() -> Value {
    json!({"id": "rs_1", "type": "reasoning", "encrypted_content": "enc",
        "summary": [{"type": "summary_text", "text": "First."},
            {"type": "summary_text", "text": "Then."}]})
}

pub(super) fn items() -> Vec<Value> {
    let patch = json!({"id": "ctc_1", "type": "custom_tool_call", "call_id": "call_p",
        "status": "completed", "name": "apply_patch", "input": "*** \"Begin\"\né"});
    let search = json!({"id": "ws_1", "type": "web_search_call", "status": "completed",
        "action": {"type": "search", "query": "a"}});
    let mut cited = message("msg_2", "World");
    cited["content"][0]["annotations"] = json!([{"type": "url_citation", "url": "https://a.b",
        "title": "A", "start_index": 0, "end_index": 5}]);
    vec![
        reasoning(),
        search,
        message("msg_1", "Hello"),
        cited,
        call("1", "{\"a\":1}"),
        patch,
    ]
}

pub(super) fn deltas(fields: &[Value]) -> Vec<Delta> {
    let delta = |fields: &Value| Delta {
        fields: fields.as_object().unwrap().clone(),
        ..Delta::default()
    };
    fields.iter().map(delta).collect()
}

pub(super) fn call_piece(index: u32, name: &str, arguments: &str) -> Value {
    let mut call = json!({"index": index, "function": {"arguments": arguments}});
    if !name.is_empty() {
        call["id"] = format!("call_{index}").into();
        call["function"]["name"] = name.into();
    }
    json!({ "tool_calls": [call] })
}
