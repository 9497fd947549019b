//! What becomes of requests.

use hone_dialects::{Dialect, Settings, SystemForm, codec};
use hone_strategies::chat::{ChatRequest, Message};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{decoded, encoded, json_of, target, translated};

const OWN: Dialect = Dialect::OpenAiResponses;
const CHAT: Dialect = Dialect::OpenAiChat;

fn with(name: &str, value: Value) -> Value {
    let mut body = json!({"model": "m", "input": "Hi"});
    body[name] = value;
    body
}

fn refused(body: &Value) -> String {
    let refusal = decoded(OWN, body).expect_err("a refusal");
    refusal.param.unwrap_or_default()
}

#[test]
fn instructions_within_a_conversation_stay_in_their_place() {
    let body = json!({"model": "m", "instructions": "A", "input": [
        {"role": "developer", "content": "B"},
        {"role": "user", "content": "Hi"},
        {"role": "system", "content": "C"},
        {"role": "user", "content": [{"type": "input_text", "text": "Ho"}]}]});
    let chat = translated(OWN, CHAT, &body);
    let roles: Vec<_> = chat["messages"].as_array().unwrap().iter().collect();
    let told: Vec<_> = roles
        .iter()
        .map(|message| message["content"].clone())
        .collect();
    assert_eq!(told, ["A", "B", "Hi", "C", "Ho"]);
    let own = translated(OWN, OWN, &body);
    assert_eq!(own["instructions"], "A");
    let roles = |body: &Value| -> Vec<Value> {
        let items = body["input"].as_array().unwrap().iter();
        items.map(|item| item["role"].clone()).collect()
    };
    assert_eq!(roles(&own), ["developer", "user", "system", "user"]);
}

#[test]
fn instructions_go_where_the_upstream_takes_them() {
    let messages = [
        Message::system("A"),
        Message::system("B"),
        Message::user("Hi"),
        Message::system("C"),
    ];
    let request = ChatRequest::new("m", messages);
    let written = |system| {
        let mut target = target();
        target.settings = Settings {
            system,
            ..Settings::default()
        };
        json_of(&codec(OWN).encode_request(&request, &target).unwrap())
    };
    let inline = written(SystemForm::Inline);
    assert_eq!(inline["instructions"], "A");
    assert_eq!(inline["input"][2]["role"], "system");
    let leading = written(SystemForm::Leading);
    assert_eq!(leading["instructions"], "A\n\nB\n\nC");
    assert_eq!(leading["input"].as_array().unwrap().len(), 1);
    let user = written(SystemForm::User);
    assert_eq!(user["input"][2]["content"], "<system>\nC\n</system>");
}

