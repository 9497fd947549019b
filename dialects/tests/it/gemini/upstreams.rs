//! What Google's upstreams get, in the words of those whom it went wrong for.

use hone_dialects::{Dialect, Encoded, Refusal, Settings, Target, ThinkingForm, codec};
use serde_json::{Value, json};

use crate::support::{decoded, json_of, target};

const ANTHROPIC: Dialect = Dialect::Anthropic;
const CHAT: Dialect = Dialect::OpenAiChat;
const GEMINI: Dialect = Dialect::Gemini;

pub(super) fn model(model: &str) -> Target {
    Target {
        model: model.to_owned(),
        ..target()
    }
}

fn try_to(target: &Target, from: Dialect, body: &Value) -> Result<Encoded, Refusal> {
    let request = decoded(from, body).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    codec(GEMINI).encode_request(&request, target)
}

pub(super) fn to(target: &Target, from: Dialect, body: &Value) -> (Value, Encoded) {
    let encoded = try_to(target, from, body).unwrap_or_else(|refusal| panic!("{refusal:?}"));
    (json_of(&encoded), encoded)
}

pub(super) fn chat(messages: &Value) -> Value {
    json!({"model": "asked", "messages": messages})
}

fn asking(name: &str, value: Value) -> Value {
    let mut body = chat(&json!([{"role": "user", "content": "a"}]));
    body[name] = value;
    body
}

pub(super) fn call(id: &str, name: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": name, "arguments": "{\"x\":1}"}})
}

pub(super) fn anthropic(messages: &Value) -> Value {
    json!({"model": "asked", "max_tokens": 9, "messages": messages})
}

fn calling() -> Value {
    anthropic(&json!([
        {"role": "user", "content": "add"},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "a.1", "name": "add", "input": {"b": 1, "a": 2}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a.1", "content": "7"},
            {"type": "text", "text": "go"}]},
    ]))
}

#[test]
fn a_result_and_a_text_become_two_contents_of_the_users() {
    let (found, encoded) = to(&model("gemini-3-pro"), ANTHROPIC, &calling());
    let expected = json!([
        {"role": "user", "parts": [{"text": "add"}]},
        {"role": "model", "parts": [
            {"functionCall": {"name": "add", "args": {"b": 1, "a": 2}}}]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "add", "response": {"output": "7"}}}]},
        {"role": "user", "parts": [{"text": "go"}]},
    ]);
    assert_eq!(found["contents"], expected);
    assert!(encoded.losses.degraded.is_empty(), "{:?}", encoded.losses);
    assert_eq!(encoded.path, "/v1beta/models/gemini-3-pro:generateContent");
    let streaming = Target {
        stream: true,
        ..model("gemini-3-pro")
    };
    let (_, encoded) = to(&streaming, ANTHROPIC, &calling());
    let expected = "/v1beta/models/gemini-3-pro:streamGenerateContent?alt=sse";
    assert_eq!(encoded.path, expected);
}

#[test]
fn all_results_of_a_step_stand_in_one_content_in_the_order_of_the_calls() {
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}});
    let messages = json!([
        {"role": "assistant", "content": "Now.", "tool_calls":
            [call("a", "add"), call("b", "sub"), call("c", "shot")]},
        {"role": "tool", "tool_call_id": "c", "content": [image]},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "user", "content": "go"},
    ]);
    let (found, _) = to(&model("gemini-2.5-pro"), CHAT, &chat(&messages));
    let response = |name: &str, text: &str| {
        let told = json!({"name": name, "response": {"output": text}});
        json!({ "functionResponse": told })
    };
    let results = [
        response("add", "1"),
        response("sub", "2"),
        response("shot", "[image 1]"),
    ];
    assert_eq!(found["contents"][1]["parts"], json!(results));
    let shown = json!([{"inlineData": {"mimeType": "image/png", "data": "aGk="}}, {"text": "go"}]);
    assert_eq!(
        found["contents"][2],
        json!({"role": "user", "parts": shown})
    );
    let (found, _) = to(&model("gemini-3-pro"), CHAT, &chat(&messages));
    let shot = &found["contents"][1]["parts"][2]["functionResponse"];
    assert_eq!(
        shot["parts"],
        json!([shown[0]]),
        "newer models look at images in results"
    );
    assert_eq!(found["contents"][2]["parts"], json!([{"text": "go"}]));
}

