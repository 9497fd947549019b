//! Tools, calls and results.

use hone_dialects::{Dialect, codec};
use serde_json::{Value, json};

use crate::support::{decoded, encoded, json_of, target, translated};

const OWN: Dialect = Dialect::OpenAiResponses;
const CHAT: Dialect = Dialect::OpenAiChat;
const OTHERS: [Dialect; 3] = [CHAT, Dialect::Anthropic, Dialect::Gemini];

fn function(name: &str) -> Value {
    json!({"type": "function", "name": name, "parameters": {"type": "object"}, "strict": false})
}

fn asked(tools: &Value, choice: &Value) -> Value {
    json!({"model": "m", "input": "Hi", "tools": tools, "tool_choice": choice})
}

/// Where each other upstream's request is refused.
fn refused(body: &Value) -> String {
    let request = decoded(OWN, body).unwrap();
    let mut params = OTHERS.map(|upstream| {
        let refusal = codec(upstream).encode_request(&request, &target());
        refusal.expect_err("a refusal").param.unwrap_or_default()
    });
    assert!(params.iter().all(|param| *param == params[0]), "{params:?}");
    std::mem::take(&mut params[0])
}

#[test]
fn one_tool_that_is_no_function_does_not_fail_the_request() {
    for kind in [
        "web_search",
        "local_shell",
        "file_search",
        "mcp",
        "computer_use_preview",
    ] {
        let body = asked(&json!([function("f"), {"type": kind}]), &json!("auto"));
        for upstream in OTHERS {
            let encoded = encoded(upstream, &decoded(OWN, &body).unwrap());
            assert_eq!(encoded.losses.degraded, ["tools.1"], "{kind}");
            let tools = json_of(&encoded)["tools"].clone();
            let functions = &tools[0]["functionDeclarations"];
            for list in [&tools, functions].into_iter().filter_map(Value::as_array) {
                assert_eq!(list.len(), 1, "no function without a name is sent on");
            }
        }
    }
}

#[test]
fn a_choice_that_needs_a_dropped_tool_is_refused() {
    let search = json!({"type": "web_search"});
    let both = json!([function("f"), search]);
    let forced = json!({"type": "web_search_preview"});
    assert_eq!(refused(&asked(&both, &forced)), "tool_choice");
    assert_eq!(
        refused(&asked(&both, &json!({"type": "mcp", "server_label": "s"}))),
        "tool_choice"
    );
    let unknown = json!({"type": "function", "name": "g"});
    assert_eq!(refused(&asked(&both, &unknown)), "tool_choice");
    assert_eq!(
        refused(&asked(&json!([search]), &json!("required"))),
        "tools.0"
    );
    assert_eq!(refused(&asked(&json!([search]), &json!("auto"))), "tools.0");
    let allowed = json!({"type": "allowed_tools", "mode": "required", "tools": [search]});
    assert_eq!(refused(&asked(&both, &allowed)), "tool_choice");
}

#[test]
fn a_choice_among_some_tools_leaves_out_the_others() {
    let tools = json!([function("f"), function("g"), {"type": "custom", "name": "p"}]);
    let chosen = json!([{"type": "function", "name": "g"}, {"type": "custom", "name": "p"}]);
    let choice = json!({"type": "allowed_tools", "mode": "required", "tools": chosen});
    let body = asked(&tools, &choice);
    let chat = translated(OWN, CHAT, &body);
    let names: Vec<_> = chat["tools"].as_array().unwrap().iter().collect();
    let names: Vec<_> = names
        .iter()
        .map(|tool| tool["function"]["name"].clone())
        .collect();
    assert_eq!(names, ["g", "p"]);
    assert_eq!(chat["tool_choice"], "required");
    let own = translated(OWN, OWN, &body);
    assert_eq!(own["tools"], tools);
    assert_eq!(own["tool_choice"], choice);
}

#[test]
fn each_choice_has_its_word_in_chat() {
    let tools = json!([function("f"), {"type": "custom", "name": "p"}]);
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    for (choice, word) in [
        (json!("auto"), json!("auto")),
        (json!("none"), json!("none")),
        (json!("required"), json!("required")),
        (json!({"type": "function", "name": "f"}), named("f")),
        (json!({"type": "custom", "name": "p"}), named("p")),
    ] {
        let body = asked(&tools, &choice);
        assert_eq!(translated(OWN, CHAT, &body)["tool_choice"], word);
        assert_eq!(translated(OWN, OWN, &body)["tool_choice"], choice);
    }
}

#[test]
fn chats_own_choices_and_tools_become_these() {
    let tools = json!([
        {"type": "function", "function": {"name": "f", "strict": true, "parameters": {}}},
        {"type": "custom", "custom": {"name": "p", "format": {"type": "grammar",
            "grammar": {"syntax": "regex", "definition": "a+"}}}}]);
    let allowed = json!({"mode": "auto", "tools": [
        {"type": "function", "function": {"name": "f"}}]});
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}],
        "tools": tools, "tool_choice": {"type": "allowed_tools", "allowed_tools": allowed}});
    let found = translated(CHAT, OWN, &chat);
    let format = json!({"type": "grammar", "syntax": "regex", "definition": "a+"});
    assert_eq!(found["tools"][0]["strict"], true);
    assert_eq!(
        found["tools"][1],
        json!({"type": "custom", "name": "p", "format": format})
    );
    let chosen = json!([{"type": "function", "name": "f"}]);
    let wanted = json!({"type": "allowed_tools", "mode": "auto", "tools": chosen});
    assert_eq!(found["tool_choice"], wanted);
}

