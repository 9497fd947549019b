//! What becomes of a request's fields and tools where it leaves its dialect, or stays in it.

use hone_dialects::{Dialect, codec};
use serde_json::{Value, json};

use crate::support::{decoded, encoded, json_of, target};

const CHAT: Dialect = Dialect::OpenAiChat;
const RESPONSES: Dialect = Dialect::OpenAiResponses;

fn asking(name: &str, value: Value) -> Value {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "q"}]});
    body[name] = value;
    body
}

/// What an upstream gets of a chat client's request, and what it lost.
fn sent(upstream: Dialect, body: &Value) -> (Value, Vec<String>) {
    let sent = encoded(upstream, &decoded(CHAT, body).unwrap());
    (json_of(&sent), sent.losses.degraded)
}

fn refused(upstream: Dialect, body: &Value) -> Option<String> {
    let request = decoded(CHAT, body).unwrap();
    let encoded = codec(upstream).encode_request(&request, &target());
    encoded.err().and_then(|refusal| refusal.param)
}

#[test]
fn a_limit_below_openais_least_is_raised_and_named() {
    for name in ["max_tokens", "max_completion_tokens"] {
        let (body, lost) = sent(RESPONSES, &asking(name, json!(15)));
        assert_eq!(body["max_output_tokens"], 16);
        assert_eq!(lost, [name]);
        let (body, lost) = sent(RESPONSES, &asking(name, json!(16)));
        assert_eq!(body["max_output_tokens"], 16);
        assert_eq!(lost, Vec::<String>::new());
    }
    let own = json!({"model": "m", "input": "q", "max_output_tokens": 3});
    let own = encoded(RESPONSES, &decoded(RESPONSES, &own).unwrap());
    assert_eq!(json_of(&own)["max_output_tokens"], 3);
    assert!(own.losses.degraded.is_empty());
}

#[test]
fn no_tokens_at_all_are_refused_by_every_other_dialect() {
    for upstream in Dialect::ALL.into_iter().filter(|other| *other != CHAT) {
        let param = refused(upstream, &asking("max_completion_tokens", json!(0)));
        assert_eq!(param.as_deref(), Some("max_completion_tokens"));
    }
}

#[test]
fn a_field_that_asks_for_what_happens_anyway_is_no_loss() {
    for (name, value) in [
        ("n", json!(1)),
        ("frequency_penalty", json!(0)),
        ("presence_penalty", json!(0.0)),
        ("logit_bias", json!({})),
        ("logprobs", json!(false)),
        ("seed", json!(null)),
        ("store", json!(false)),
    ] {
        for upstream in Dialect::ALL {
            let (_, lost) = sent(upstream, &asking(name, value.clone()));
            assert_eq!(lost, Vec::<String>::new(), "{name} to {}", upstream.name());
        }
    }
    for upstream in [Dialect::Anthropic, Dialect::Gemini, RESPONSES] {
        let (_, lost) = sent(upstream, &asking("web_search_options", json!({})));
        assert_eq!(lost, ["web_search_options"], "an empty object turns it on");
        let (_, lost) = sent(upstream, &asking("store", json!(true)));
        assert_eq!(lost, ["store"]);
    }
}

#[test]
fn a_tool_that_nobody_else_has_is_named_and_refused_if_it_must_be_called() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}, {"type": "odd"}]);
    let mut body = asking("tools", tools);
    for upstream in [Dialect::Anthropic, Dialect::Gemini, RESPONSES] {
        let (sent, lost) = sent(upstream, &body);
        assert_eq!(lost, ["tools[1]"], "{}", upstream.name());
        assert!(!sent["tools"].to_string().contains("odd"));
    }
    body["tool_choice"] = json!({"type": "odd"});
    for upstream in [Dialect::Anthropic, Dialect::Gemini, RESPONSES] {
        assert_eq!(refused(upstream, &body).as_deref(), Some("tools[1]"));
    }
    let mut body = asking("tools", json!([{"type": "odd"}]));
    body["tool_choice"] = "required".into();
    for upstream in [Dialect::Anthropic, Dialect::Gemini, RESPONSES] {
        assert_eq!(refused(upstream, &body).as_deref(), Some("tools[0]"));
    }
}