#[test]
fn a_failed_result_is_an_error() {
    let mut body = calling();
    body["messages"][2]["content"][0]["is_error"] = true.into();
    let (found, _) = to(&target(), ANTHROPIC, &body);
    let response = &found["contents"][2]["parts"][0]["functionResponse"]["response"];
    assert_eq!(response, &json!({"error": "7"}));
}

#[test]
fn calls_without_results_and_results_without_calls_are_refused() {
    let calls = json!({"role": "assistant", "content": null, "tool_calls":
        [call("a", "f"), call("b", "f")]});
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "1"});
    let user = json!({"role": "user", "content": "go"});
    for (messages, path) in [
        (
            json!([calls, result("a"), user]),
            "messages[0].tool_calls[1]",
        ),
        (json!([calls, result("a")]), "messages[0].tool_calls[1]"),
        (json!([calls, user]), "messages[0].tool_calls[0]"),
        (json!([user, result("a")]), "messages[1].tool_call_id"),
        (
            json!([calls, result("a"), result("a")]),
            "messages[2].tool_call_id",
        ),
    ] {
        let refusal = try_to(&target(), CHAT, &chat(&messages)).unwrap_err();
        assert_eq!(refusal.param.as_deref(), Some(path), "{messages}");
    }
    assert!(try_to(&target(), CHAT, &chat(&json!([user, calls]))).is_ok());
}

#[test]
fn no_keyword_of_json_schema_in_a_tool_is_a_400_of_googles() {
    let schema = json!({"$schema": "x", "type": "object", "additionalProperties": false,
        "properties": {"a": {"const": 1, "anyOf": [{"exclusiveMinimum": 0}]}}});
    let tools = json!([
        {"type": "function", "function": {"name": "f", "strict": true, "parameters": schema}},
        {"type": "function", "function": {"name": "g", "description": "G.",
            "parameters": {"type": "object", "properties": {}}}}]);
    let (found, encoded) = to(&target(), CHAT, &asking("tools", tools));
    let expected = json!([{"functionDeclarations": [
        {"name": "f", "parametersJsonSchema": schema}, {"name": "g", "description": "G."}]}]);
    assert_eq!(found["tools"], expected);
    assert_eq!(encoded.losses.degraded, ["tools[0].function.strict"]);
}

#[test]
fn a_schema_for_the_answer_is_no_tool() {
    let schema = json!({"type": "object"});
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "schema": schema}});
    let (found, _) = to(&target(), CHAT, &asking("response_format", format));
    let config = json!({"responseMimeType": "application/json", "responseJsonSchema": schema});
    assert_eq!(found["generationConfig"], config);
    assert!(found.get("tools").is_none());
    let (found, _) = to(
        &target(),
        CHAT,
        &asking("response_format", json!({"type": "json_object"})),
    );
    let config = json!({"responseMimeType": "application/json"});
    assert_eq!(found["generationConfig"], config);
}

#[test]
fn every_choice_of_tools_has_its_mode() {
    let tools: Vec<Value> = ["a", "b", "c"]
        .map(|name| json!({"type": "function", "function": {"name": name}}))
        .to_vec();
    let named = json!({"type": "function", "function": {"name": "b"}});
    let allowed = json!({"type": "allowed_tools", "allowed_tools": {"mode": "required",
        "tools": [tools[0], tools[2]]}});
    for (choice, config, left) in [
        (json!("auto"), json!({"mode": "AUTO"}), 3),
        (json!("none"), json!({"mode": "NONE"}), 3),
        (json!("required"), json!({"mode": "ANY"}), 3),
        (
            named,
            json!({"mode": "ANY", "allowedFunctionNames": ["b"]}),
            3,
        ),
        (allowed, json!({"mode": "ANY"}), 2),
    ] {
        let mut body = asking("tools", json!(tools));
        body["tool_choice"] = choice;
        let (found, _) = to(&target(), CHAT, &body);
        assert_eq!(
            found["toolConfig"],
            json!({ "functionCallingConfig": config })
        );
        let declared = &found["tools"][0]["functionDeclarations"];
        assert_eq!(declared.as_array().unwrap().len(), left);
    }
}

