//! What becomes of a conversation at upstreams of every dialect.

use hone_dialects::Dialect;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::translated;

const ANTHROPIC: Dialect = Dialect::Anthropic;
const CHAT: Dialect = Dialect::OpenAiChat;
const GEMINI: Dialect = Dialect::Gemini;
const RESPONSES: Dialect = Dialect::OpenAiResponses;

fn anthropic(messages: &Value) -> Value {
    json!({"model": "m", "max_tokens": 100, "messages": messages})
}

/// The conversation in what an upstream gets.
fn turns(upstream: Dialect, body: &Value) -> &Vec<Value> {
    let name = match upstream {
        ANTHROPIC | CHAT => "messages",
        GEMINI => "contents",
        RESPONSES => "input",
    };
    body[name].as_array().unwrap()
}

#[test]
fn a_system_message_in_mid_conversation_is_no_400_and_keeps_its_place_at_every_upstream() {
    let body = anthropic(&json!([
        {"role": "user", "content": "a"},
        {"role": "system", "content": "b"},
        {"role": "assistant", "content": "c"},
        {"role": "user", "content": "d"},
    ]));
    let item = |role: &str, text: &str| json!({"type": "message", "role": role, "content": text});
    for upstream in Dialect::ALL {
        let expected = match upstream {
            ANTHROPIC | CHAT => body["messages"].clone(),
            RESPONSES => json!([
                item("user", "a"),
                item("system", "b"),
                item("assistant", "c"),
                item("user", "d"),
            ]),
            GEMINI => json!([
                {"role": "user", "parts": [{"text": "a"}, {"text": "<system>\nb\n</system>"}]},
                {"role": "model", "parts": [{"text": "c"}]},
                {"role": "user", "parts": [{"text": "d"}]},
            ]),
        };
        let found = translated(ANTHROPIC, upstream, &body);
        assert_eq!(json!(turns(upstream, &found)), expected, "{upstream:?}");
    }
}

#[test]
fn the_billing_block_ruins_no_prefix_cache_and_reaches_anthropic_untouched() {
    let asked = |version: u32| {
        let billing = format!("x-anthropic-billing-header: cc_version={version}");
        let mut body = anthropic(&json!([{"role": "user", "content": "a"}]));
        body["system"] = json!([{"type": "text", "text": billing},
            {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]);
        body
    };
    let own = translated(ANTHROPIC, ANTHROPIC, &asked(2));
    assert_eq!(own["system"], asked(2)["system"]);
    for upstream in [CHAT, GEMINI, RESPONSES] {
        let found = translated(ANTHROPIC, upstream, &asked(2));
        assert_eq!(found, translated(ANTHROPIC, upstream, &asked(3)));
        let text = found.to_string();
        let is_kept = text.contains("Be brief.") && !text.contains("billing");
        assert!(is_kept, "{upstream:?}: {text}");
    }
}

#[test]
fn an_image_in_a_tools_result_is_no_text_and_lost_at_no_upstream() {
    let image = json!({"type": "image", "source": {"type": "base64",
        "media_type": "image/png", "data": "aGk="}});
    let body = anthropic(&json!([
        {"role": "user", "content": "look"},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "t", "name": "shot", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t", "content": [image]}]},
    ]));
    let url = "data:image/png;base64,aGk=";
    for (upstream, place, data) in [
        (
            ANTHROPIC,
            "/messages/2/content/0/content/0/source/data",
            "aGk=",
        ),
        (CHAT, "/messages/3/content/0/image_url/url", url),
        (GEMINI, "/contents/3/parts/0/inlineData/data", "aGk="),
        (RESPONSES, "/input/2/output/0/image_url", url),
    ] {
        let found = translated(ANTHROPIC, upstream, &body);
        let told = found.pointer(place).and_then(Value::as_str);
        assert_eq!(told, Some(data), "{upstream:?}: {found}");
        assert_eq!(found.to_string().matches("aGk=").count(), 1, "{found}");
    }
    let chat = translated(ANTHROPIC, CHAT, &body);
    assert_eq!(chat["messages"][2]["content"], "[image 1]");
}

#[test]
fn a_schema_for_the_answer_is_no_tool_whose_call_could_leak_at_any_upstream() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}},
        "required": ["a"], "additionalProperties": false});
    let messages = json!([{"role": "user", "content": "q"}]);
    for client in Dialect::ALL {
        let body = match client {
            ANTHROPIC => json!({"model": "m", "max_tokens": 9, "messages": messages,
                "output_config": {"format": {"type": "json_schema", "schema": schema}}}),
            CHAT => json!({"model": "m", "messages": messages, "response_format":
                {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}}),
            GEMINI => {
                json!({"model": "m", "contents": [{"role": "user", "parts": [{"text": "q"}]}],
                "generationConfig": {"responseMimeType": "application/json",
                    "responseJsonSchema": schema}})
            }
            RESPONSES => json!({"model": "m", "input": "q",
                "text": {"format": {"type": "json_schema", "name": "n", "schema": schema}}}),
        };
        for upstream in Dialect::ALL {
            let found = translated(client, upstream, &body);
            let names = format!("{client:?} to {upstream:?}: {found}");
            let tools = ["tools", "tool_choice", "toolConfig"];
            assert!(
                tools.iter().all(|name| found.get(name).is_none()),
                "{names}"
            );
            assert!(found.to_string().contains(&schema.to_string()), "{names}");
        }
    }
}