#[test]
fn a_choice_among_some_tools_leaves_the_others_out() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let mut body = asking("tools", json!([tool("f"), tool("g"), tool("h")]));
    body["tool_choice"] = json!({"type": "allowed_tools", "allowed_tools": {
        "mode": "required", "tools": [tool("h"), tool("f")]}});
    let (found, _) = sent(Dialect::Anthropic, &body);
    let names: Vec<_> = found["tools"].as_array().unwrap().iter().collect();
    let names: Vec<_> = names.iter().map(|tool| &tool["name"]).collect();
    assert_eq!(names, ["f", "h"]);
    assert_eq!(found["tool_choice"], json!({"type": "any"}));
    body["tool_choice"]["allowed_tools"]["mode"] = "auto".into();
    let (found, _) = sent(Dialect::Anthropic, &body);
    assert_eq!(found["tool_choice"], json!({"type": "auto"}));
    let (found, _) = sent(Dialect::Gemini, &body);
    let declared = &found["tools"][0]["functionDeclarations"];
    assert_eq!(declared.as_array().unwrap().len(), 2);
}

/// A request that calls a tool whose name other dialects do not take.
fn calling(dialect: Dialect, name: &str) -> Value {
    match dialect {
        Dialect::Anthropic => json!({"model": "m", "max_tokens": 9,
            "tools": [{"name": name, "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "tool", "name": name},
            "messages": [{"role": "user", "content": "q"},
                {"role": "assistant", "content": [
                    {"type": "tool_use", "id": "c", "name": name, "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "c", "content": "r"}]}]}),
        Dialect::Gemini => json!({"model": "m",
            "tools": [{"functionDeclarations": [{"name": name}]}],
            "toolConfig": {"functionCallingConfig": {
                "mode": "ANY", "allowedFunctionNames": [name]}},
            "contents": [{"role": "user", "parts": [{"text": "q"}]},
                {"role": "model", "parts": [{"functionCall": {"name": name, "args": {}}}]},
                {"role": "user", "parts": [
                    {"functionResponse": {"name": name, "response": {"output": "r"}}}]}]}),
        CHAT => json!({"model": "m",
            "tools": [{"type": "function", "function": {"name": name}}],
            "tool_choice": {"type": "function", "function": {"name": name}},
            "messages": [{"role": "user", "content": "q"},
                {"role": "assistant", "content": null, "tool_calls": [{"id": "c",
                    "type": "function", "function": {"name": name, "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "r"}]}),
        RESPONSES => json!({"model": "m",
            "tools": [{"type": "function", "name": name, "parameters": {}, "strict": false}],
            "tool_choice": {"type": "function", "name": name},
            "input": [{"role": "user", "content": "q"},
                {"type": "function_call", "call_id": "c", "name": name, "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "r"}]}),
    }
}

/// How often `name` stands in a body as a whole text.
fn count(body: &Value, name: &str) -> usize {
    body.to_string().matches(&format!("\"{name}\"")).count()
}

#[test]
fn a_tools_long_name_is_kept_in_its_dialect_and_changed_everywhere_or_nowhere_else() {
    let name = "a.tool:".repeat(12);
    for client in Dialect::ALL {
        let body = calling(client, &name);
        let request = decoded(client, &body).unwrap();
        let own = encoded(client, &request);
        let all = count(&body, &name);
        assert_eq!(count(&json_of(&own), &name), all, "{}", client.name());
        // A strategy may take the client's tools away, and leave the conversation.
        let mut toolless = request.clone();
        toolless.remove("tools");
        toolless.remove("tool_choice");
        let left = count(&json_of(&encoded(client, &toolless)), &name);
        assert!((1..all).contains(&left), "{}", client.name());
        for upstream in Dialect::ALL.into_iter().filter(|other| *other != client) {
            let there = encoded(upstream, &request);
            let names = format!("{} to {}", client.name(), upstream.name());
            assert_eq!(count(&json_of(&there), &name), 0, "{names}");
            let changed = there.names.there(&name).into_owned();
            assert!(count(&json_of(&there), &changed) >= 3, "{names}");
            assert_eq!(there.names.here(&changed), name, "{names}");
        }
    }
}