#[test]
fn a_tool_that_is_no_function_is_left_out_unless_it_must_be_called() {
    let odd = json!({"type": "odd", "odd": {"name": "patch"}});
    let function = json!({"type": "function", "function": {"name": "f"}});
    let mut body = asking("tools", json!([odd, function]));
    let (found, encoded) = to(&target(), CHAT, &body);
    assert_eq!(
        found["tools"],
        json!([{"functionDeclarations": [{"name": "f"}]}])
    );
    assert_eq!(encoded.losses.degraded, ["tools[0]"]);
    body["tool_choice"] = json!({"type": "odd", "odd": {"name": "patch"}});
    let refusal = try_to(&target(), CHAT, &body).unwrap_err();
    assert_eq!(refusal.param.as_deref(), Some("tools[0]"));
    let mut searching = calling();
    searching["tools"] = json!([{"type": "web_search_20250305", "name": "web_search"},
        {"name": "f", "input_schema": {"type": "object"}}]);
    let (found, encoded) = to(&target(), ANTHROPIC, &searching);
    assert_eq!(
        found["tools"],
        json!([{"functionDeclarations": [{"name": "f"}]}])
    );
    assert_eq!(encoded.losses.degraded, ["tools.0"]);
}

#[test]
fn names_that_would_be_refused_are_changed_and_known_again() {
    let tools = json!([{"type": "function", "function": {"name": "a b"}}]);
    let mut body = chat(&json!([
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": null, "tool_calls": [call("1", "a b")]},
        {"role": "tool", "tool_call_id": "1", "content": "7"},
    ]));
    body["tools"] = tools;
    let (found, encoded) = to(&target(), CHAT, &body);
    let name = found["tools"][0]["functionDeclarations"][0]["name"]
        .as_str()
        .unwrap();
    assert!(name.starts_with("a_b-"), "{name}");
    assert_eq!(encoded.names.here(name), "a b");
    assert_eq!(
        found["contents"][1]["parts"][0]["functionCall"]["name"],
        name
    );
    assert_eq!(
        found["contents"][2]["parts"][0]["functionResponse"]["name"],
        name
    );
}

#[test]
fn efforts_are_levels_for_new_models_and_budgets_for_old_ones() {
    let body = |word: &str| asking("reasoning_effort", word.into());
    let thinking = |target: &Target, word: &str| {
        let (found, encoded) = to(target, CHAT, &body(word));
        let thinking = found["generationConfig"]["thinkingConfig"].clone();
        (thinking, encoded.losses.degraded)
    };
    for (name, word, expected) in [
        ("gemini-3-pro", "none", json!({"thinkingLevel": "MINIMAL"})),
        ("gemini-3-pro", "max", json!({"thinkingLevel": "XHIGH"})),
        ("gemini-2.5-pro", "low", json!({"thinkingBudget": 1024})),
        ("gemini-2.5-flash", "none", json!({"thinkingBudget": 0})),
        ("gemini-2.5-flash", "max", json!({"thinkingBudget": -1})),
    ] {
        assert_eq!(
            thinking(&model(name), word),
            (expected, vec![]),
            "{name} {word}"
        );
    }
    let lost = vec!["reasoning_effort".to_owned()];
    let found = thinking(&model("gemini-2.0-flash"), "low");
    assert_eq!(found, (Value::Null, lost.clone()));
    let with = |settings: Settings| Target {
        settings,
        ..model("gemini-3-pro")
    };
    let off = with(Settings {
        thinking: ThinkingForm::Off,
        ..Settings::default()
    });
    assert_eq!(thinking(&off, "low"), (Value::Null, lost.clone()));
    let learnt = with(Settings {
        refused_efforts: vec!["xhigh".to_owned(), "max".to_owned()],
        ..Settings::default()
    });
    assert_eq!(
        thinking(&learnt, "xhigh"),
        (json!({"thinkingLevel": "HIGH"}), lost)
    );
}

