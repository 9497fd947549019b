//! What becomes of requests, in the words of those whom it went wrong for.

use hone_dialects::{Dialect, codec};
use hone_strategies::chat::{ChatRequest, Message};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{decoded, encoded, json_of, target, translated};

const ANTHROPIC: Dialect = Dialect::Anthropic;
const CHAT: Dialect = Dialect::OpenAiChat;

/// A request of these messages.
fn body(messages: &Value) -> Value {
    json!({"model": "asked", "max_tokens": 100, "messages": messages})
}

fn messages(to: Dialect, messages: &Value) -> Value {
    translated(ANTHROPIC, to, &body(messages))["messages"].clone()
}

#[test]
fn a_result_and_a_text_become_a_tool_message_and_a_users() {
    let found = messages(
        CHAT,
        &json!([
            {"role": "user", "content": "add"},
            {"role": "assistant", "content": [
                {"type": "tool_use", "id": "a.1", "name": "add", "input": {"b": 1, "a": 2}}]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a.1", "content": "7"},
                {"type": "text", "text": "go"}]},
        ]),
    );
    let id = found[2]["tool_call_id"].as_str().unwrap();
    assert!(id.starts_with("a_1-"), "{id}");
    assert_eq!(found[1]["tool_calls"][0]["id"], id);
    let arguments = &found[1]["tool_calls"][0]["function"]["arguments"];
    assert_eq!(arguments, r#"{"b":1,"a":2}"#);
    assert_eq!(found[2]["content"], "7");
    assert_eq!(found[3], json!({"role": "user", "content": "go"}));
}

#[test]
fn results_of_one_step_stand_in_one_turn_in_front_of_everything_else() {
    let call = |id: &str| {
        json!({"id": id, "type": "function",
        "function": {"name": "f", "arguments": "{}"}})
    };
    let result = |id: &str| Message::new("tool", id).with("tool_call_id", id);
    let request = ChatRequest::new(
        "m",
        [
            Message::user("go"),
            Message::assistant("").with("tool_calls", vec![call("a"), call("b"), call("c")]),
            result("a"),
            result("b").as_failure(),
            result("c"),
            Message::user("on"),
        ],
    );
    let found = json_of(&encoded(ANTHROPIC, &request))["messages"].clone();
    let turn = found[2]["content"].as_array().unwrap();
    let kinds: Vec<_> = turn
        .iter()
        .map(|block| block["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["tool_result", "tool_result", "tool_result", "text"]);
    assert_eq!(turn[1]["is_error"], true);
    assert_eq!(found.as_array().unwrap().len(), 3);
}

#[test]
fn a_call_without_a_result_and_a_result_without_a_call_are_refused_with_their_path() {
    let call = json!({"role": "assistant", "content": [
        {"type": "tool_use", "id": "t", "name": "f", "input": {}}]});
    let result = |id: &str| {
        json!({"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": id, "content": ""}]})
    };
    let user = json!({"role": "user", "content": "a"});
    for (turns, path) in [
        (json!([user, call, user]), "messages.2.content"),
        (json!([user, call, call]), "messages.2.content"),
        (
            json!([user, call, result("x")]),
            "messages.2.content.0.tool_use_id",
        ),
        (json!([result("t")]), "messages.0.content.0.tool_use_id"),
    ] {
        let refusal = decoded(ANTHROPIC, &body(&turns)).unwrap_err();
        assert_eq!(refusal.param.as_deref(), Some(path));
    }
}

