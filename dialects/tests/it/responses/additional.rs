//! Tools that stand in the conversation, as Codex's newer models have them.

use std::sync::Arc;

use hone_dialects::{Dialect, Ending, codec};
use hone_strategies::chat::{Delta, Origin};
use serde_json::{Value, json};

use crate::grammar::responses::read;
use crate::support::{decoded, encoded, frame, json_of, target, translated};

const OWN: Dialect = Dialect::OpenAiResponses;

fn shell() -> Value {
    json!({"type": "function", "name": "shell", "description": "Runs.", "strict": false,
        "parameters": {"type": "object", "properties": {}}})
}

fn additional() -> Value {
    let exec = json!({"type": "custom", "name": "exec", "description": "Runs a script.",
        "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}});
    json!({"type": "additional_tools", "role": "developer", "tools": [
        {"type": "namespace", "name": "functions", "description": "", "tools": [exec, shell()]},
        {"type": "web_search"}]})
}

fn request(tools: Option<Value>) -> Value {
    let mut body = json!({"model": "m", "store": false, "tool_choice": "auto",
        "include": ["reasoning.encrypted_content"], "input": [
            additional(),
            {"type": "message", "role": "user", "content": "List."},
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c1", "name": "exec",
                "namespace": "functions", "input": "ls"},
            {"type": "custom_tool_call_output", "call_id": "c1", "output": "a.rs"},
            additional(),
            {"type": "message", "role": "user", "content": "And?"}]});
    if let Some(tools) = tools {
        body["tools"] = tools;
    }
    body
}

#[test]
fn they_become_tools_of_every_other_dialect() {
    let encoded = encoded(Dialect::OpenAiChat, &decoded(OWN, &request(None)).unwrap());
    let chat = json_of(&encoded);
    let tools = chat["tools"].as_array().unwrap();
    let names: Vec<_> = tools.iter().map(|tool| &tool["function"]["name"]).collect();
    assert_eq!(names, ["functions__exec", "functions__shell"]);
    let exec = &tools[0]["function"];
    assert_eq!(exec["parameters"]["required"], json!(["input"]));
    let described = exec["description"].as_str().unwrap();
    assert!(described.contains("start: /.+/"), "{described}");
    let degraded = ["tools.0.tools.0.format", "tools.1"];
    let degraded = degraded.map(|path| [0, 4].map(|at| format!("input.{at}.{path}")));
    assert_eq!(encoded.losses.degraded, degraded.concat());
    let messages = chat["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "user"]);
    let call = &messages[1]["tool_calls"][0]["function"];
    assert_eq!(call["name"], "functions__exec");
    assert_eq!(chat["tool_choice"], "auto");
    let body = request(Some(json!([shell()])));
    let anthropic = translated(OWN, Dialect::Anthropic, &body);
    assert_eq!(anthropic["tools"].as_array().unwrap().len(), 3);
    assert_eq!(anthropic["messages"].as_array().unwrap().len(), 3);
    let gemini = translated(OWN, Dialect::Gemini, &body);
    assert_eq!(gemini["contents"].as_array().unwrap().len(), 4);
}

#[test]
fn they_stay_where_they_are_on_the_way_to_their_own_dialect() {
    for tools in [None, Some(json!([shell()]))] {
        let mut body = request(tools);
        assert_eq!(translated(OWN, OWN, &body), body);
        body["tool_choice"] = json!({"type": "custom", "namespace": "functions", "name": "exec"});
        assert_eq!(translated(OWN, OWN, &body), body);
    }
}

#[test]
fn a_request_that_has_lost_its_tools_has_none_in_its_input() {
    let request = decoded(OWN, &request(None)).unwrap();
    let mut judge = request.with_origin(None);
    judge.remove("tools");
    judge.remove("tool_choice");
    for dialect in Dialect::ALL {
        let text = json_of(&encoded(dialect, &judge)).to_string();
        assert!(!text.contains("additional_tools"), "{dialect:?}: {text}");
        assert!(!text.contains(r#""developer""#), "{dialect:?}: {text}");
    }
}

#[test]
fn tools_whose_place_in_the_conversation_is_gone_are_told_beside_it() {
    let request = decoded(OWN, &request(None)).unwrap();
    let messages = request.messages().iter();
    let left: Vec<_> = messages
        .filter(|message| message.role() != "developer")
        .cloned()
        .collect();
    let body = json_of(&encoded(OWN, &request.with_messages(left)));
    assert_eq!(body["tools"][0]["name"], "functions__exec");
    assert_eq!(body["tools"].as_array().unwrap().len(), 2);
}

#[test]
fn their_calls_come_back_as_what_the_client_knows() {
    let mut request = decoded(OWN, &request(None)).unwrap();
    let mut origin = Origin::clone(request.origin().unwrap());
    origin.wishes.reasoning = true;
    request = request.with_origin(Some(Arc::new(origin)));
    let mut frame = frame(OWN);
    frame.request = request;
    let mut encoder = codec(OWN).stream_encoder(frame);
    let function = json!({"name": "functions__exec", "arguments": "{\"input\":\"ls\"}"});
    let call = json!([{"index": 0, "id": "c2", "type": "function", "function": function}]);
    let mut text = encoder.begin();
    text += &encoder.delta(0, &Delta::field("tool_calls", call));
    text += &encoder.end(&Ending::default());
    let found = read(&text).unwrap_or_else(|why| panic!("{why}: {text}"));
    let item = &found.items[0];
    assert_eq!(item["type"], "custom_tool_call");
    assert_eq!(item["namespace"], "functions");
    assert_eq!(item["name"], "exec");
    assert_eq!(item["input"], "ls");
    assert_eq!(found.response["tools"], json!([]), "those of `tools` only");
}

#[test]
fn tools_that_are_no_list_are_refused_by_their_path() {
    let mut body = request(None);
    body["input"][4]["tools"] = json!("shell");
    let refusal = decoded(OWN, &body).unwrap_err();
    assert_eq!(refusal.param.as_deref(), Some("input.4.tools"));
    body["input"][4]["tools"] = json!([{"name": "x"}]);
    let refusal = decoded(OWN, &body).unwrap_err();
    assert_eq!(refusal.param.as_deref(), Some("input.4.tools.0.type"));
    assert!(
        codec(OWN)
            .encode_request(&decoded(OWN, &request(None)).unwrap(), &target())
            .is_ok()
    );
}