#[test]
fn nothing_of_a_request_is_lost_on_the_way_to_its_own_dialect() {
    let body = json!({"model": "m", "instructions": "A", "store": false, "stream": true,
        "input": [
            {"type": "message", "role": "system", "content": "First of all"},
            {"type": "message", "role": "user", "id": "msg_1", "content": [
                {"type": "input_text", "text": "See", "prompt_cache_breakpoint": {}},
                {"type": "input_image", "file_id": "file_1", "detail": "low"}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"},
            {"type": "message", "role": "assistant", "id": "msg_2", "status": "completed",
                "phase": "commentary", "content": [{"type": "output_text", "text": "So",
                "annotations": [], "logprobs": []}]},
            {"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}},
            {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f",
                "arguments": "{ \"a\" : 1 }", "status": "completed", "namespace": "ns"},
            {"type": "function_call_output", "call_id": "c1", "output": [
                {"type": "input_text", "text": "x"},
                {"type": "input_image", "image_url": "data:,x", "detail": "auto"}]},
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c2", "name": "p", "input": "i"},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": "done"}],
        "tools": [
            {"type": "function", "name": "g", "parameters": {"type": "object"}, "strict": true,
                "defer_loading": true},
            {"type": "namespace", "name": "ns", "description": "d", "tools": [
                {"type": "function", "name": "f", "parameters": {}, "strict": false}]},
            {"type": "custom", "name": "p", "description": "d",
                "format": {"type": "grammar", "syntax": "lark", "definition": "start: X"}},
            {"type": "web_search"}],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [
            {"type": "function", "name": "g"}, {"type": "web_search"}]},
        "parallel_tool_calls": true, "max_tool_calls": 3, "max_output_tokens": 100,
        "text": {"format": {"type": "json_schema", "name": "n", "strict": true,
            "schema": {"type": "object"}}, "verbosity": "low"},
        "reasoning": {"effort": "high", "summary": "auto", "context": "all_turns"},
        "include": ["reasoning.encrypted_content", "web_search_call.results"],
        "metadata": {"a": "b"}, "prompt_cache_key": "k", "client_metadata": {"x": "y"},
        "truncation": "auto", "temperature": 0.5, "top_p": 0.9, "service_tier": "flex",
        "safety_identifier": "s", "user": "u", "some_new_field": {"a": [1.0]}});
    let mut asked = target();
    asked.stream = true;
    let request = decoded(OWN, &body).unwrap();
    let encoded = codec(OWN).encode_request(&request, &asked).unwrap();
    assert_eq!(json_of(&encoded), body);
    assert_eq!(encoded.losses, hone_dialects::Losses::default());
    assert_eq!(encoded.path, "/responses");
}

#[test]
fn a_plain_text_is_a_users_message() {
    let chat = translated(OWN, CHAT, &json!({"model": "m", "input": "Hi"}));
    assert_eq!(chat["messages"], json!([{"role": "user", "content": "Hi"}]));
}

#[test]
fn a_schema_is_flat_here_and_nested_in_chat() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}});
    let format = json!({"type": "json_schema", "name": "n", "strict": true, "schema": schema});
    let body = with("text", json!({ "format": format }));
    let chat = translated(OWN, CHAT, &body);
    let nested = json!({"name": "n", "strict": true, "schema": schema});
    let wanted = json!({"type": "json_schema", "json_schema": nested});
    assert_eq!(chat["response_format"], wanted);
    let back = translated(CHAT, OWN, &chat);
    assert_eq!(back["text"], body["text"]);
    let object = with("text", json!({"format": {"type": "json_object"}}));
    assert_eq!(
        translated(OWN, CHAT, &object)["response_format"],
        json!({"type": "json_object"})
    );
    let text = with("text", json!({"format": {"type": "text"}}));
    assert_eq!(translated(OWN, CHAT, &text).get("response_format"), None);
}

#[test]
fn a_chat_request_goes_to_responses() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}});
    let pdf = "data:application/pdf;base64,AA";
    let file = json!({"type": "file", "file": {"filename": "a.pdf", "file_data": pdf}});
    let call = json!({"id": "a.1", "type": "function",
        "function": {"name": "add", "arguments": "{\"a\":1}"}});
    let chat = json!({"model": "x", "max_completion_tokens": 50, "temperature": 0.1,
        "logprobs": true, "top_logprobs": 2, "reasoning_effort": "low", "verbosity": "low",
        "tool_choice": {"type": "function", "function": {"name": "add"}},
        "tools": [{"type": "function", "function": {"name": "add"}}],
        "messages": [
            {"role": "system", "content": "A"},
            {"role": "user", "content": [{"type": "text", "text": "See"}, image, file]},
            {"role": "assistant", "content": "So", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "a.1", "content": "7"},
            {"role": "assistant", "content": null, "refusal": "No."}]});
    let found = translated(CHAT, OWN, &chat);
    let id = hone_dialects::marks::clean("a.1").into_owned();
    let wanted = json!({"model": "m", "instructions": "A",
        "input": [
            {"type": "message", "role": "user", "content": [
                {"type": "input_text", "text": "See"},
                {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "auto"},
                {"type": "input_file", "filename": "a.pdf", "file_data": pdf}]},
            {"type": "message", "role": "assistant", "content": "So"},
            {"type": "function_call", "call_id": id, "name": "add", "arguments": "{\"a\":1}"},
            {"type": "function_call_output", "call_id": id, "output": "7"},
            {"type": "message", "role": "assistant", "content": [
                {"type": "refusal", "refusal": "No."}]}],
        "top_logprobs": 2, "temperature": 0.1, "max_output_tokens": 50,
        "text": {"verbosity": "low"}, "reasoning": {"effort": "low"},
        "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
        "store": false,
        "tools": [{"type": "function", "name": "add",
            "parameters": {"type": "object", "properties": {}}, "strict": false}],
        "tool_choice": {"type": "function", "name": "add"}});
    assert_eq!(found, wanted);
}