#[test]
fn two_tools_that_chat_would_call_the_same_are_told_apart() {
    let tools = json!([function("a__f"), {"type": "namespace", "name": "a", "description": "",
        "tools": [function("f")]}]);
    let chat = translated(OWN, CHAT, &asked(&tools, &json!("auto")));
    assert_eq!(chat["tools"][0]["function"]["name"], "a__f");
    assert_eq!(chat["tools"][1]["function"]["name"], "a__f_");
}

fn call(id: &str) -> Value {
    json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"})
}

fn output(id: &str, output: &Value) -> Value {
    json!({"type": "function_call_output", "call_id": id, "output": output})
}

#[test]
fn results_follow_their_calls_in_the_order_of_the_calls() {
    let body = json!({"model": "m", "input": [
        {"role": "user", "content": "Hi"}, call("a"), call("b"), call("c"),
        output("c", &json!("3")), {"role": "developer", "content": "Go on."},
        output("a", &json!("1")), output("b", &json!("2"))]});
    let chat = translated(OWN, CHAT, &body);
    let told: Vec<_> = chat["messages"].as_array().unwrap().iter().collect();
    let told: Vec<_> = told
        .iter()
        .map(|message| message["content"].clone())
        .collect();
    assert_eq!(told[2..], ["1", "2", "3", "Go on."]);
    let anthropic = translated(OWN, Dialect::Anthropic, &body);
    let results = anthropic["messages"][2]["content"].as_array().unwrap();
    let is_result = |block: &&Value| block["type"] == "tool_result";
    assert_eq!(results.iter().filter(is_result).count(), 3);
}

#[test]
fn the_same_id_in_two_steps_belongs_to_each() {
    let body = json!({"model": "m", "input": [
        {"role": "user", "content": "Hi"}, call("a"), output("a", &json!("1")),
        call("a"), output("a", &json!("2"))]});
    let chat = translated(OWN, CHAT, &body);
    assert_eq!(chat["messages"][2]["content"], "1");
    assert_eq!(chat["messages"][4]["content"], "2");
}

#[test]
fn calls_without_results_and_results_without_calls_are_refused_by_their_paths() {
    let user = json!({"role": "user", "content": "Hi"});
    let body = json!({"model": "m", "input": [user, call("a"), user]});
    assert_eq!(refused(&body), "input.1");
    let body = json!({"model": "m", "input": [user, output("a", &json!("1"))]});
    assert_eq!(refused(&body), "input.1.call_id");
    let own = codec(OWN).encode_request(&decoded(OWN, &body).unwrap(), &target());
    assert!(own.is_ok(), "its own upstream may know the call");
}

#[test]
fn a_result_that_is_a_list_of_parts_is_accepted() {
    let image = json!({"type": "input_image", "image_url": "data:image/png;base64,AA",
        "detail": "auto"});
    let text = json!({"type": "input_text", "text": "See:"});
    let body = json!({"model": "m", "input": [
        {"role": "user", "content": "Hi"}, call("a"), output("a", &json!([text, image]))]});
    let chat = translated(OWN, CHAT, &body);
    assert_eq!(chat["messages"][2]["content"], "See:\n[image 1]");
    assert_eq!(chat["messages"][3]["content"][0]["type"], "image_url");
    let own = translated(OWN, OWN, &body);
    assert_eq!(own["input"][2], body["input"][2]);
    let anthropic = translated(OWN, Dialect::Anthropic, &body);
    let content = &anthropic["messages"][2]["content"][0]["content"];
    assert_eq!(content[1]["type"], "image");
    let gemini = translated(OWN, Dialect::Gemini, &body).to_string();
    assert!(gemini.contains(r#""output":"See:"#), "{gemini}");
    assert!(gemini.contains("inlineData"), "{gemini}");
}

#[test]
fn a_failed_result_says_so_to_openai() {
    let result = json!({"type": "tool_result", "tool_use_id": "a", "content": "no",
        "is_error": true});
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "a", "name": "f", "input": {}}]},
        {"role": "user", "content": [result]}]});
    let found = translated(Dialect::Anthropic, OWN, &body);
    assert_eq!(found["input"][2]["output"], "Error: no");
}

#[test]
fn what_a_providers_own_tool_did_is_left_out_and_named() {
    let search = json!({"type": "web_search_call", "id": "ws_1", "status": "completed"});
    let body = json!({"model": "m", "input": [
        {"role": "user", "content": "Hi"}, search, {"role": "assistant", "content": "So"}]});
    let encoded = encoded(CHAT, &decoded(OWN, &body).unwrap());
    assert_eq!(encoded.losses.degraded, ["input.1"]);
    assert_eq!(json_of(&encoded)["messages"][1]["content"], "So");
}