#[test]
fn a_forced_choice_of_a_tool_that_only_its_provider_runs_is_refused() {
    let search = json!({"type": "web_search_20250305", "name": "web_search"});
    let function = json!({"name": "f", "input_schema": {"type": "object"}});
    let with = |tools: Value, choice: Value| {
        let mut body = body(&json!([{"role": "user", "content": "a"}]));
        body["tools"] = tools;
        body["tool_choice"] = choice;
        let request = decoded(ANTHROPIC, &body).unwrap();
        codec(CHAT).encode_request(&request, &target())
    };
    let auto = json!({"type": "auto"});
    let both = json!([function, search]);
    let found = with(both.clone(), auto.clone()).unwrap();
    assert_eq!(found.losses.degraded, ["tools.1"]);
    assert!(
        !String::from_utf8(found.body)
            .unwrap()
            .contains("web_search")
    );
    let forced = json!({"type": "tool", "name": "web_search"});
    assert_eq!(
        with(both, forced).unwrap_err().param.as_deref(),
        Some("tools.1")
    );
    let alone = with(json!([search]), auto.clone()).unwrap_err();
    assert_eq!(alone.param.as_deref(), Some("tools.0"));
    let bash = json!([{"type": "bash_20250124", "name": "bash"}]);
    assert_eq!(
        with(bash, auto).unwrap_err().param.as_deref(),
        Some("tools.0")
    );
}

#[test]
fn tools_keep_their_names_at_anthropic_and_get_fitting_ones_from_a_chat_client() {
    let long = "n".repeat(100);
    let mut request = ChatRequest::new("m", [Message::user("a")]);
    request.set(
        "tools",
        json!([{"type": "function", "function": {"name": long}}]),
    );
    request.set("parallel_tool_calls", false);
    let found = encoded(ANTHROPIC, &request);
    let body = json_of(&found);
    let name = body["tools"][0]["name"].as_str().unwrap();
    assert!(name.len() <= 64);
    assert_eq!(found.names.here(name), long);
    let choice = json!({"type": "auto", "disable_parallel_tool_use": true});
    assert_eq!(body["tool_choice"], choice);
    assert_eq!(body["tools"][0]["input_schema"]["type"], "object");
}

#[test]
fn a_limit_is_written_where_the_client_has_none_and_a_temperature_has_its_bound() {
    let mut request = ChatRequest::new("m", [Message::user("a")]);
    request.set("temperature", 1.5);
    request.set("seed", 7);
    let found = encoded(ANTHROPIC, &request);
    let body = json_of(&found);
    assert_eq!(
        (&body["max_tokens"], &body["temperature"]),
        (&json!(16_384), &json!(1))
    );
    assert_eq!(found.losses.degraded, ["seed", "temperature"]);
    assert_eq!(found.path, "/messages");
    assert_eq!(
        found.headers,
        [("anthropic-version", "2023-06-01".to_owned())]
    );
}

#[test]
fn a_schema_crosses_both_ways_and_no_tool_stands_in_for_it() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
    let mut request = ChatRequest::new("m", [Message::user("a")]);
    let format = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}});
    request.set("response_format", format);
    let body = json_of(&encoded(ANTHROPIC, &request));
    let written = &body["output_config"]["format"];
    assert_eq!(written["schema"]["additionalProperties"], false);
    assert_eq!(body.get("tools"), None);
    let mut own = self::body(&json!([{"role": "user", "content": "a"}]));
    own["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}});
    let chat = translated(ANTHROPIC, CHAT, &own);
    assert_eq!(chat["response_format"]["json_schema"]["schema"], schema);
}

#[test]
fn files_that_lie_with_the_provider_are_refused_elsewhere_with_their_path() {
    let turns = json!([{"role": "user", "content": [
        {"type": "text", "text": "see"},
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}}]}]);
    assert_eq!(messages(ANTHROPIC, &turns), turns);
    let request = decoded(ANTHROPIC, &body(&turns)).unwrap();
    let refusal = codec(CHAT).encode_request(&request, &target()).unwrap_err();
    assert_eq!(
        refusal.param.as_deref(),
        Some("messages.0.content.1.source")
    );
    assert_eq!(refusal.code, "dialect_not_supported");
}

#[test]
fn account_data_in_a_users_id_stays_with_the_clients_provider() {
    let mut body = body(&json!([{"role": "user", "content": "a"}]));
    body["metadata"] = json!({"user_id": "{\"account\":1}"});
    let request = decoded(ANTHROPIC, &body).unwrap();
    let chat = encoded(CHAT, &request);
    assert_eq!(json_of(&chat).get("user"), None);
    assert_eq!(chat.losses.quiet, ["metadata"]);
    assert_eq!(
        json_of(&encoded(ANTHROPIC, &request))["metadata"],
        body["metadata"]
    );
}