#[test]
fn what_chat_has_and_responses_has_not_is_named_or_refused() {
    let chat = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "seed": 1,
        "n": 2, "stop": "x", "frequency_penalty": 1,
        "logit_bias": {"1": 2}, "prediction": {"type": "content"},
        "top_k": 3, "store": true});
    let losses = encoded(OWN, &decoded(CHAT, &chat).unwrap()).losses;
    let mut degraded = losses.degraded.clone();
    degraded.sort_unstable();
    let wanted = [
        "frequency_penalty",
        "logit_bias",
        "n",
        "seed",
        "store",
        "top_k",
    ];
    assert_eq!(degraded, wanted);
    assert_eq!(losses.quiet, ["prediction"]);
    let audio = json!({"type": "input_audio", "input_audio": {"data": "", "format": "wav"}});
    for (name, value, param) in [
        ("functions", json!([]), "functions"),
        ("modalities", json!(["text", "audio"]), "modalities"),
        (
            "messages",
            json!([{"role": "user", "content": [audio]}]),
            "messages[0].content[0]",
        ),
    ] {
        let mut chat = json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}]});
        chat[name] = value;
        let request = decoded(CHAT, &chat).unwrap();
        let refusal = codec(OWN).encode_request(&request, &target()).unwrap_err();
        assert_eq!(refusal.param.as_deref(), Some(param));
    }
}

#[test]
fn bad_fields_are_refused_by_their_paths() {
    for (name, value, param) in [
        ("max_output_tokens", json!(0), "max_output_tokens"),
        ("max_output_tokens", json!("9"), "max_output_tokens"),
        ("temperature", json!("warm"), "temperature"),
        ("stream", json!(1), "stream"),
        ("store", json!("no"), "store"),
        ("input", json!([]), "input"),
        ("input", json!(7), "input"),
        ("input", json!(["Hi"]), "input.0"),
        ("input", json!([{"role": "user"}]), "input.0.content"),
        (
            "input",
            json!([{"type": "message", "role": "robot", "content": ""}]),
            "input.0.role",
        ),
        ("input", json!([{"content": "Hi"}]), "input.0.type"),
        (
            "input",
            json!([{"role": "user", "content": [{}]}]),
            "input.0.content.0.type",
        ),
        (
            "input",
            json!([{"type": "function_call_output", "call_id": "c"}]),
            "input.0.output",
        ),
        ("instructions", json!(["A"]), "instructions"),
        ("tools", json!({}), "tools"),
        ("tools", json!([{"name": "f"}]), "tools.0.type"),
        ("tools", json!([{"type": "function"}]), "tools.0.name"),
        ("tool_choice", json!("maybe"), "tool_choice"),
        ("tool_choice", json!(3), "tool_choice"),
        ("include", json!([3]), "include.0"),
        ("text", json!("x"), "text"),
        (
            "text",
            json!({"format": {"type": "xml"}}),
            "text.format.type",
        ),
        (
            "text",
            json!({"format": {"type": "json_schema"}}),
            "text.format.schema",
        ),
        ("reasoning", json!({"effort": 3}), "reasoning.effort"),
    ] {
        assert_eq!(refused(&with(name, value)), param);
    }
    assert_eq!(refused(&json!({"input": "Hi"})), "model");
    assert_eq!(refused(&json!({"model": "m"})), "input");
}