#[test]
fn thoughts_are_asked_for_if_the_client_wants_to_see_them() {
    let mut body = calling();
    body["thinking"] = json!({"type": "enabled", "budget_tokens": 2048});
    body["max_tokens"] = 9000.into();
    let (found, _) = to(&model("gemini-3-pro"), ANTHROPIC, &body);
    let thinking = &found["generationConfig"]["thinkingConfig"];
    assert_eq!(thinking["includeThoughts"], true, "{found}");
    let (found, _) = to(&target(), CHAT, &asking("reasoning_effort", "low".into()));
    let thinking = &found["generationConfig"]["thinkingConfig"];
    assert!(thinking.get("includeThoughts").is_none());
}

#[test]
fn what_chat_has_and_google_has_not_is_told_or_refused() {
    let mut body = asking("logit_bias", json!({"1": 2}));
    body["verbosity"] = "low".into();
    body["parallel_tool_calls"] = false.into();
    body["user"] = "u".into();
    body["stop"] = json!(["1", "2", "3", "4", "5", "6"]);
    body["max_completion_tokens"] = 7.into();
    body["n"] = 2.into();
    body["seed"] = 3.into();
    let (found, encoded) = to(&target(), CHAT, &body);
    let config = json!({"seed": 3, "maxOutputTokens": 7, "candidateCount": 2,
        "stopSequences": ["1", "2", "3", "4", "5"]});
    assert_eq!(found["generationConfig"], config);
    let mut degraded = encoded.losses.degraded;
    degraded.sort();
    let expected = ["logit_bias", "parallel_tool_calls", "verbosity"];
    assert_eq!(degraded, expected);
    assert_eq!(encoded.losses.quiet, ["user"]);
    for (name, value) in [
        ("functions", json!([{"name": "f"}])),
        ("audio", json!({"voice": "a"})),
        ("modalities", json!(["text", "audio"])),
        ("max_tokens", json!(0)),
    ] {
        let refusal = try_to(&target(), CHAT, &asking(name, value)).unwrap_err();
        assert_eq!(refusal.param.as_deref(), Some(name));
    }
}

#[test]
fn what_lies_elsewhere_is_not_fetched_and_goes_on_only_where_it_may() {
    let url = json!({"type": "image_url", "image_url": {"url": "https://example.org/a.png"}});
    let body = chat(&json!([{"role": "user", "content": [url]}]));
    let refusal = try_to(&target(), CHAT, &body).unwrap_err();
    assert_eq!(refusal.param.as_deref(), Some("messages[0].content[0]"));
    let passing = Target {
        settings: Settings {
            passes_file_uris: true,
            ..Settings::default()
        },
        ..target()
    };
    let (found, _) = to(&passing, CHAT, &body);
    let expected = json!({"fileData": {"fileUri": "https://example.org/a.png"}});
    assert_eq!(found["contents"][0]["parts"][0], expected);
    let file = json!({"type": "file", "file": {"file_id": "file-1"}});
    let body = chat(&json!([{"role": "user", "content": [file]}]));
    assert!(try_to(&passing, CHAT, &body).is_err());
}

#[test]
fn arguments_that_are_no_object_are_told_as_a_text_and_never_left_out() {
    let mut odd = call("c", "f");
    odd["function"]["arguments"] = "hm".into();
    let messages = json!([{"role": "assistant", "content": null, "tool_calls": [odd]}]);
    let (found, encoded) = to(&target(), CHAT, &chat(&messages));
    let args = &found["contents"][0]["parts"][0]["functionCall"]["args"];
    assert_eq!(args, &json!({"input": "hm"}));
    let path = "messages[0].tool_calls[0].function.arguments";
    assert!(encoded.losses.degraded.contains(&path.to_owned()));
}