/// A chat client's request that has called `order.len()` tools, whose results come in this order.
fn called(order: &[usize]) -> Value {
    let call = |at: usize| {
        json!({"id": format!("c{at}"), "type": "function",
            "function": {"name": format!("f{at}"), "arguments": "{}"}})
    };
    let calls: Vec<Value> = (0..order.len()).map(call).collect();
    let result = |at: &usize| {
        let (id, said) = (format!("c{at}"), format!("r{at}"));
        json!({"role": "tool", "tool_call_id": id, "content": said})
    };
    let mut messages = vec![
        json!({"role": "user", "content": "q"}),
        json!({"role": "assistant", "content": null, "tool_calls": calls}),
    ];
    messages.extend(order.iter().map(result));
    messages.push(json!({"role": "user", "content": "go"}));
    json!({"model": "m", "messages": messages})
}

/// What the results of tools say that stand in one turn, or behind each other where each is one.
fn results(upstream: Dialect, body: &Value) -> Vec<Vec<String>> {
    let mut groups: Vec<Vec<String>> = vec![Vec::new()];
    for turn in turns(upstream, body) {
        let parts = match upstream {
            ANTHROPIC => turn["content"].as_array(),
            GEMINI => turn["parts"].as_array(),
            CHAT | RESPONSES => None,
        };
        let said = |part: &Value| {
            let said = match upstream {
                ANTHROPIC if part["type"] == "tool_result" => &part["content"],
                CHAT if part["role"] == "tool" => &part["content"],
                GEMINI => &part["functionResponse"]["response"]["output"],
                RESPONSES if part["type"] == "function_call_output" => &part["output"],
                _ => &Value::Null,
            };
            said.as_str().map(str::to_owned)
        };
        let is_turn = matches!(upstream, ANTHROPIC | GEMINI);
        let all: Vec<String> = match parts {
            Some(parts) => parts.iter().filter_map(said).collect(),
            None => said(turn).into_iter().collect(),
        };
        if is_turn || all.is_empty() {
            groups.push(all);
        } else if let Some(group) = groups.last_mut() {
            group.extend(all);
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// How many calls an upstream is told of.
fn calls(upstream: Dialect, body: &Value) -> usize {
    let mark = match upstream {
        ANTHROPIC => r#""type":"tool_use""#,
        CHAT => r#""type":"function""#,
        GEMINI => r#""functionCall":"#,
        RESPONSES => r#""type":"function_call""#,
    };
    body.to_string().matches(mark).count()
}

/// A conversation of texts in `client`; `true` is the user's.
fn texts(client: Dialect, said: &[(bool, String)]) -> Value {
    let turn = |(is_user, text): &(bool, String)| {
        let (role, kind) = match (client, is_user) {
            (RESPONSES, true) => ("user", "input_text"),
            (RESPONSES, false) => ("assistant", "output_text"),
            (_, true) => ("user", "text"),
            (GEMINI, false) => ("model", "text"),
            (_, false) => ("assistant", "text"),
        };
        if client == GEMINI {
            return json!({"role": role, "parts": [{ "text": text }]});
        }
        json!({"role": role, "content": [{"type": kind, "text": text}]})
    };
    let turns: Vec<Value> = said.iter().map(turn).collect();
    match client {
        ANTHROPIC => json!({"model": "m", "max_tokens": 9, "messages": turns}),
        CHAT => json!({"model": "m", "messages": turns}),
        GEMINI => json!({"model": "m", "contents": turns}),
        RESPONSES => json!({"model": "m", "input": turns}),
    }
}

proptest! {
    #[test]
    fn results_are_neither_split_over_turns_nor_fewer_than_the_calls_at_any_upstream(
        order in (1_usize..6).prop_flat_map(|n| Just((0..n).collect::<Vec<_>>()).prop_shuffle()),
    ) {
        let body = called(&order);
        let mut all: Vec<String> = order.iter().map(|at| format!("r{at}")).collect();
        all.sort();
        let anthropics = translated(CHAT, ANTHROPIC, &body);
        for (client, body) in [(CHAT, &body), (ANTHROPIC, &anthropics)] {
            for upstream in Dialect::ALL.into_iter().filter(|other| *other != client) {
                let found = translated(client, upstream, body);
                let mut groups = results(upstream, &found);
                for group in &mut groups {
                    group.sort();
                }
                prop_assert_eq!(&groups, std::slice::from_ref(&all), "{:?}: {}", upstream, found);
                prop_assert_eq!(calls(upstream, &found), all.len(), "{:?}: {}", upstream, found);
            }
        }
    }

    #[test]
    fn no_empty_text_block_is_refused_by_anthropic_whatever_its_client_speaks(
        said in prop::collection::vec((any::<bool>(), "[a-c]{0,2}"), 0..6),
    ) {
        let said: Vec<_> = [(true, "x".to_owned())].into_iter().chain(said).collect();
        for client in Dialect::ALL {
            let found = translated(client, ANTHROPIC, &texts(client, &said));
            let text = found.to_string();
            for empty in [r#""text":"""#, r#""content":"""#, r#""content":[]"#] {
                prop_assert!(!text.contains(empty), "{:?}: {}", client, text);
            }
        }
    }
}