#[test]
fn what_chat_cannot_say_is_named_when_it_leaves() {
    let body = json!({"model": "m", "input": "Hi", "store": true, "truncation": "auto",
        "context_management": [], "max_tool_calls": 2, "prompt_cache_key": "k",
        "client_metadata": {}, "moderation": {"model": "x", "policy": {"input": {"mode": "block"}}},
        "reasoning": {"mode": "pro", "context": "auto"}, "background": false});
    let losses = encoded(CHAT, &decoded(OWN, &body).unwrap()).losses;
    let sorted = |mut names: Vec<String>| {
        names.sort_unstable();
        names
    };
    let degraded = [
        "context_management",
        "moderation",
        "reasoning.mode",
        "store",
        "truncation",
    ];
    assert_eq!(sorted(losses.degraded), degraded);
    let quiet = [
        "client_metadata",
        "max_tool_calls",
        "prompt_cache_key",
        "reasoning.context",
    ];
    assert_eq!(sorted(losses.quiet), quiet);
}

#[test]
fn a_count_is_asked_with_what_counts() {
    let body = json!({"model": "m", "input": "Hi", "instructions": "A", "temperature": 1,
        "max_output_tokens": 5, "stream": true, "store": true});
    let counted = codec(OWN).encode_count(&decoded(OWN, &body).unwrap(), &target());
    let counted = counted.unwrap().unwrap();
    assert_eq!(counted.path, "/responses/input_tokens");
    let input = json!([{"type": "message", "role": "user", "content": "Hi"}]);
    let wanted = json!({"model": "m", "instructions": "A", "input": input});
    assert_eq!(json_of(&counted), wanted);
    let answer = codec(OWN).encode_count_answer(7);
    let wanted = r#"{"object":"response.input_tokens","input_tokens":7}"#;
    assert_eq!(answer, wanted);
    assert_eq!(codec(OWN).decode_count(answer.as_bytes()), Some(7));
}

#[test]
fn efforts_that_a_model_refuses_give_way() {
    let body = with("reasoning", json!({"effort": "xhigh"}));
    let mut target = target();
    target.settings.refused_efforts = vec!["xhigh".to_owned()];
    let request = decoded(OWN, &body).unwrap();
    let encoded = codec(OWN).encode_request(&request, &target).unwrap();
    assert_eq!(json_of(&encoded)["reasoning"]["effort"], "high");
    assert_eq!(encoded.losses.degraded, ["reasoning_effort"]);
}

fn any_item() -> impl Strategy<Value = Value> {
    let text = "[a-c é.]{0,6}";
    prop_oneof![
        ("user|system|developer|assistant", text)
            .prop_map(|(role, text)| json!({"role": role, "content": text})),
        (text, 0_u32..4).prop_map(|(text, id)| json!({"type": "function_call", "name": "f",
            "call_id": format!("c.{id}"), "arguments": json!({"a": text}).to_string()})),
        (text, 0_u32..4).prop_map(|(text, id)| json!({"type": "function_call_output",
            "call_id": format!("c.{id}"), "output": text})),
        text.prop_map(|text| json!({"type": "reasoning", "id": "rs_1",
            "summary": [{"type": "summary_text", "text": text}]})),
    ]
}

proptest! {
    /// Texts, calls and results all arrive; every id fits, and a result's is its call's.
    #[test]
    fn what_a_conversation_says_arrives(items in prop::collection::vec(any_item(), 1..12)) {
        let request = decoded(OWN, &json!({"model": "m", "input": items})).unwrap();
        let mut said = Vec::new();
        let mut ids = Vec::new();
        for message in request.messages() {
            said.push(message.text().into_owned());
            let calls = message.tool_calls().and_then(Value::as_array);
            for call in calls.into_iter().flatten() {
                ids.push(call["id"].as_str().unwrap().to_owned());
            }
        }
        let said = said.join("|");
        for item in &items {
            let text = item["content"].as_str().or(item["output"].as_str()).unwrap_or_default();
            prop_assert!(said.contains(text), "{} in {}", text, said);
        }
        let calls = items.iter().filter(|item| item["type"] == "function_call").count();
        prop_assert_eq!(ids.len(), calls);
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        for id in &ids {
            prop_assert!(id.len() <= 64 && id.chars().all(fits));
        }
    }

    #[test]
    fn no_body_makes_the_reader_panic(body in ".{0,60}", input in any::<Vec<u8>>()) {
        let read = |body: &[u8]| codec(OWN).decode_request(body, &hone_dialects::Route::default());
        prop_assert!(read(body.as_bytes()).is_err());
        prop_assert!(read(&input).is_err());
    }
}