#[test]
fn a_signature_of_another_model_is_not_sent() {
    let thinking = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let turns = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [thinking, {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c"},
    ]);
    assert_eq!(messages(ANTHROPIC, &turns), turns);
    let request = decoded(ANTHROPIC, &body(&turns)).unwrap();
    let mut other = target();
    other.is_asked = false;
    let found = json_of(&codec(ANTHROPIC).encode_request(&request, &other).unwrap());
    assert_eq!(found["messages"][1]["content"], "b");
}

#[test]
fn an_envelope_is_taken_out_before_a_provider_sees_it() {
    let own = hone_dialects::marks::envelope::seal_own();
    let turns = json!([
        {"role": "user", "content": "a"},
        {"role": "assistant", "content": [
            {"type": "thinking", "thinking": "hm", "signature": own},
            {"type": "text", "text": "b"}]},
        {"role": "user", "content": "c"},
    ]);
    let found = messages(ANTHROPIC, &turns);
    assert_eq!(found[1], json!({"role": "assistant", "content": "b"}));
}

#[test]
fn what_is_no_request_is_refused_by_the_path_of_what_is_wrong() {
    let user = json!([{"role": "user", "content": "a"}]);
    for (body, param) in [
        (json!([]), None),
        (json!({}), Some("model")),
        (json!({"model": 1}), Some("model")),
        (json!({"model": "m", "max_tokens": 1}), Some("messages")),
        (json!({"model": "m", "messages": user}), Some("max_tokens")),
        (
            json!({"model": "m", "max_tokens": -1, "messages": user}),
            Some("max_tokens"),
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": []}),
            Some("messages"),
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": [{"role": "bot", "content": ""}]}),
            Some("messages.0.role"),
        ),
        (
            json!({"model": "m", "max_tokens": 1, "messages": user, "tool_choice": {}}),
            Some("tool_choice.type"),
        ),
    ] {
        let refusal = decoded(ANTHROPIC, &body).unwrap_err();
        assert_eq!(refusal.param.as_deref(), param, "{body}");
    }
}

fn any_blocks() -> impl Strategy<Value = Value> {
    let text = "[a-c ]{0,4}".prop_map(|text| json!({"type": "text", "text": text}));
    let cached = "[a-c]{1,4}".prop_map(
        |text| json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}}),
    );
    let image = Just(json!({"type": "image", "source": {"type": "url", "url": "https://x"}}));
    prop::collection::vec(prop_oneof![text, cached, image], 1..4).prop_map(Value::from)
}

proptest! {
    #[test]
    fn no_empty_text_reaches_anthropic_and_all_others_do(
        turns in prop::collection::vec((any::<bool>(), any_blocks()), 1..6),
    ) {
        let turns: Vec<Value> = turns.into_iter().map(|(is_user, blocks)| {
            json!({"role": if is_user { "user" } else { "assistant" }, "content": blocks})
        }).collect();
        let texts = |messages: &[Value]| {
            let mut texts = String::new();
            for message in messages {
                match &message["content"] {
                    Value::String(text) => texts.push_str(text),
                    blocks => blocks.as_array().unwrap().iter().for_each(|block| {
                        texts.push_str(block["text"].as_str().unwrap_or_default());
                    }),
                }
            }
            texts.trim_end().to_owned()
        };
        let mut with_user = vec![json!({"role": "user", "content": "x"})];
        with_user.extend(turns);
        let found = messages(ANTHROPIC, &Value::from(with_user.clone()));
        prop_assert!(!found.to_string().contains(r#""text":"""#), "{}", found);
        prop_assert_eq!(texts(found.as_array().unwrap()), texts(&with_user));
    }

    #[test]
    fn no_body_makes_it_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
        let route = hone_dialects::Route::default();
        drop(codec(ANTHROPIC).decode_request(&body, &route));
        drop(codec(ANTHROPIC).decode_answer(&body, &crate::support::source()));
    }
}
