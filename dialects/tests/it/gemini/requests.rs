//! What becomes of requests of Google's clients, in the words of those whom it went wrong for.

use hone_dialects::{Dialect, Encoded, Refusal, Route, codec};
use hone_strategies::chat::ChatRequest;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{decoded, encoded, json_of, target, translated};

const GEMINI: Dialect = Dialect::Gemini;
const CHAT: Dialect = Dialect::OpenAiChat;

pub(super) fn body(contents: &Value) -> Value {
    json!({"model": "models/asked", "contents": contents})
}

fn asking() -> Value {
    body(&json!([{"role": "user", "parts": [{"text": "a"}]}]))
}

pub(super) fn with(name: &str, value: Value) -> Value {
    let mut body = asking();
    body[name] = value;
    body
}

fn refusal(to: Dialect, body: &Value) -> Refusal {
    let encode = |request: ChatRequest| codec(to).encode_request(&request, &target());
    decoded(GEMINI, body).and_then(encode).unwrap_err()
}

pub(super) fn to_chat(body: &Value) -> (Value, Encoded) {
    let encoded = encoded(CHAT, &decoded(GEMINI, body).unwrap());
    (json_of(&encoded), encoded)
}

#[test]
fn snake_case_and_camel_case_are_the_same_request() {
    let snake = json!({
        "system_instruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "look"},
            {"inline_data": {"mime_type": "image/png", "data": "aGk_"}}]}],
        "generation_config": {"max_output_tokens": 9, "stop_sequences": ["x"], "top_p": 0.5,
            "candidate_count": 2, "thinking_config": {"thinking_budget": 1024,
            "include_thoughts": true}},
        "tools": [{"function_declarations": [{"name": "f",
            "parameters_json_schema": {"type": "object", "properties": {"a_b": {}}}}]}],
        "tool_config": {"function_calling_config": {"mode": "ANY",
            "allowed_function_names": ["f"]}},
    });
    let camel = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "contents": [{"role": "user", "parts": [{"text": "look"},
            {"inlineData": {"mimeType": "image/png", "data": "aGk_"}}]}],
        "generationConfig": {"maxOutputTokens": 9, "stopSequences": ["x"], "topP": 0.5,
            "candidateCount": 2, "thinkingConfig": {"thinkingBudget": 1024,
            "includeThoughts": true}},
        "tools": [{"functionDeclarations": [{"name": "f",
            "parametersJsonSchema": {"type": "object", "properties": {"a_b": {}}}}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    });
    let route = Route {
        model: Some("asked"),
        stream: true,
        ..Route::default()
    };
    let read = |body: &Value| {
        let body = body.to_string();
        codec(GEMINI)
            .decode_request(body.as_bytes(), &route)
            .unwrap()
    };
    let (snake, camel) = (read(&snake), read(&camel));
    assert_eq!(snake.to_bytes(), camel.to_bytes());
    let chat: Value = serde_json::from_slice(&snake.to_bytes()).unwrap();
    let image = &chat["messages"][1]["content"][1]["image_url"]["url"];
    assert_eq!(image, "data:image/png;base64,aGk/");
    for (name, expected) in [
        ("model", json!("asked")),
        ("stream", json!(true)),
        ("max_tokens", json!(9)),
        ("n", json!(2)),
        ("reasoning_effort", json!("minimal")),
        (
            "tool_choice",
            json!({"type": "function", "function": {"name": "f"}}),
        ),
    ] {
        assert_eq!(chat[name], expected, "{name}");
    }
    assert!(snake.origin().unwrap().wishes.reasoning);
}

#[test]
fn a_request_is_the_same_for_google_after_the_middle() {
    let request = json!({
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Rhyme."}]},
        "contents": [
            {"role": "user", "parts": [{"text": "a"},
                {"inlineData": {"mimeType": "video/mp4", "data": "aGk="},
                    "videoMetadata": {"fps": 1}},
                {"fileData": {"fileUri": "files/1"}}]},
            {"role": "model", "parts": [
                {"text": "hm", "thought": true},
                {"functionCall": {"id": "x:1", "name": "a.b", "args": {"c": 1.50}},
                    "thoughtSignature": "c2ln"},
                {"functionCall": {"name": "plain.name", "args": {}}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "x:1", "name": "a.b", "response": {"result": 7}}},
                {"functionResponse": {"name": "plain.name", "response": {"output": "y"}}}]},
            {"role": "model", "parts": [{"functionCall": {"name": "plain.name", "args": {}}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"name": "plain.name", "response": {"error": "no"}}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "a.b", "behavior": "BLOCKING",
            "parameters": {"type": "OBJECT"}}, {"name": "plain.name"}]}, {"googleSearch": {}}],
        "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED",
            "allowedFunctionNames": ["a.b"]}, "retrievalConfig": {"languageCode": "de"}},
        "generationConfig": {"temperature": 0.5, "topK": 3, "seed": 1, "maxOutputTokens": 9,
            "candidateCount": 2, "responseMimeType": "application/json",
            "responseSchema": {"type": "OBJECT", "propertyOrdering": ["a"]},
            "thinkingConfig": {"thinkingBudget": 333, "includeThoughts": true},
            "mediaResolution": "MEDIA_RESOLUTION_LOW", "somethingNew": [1]},
        "safetySettings": [{"category": "C", "threshold": "BLOCK_LOW_AND_ABOVE"}],
        "cachedContent": "cachedContents/1", "labels": {"a": "b"}, "store": true,
    });
    let mut asked = request.clone();
    asked["model"] = "m".into();
    assert_eq!(translated(GEMINI, GEMINI, &asked), request);
}

#[test]
fn what_only_google_keeps_or_understands_is_refused_elsewhere_by_its_path() {
    let video = json!({"inline_data": {"mime_type": "video/mp4", "data": "aGk="}});
    let linked = json!({"fileData": {"fileUri": "https://example.org/a.png"}});
    let said = |part: &Value| body(&json!([{"parts": [{"text": "a"}, part]}]));
    let config = |config: Value| with("generationConfig", config);
    for (body, path) in [
        (with("cachedContent", "c".into()), "cachedContent"),
        (with("cached_content", "c".into()), "cached_content"),
        (said(&video), "contents.0.parts.1.inline_data.mimeType"),
        (said(&linked), "contents.0.parts.1.fileData"),
        (
            config(json!({"responseModalities": ["TEXT", "IMAGE"]})),
            "generationConfig.responseModalities",
        ),
        (
            config(json!({"responseMimeType": "text/x.enum"})),
            "generationConfig.responseMimeType",
        ),
        (
            with("tools", json!([{"googleSearch": {}}])),
            "tools.0.googleSearch",
        ),
    ] {
        for to in [CHAT, Dialect::Anthropic] {
            let refusal = refusal(to, &body);
            assert_eq!(refusal.param.as_deref(), Some(path));
            assert_eq!(refusal.code, "dialect_not_supported");
        }
        let mut same = translated(GEMINI, GEMINI, &body);
        same["model"] = body["model"].clone();
        let expected = if body["contents"][0].get("role").is_none() {
            same["contents"].clone()
        } else {
            body["contents"].clone()
        };
        assert_eq!(same["contents"], expected, "{path}");
    }
}

#[test]
fn what_google_would_refuse_is_refused_by_its_path_in_the_clients_spelling() {
    let config = |config: Value| with("generation_config", config);
    let said = |content: Value| body(&json!([content]));
    for (body, path) in [
        (json!({"model": "m"}), "contents"),
        (body(&json!([])), "contents"),
        (json!({"contents": []}), "model"),
        (
            said(json!({"role": "system", "parts": []})),
            "contents.0.role",
        ),
        (
            said(json!({"parts": [{"text": 7}]})),
            "contents.0.parts.0.text",
        ),
        (said(json!({"parts": ["a"]})), "contents.0.parts.0"),
        (
            said(json!({"parts": [{"inline_data": {}}]})),
            "contents.0.parts.0.inline_data.data",
        ),
        (
            said(json!({"role": "model", "parts": [{"function_call": {}}]})),
            "contents.0.parts.0.function_call.name",
        ),
        (
            config(json!({"max_output_tokens": 0})),
            "generation_config.max_output_tokens",
        ),
        (config(json!({"topK": "a"})), "generation_config.topK"),
        (
            config(json!({"thinkingConfig": {"thinking_level": "LOUD"}})),
            "generation_config.thinkingConfig.thinking_level",
        ),
        (
            config(json!({"thinking_config": {"thinkingLevel": "LOW", "thinkingBudget": 1}})),
            "generation_config.thinking_config",
        ),
        (
            with("tools", json!([{"functionDeclarations": [{}]}])),
            "tools.0.functionDeclarations.0.name",
        ),
        (
            with(
                "toolConfig",
                json!({"functionCallingConfig": {"mode": "SOME"}}),
            ),
            "toolConfig.functionCallingConfig.mode",
        ),
    ] {
        let refusal = decoded(GEMINI, &body).unwrap_err();
        assert_eq!(refusal.param.as_deref(), Some(path), "{body}");
    }
}

#[test]
fn what_makes_the_answer_worse_is_told_and_what_does_not_is_not() {
    let mut body = asking();
    body["safetySettings"] = json!([{"category": "C", "threshold": "BLOCK_LOW_AND_ABOVE"}]);
    body["generationConfig"] = json!({"mediaResolution": "LOW", "somethingNew": 1});
    body["tools"] = json!([{"functionDeclarations": [{"name": "f"}], "urlContext": {}}]);
    body["toolConfig"] = json!({"functionCallingConfig": {"mode": "VALIDATED"},
        "retrievalConfig": {}});
    body["labels"] = json!({"a": "b"});
    body["serviceTier"] = "flex".into();
    let (chat, encoded) = to_chat(&body);
    let expected = [
        "generationConfig.mediaResolution",
        "tools.0.urlContext",
        "toolConfig.retrievalConfig",
        "toolConfig.functionCallingConfig.mode",
        "safetySettings",
    ];
    assert_eq!(encoded.losses.degraded, expected);
    let quiet = ["generationConfig.somethingNew", "labels", "serviceTier"];
    assert_eq!(encoded.losses.quiet, quiet);
    assert_eq!(chat["tool_choice"], "auto");
    for nothing in [json!([]), json!([{"category": "C", "threshold": "OFF"}])] {
        let (_, encoded) = to_chat(&with("safetySettings", nothing));
        assert!(encoded.losses.degraded.is_empty(), "{:?}", encoded.losses);
    }
}

#[test]
fn efforts_are_words_whether_they_were_levels_or_budgets() {
    for (thinking, word) in [
        (json!({"thinkingLevel": "MINIMAL"}), json!("minimal")),
        (json!({"thinkingLevel": "high"}), json!("high")),
        (json!({"thinkingBudget": 0}), json!("none")),
        (json!({"thinkingBudget": "8192"}), json!("medium")),
        (json!({"thinkingBudget": -1}), Value::Null),
        (json!({"includeThoughts": false}), Value::Null),
    ] {
        let (chat, _) = to_chat(&with(
            "generationConfig",
            json!({ "thinkingConfig": thinking }),
        ));
        assert_eq!(chat["reasoning_effort"], word, "{thinking}");
    }
}

#[test]
fn texts_and_sounds_that_stand_in_the_request_are_carried() {
    let blob = |kind: &str, data: &str| {
        json!({"inlineData": {"mimeType": kind, "data": data,
        "displayName": "d"}})
    };
    let parts = json!([
        blob("text/csv", "YSxi"),
        blob("audio/wav", "aGk="),
        blob("application/pdf", "aGk=")
    ]);
    let (chat, _) = to_chat(&body(&json!([{ "parts": parts }])));
    let content = &chat["messages"][0]["content"];
    assert_eq!(
        content[0]["text"],
        "<document title=\"d\">\na,b\n</document>"
    );
    assert_eq!(
        content[1]["input_audio"],
        json!({"data": "aGk=", "format": "wav"})
    );
    assert_eq!(content[2]["file"]["filename"], "d");
}

#[test]
fn what_a_provided_tool_did_is_kept_as_its_text() {
    let parts = json!([{"executableCode": {"code": "1+1"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "2"}}, {"text": "So 2."}]);
    let turns = json!([{"parts": [{"text": "a"}]}, {"role": "model", "parts": parts}]);
    let (chat, encoded) = to_chat(&body(&turns));
    let said = &chat["messages"][1]["content"];
    assert_eq!(said[0]["text"], "2");
    assert_eq!(said[1]["text"], "So 2.");
    assert_eq!(
        encoded.losses.degraded,
        ["contents.1.parts.0", "contents.1.parts.1"]
    );
    assert_eq!(
        translated(GEMINI, GEMINI, &body(&turns))["contents"][1]["parts"],
        parts
    );
}

#[test]
fn a_counters_request_is_read_and_written() {
    let inner = with("systemInstruction", json!({"parts": [{"text": "s"}]}));
    let request = decoded(GEMINI, &json!({"generateContentRequest": inner})).unwrap();
    assert_eq!(request.messages().len(), 2);
    let count = codec(GEMINI)
        .encode_count(&request, &target())
        .unwrap()
        .unwrap();
    assert_eq!(count.path, "/v1beta/models/m:countTokens");
    let body = json_of(&count);
    let inner = &body["generateContentRequest"];
    assert_eq!(inner["model"], "models/m");
    assert_eq!(inner["systemInstruction"]["parts"][0]["text"], "s");
    let odd = json!({"generateContentRequest": {"model": "m", "contents": 7}});
    let refusal = decoded(GEMINI, &odd).unwrap_err();
    assert_eq!(
        refusal.param.as_deref(),
        Some("generateContentRequest.contents")
    );
}

proptest! {
    /// Whatever the ids are, calls and results agree, and there are as many of them.
    #[test]
    fn every_call_has_its_result_in_every_dialect(
        ids in prop::collection::hash_set("[a-c.:é]{0,70}", 1..5), is_reversed: bool,
    ) {
        let call = |id: &String| json!({"functionCall": {"id": id, "name": "f", "args": {}}});
        let result = |id: &String| json!({"functionResponse": {"id": id, "name": "f",
            "response": {"output": id}}});
        let mut results: Vec<Value> = ids.iter().map(result).collect();
        if is_reversed {
            results.reverse();
        }
        let calls: Vec<Value> = ids.iter().map(call).collect();
        let turns = json!([{"parts": [{"text": "a"}]}, {"role": "model", "parts": calls},
            {"role": "user", "parts": results}]);
        let (chat, _) = to_chat(&body(&turns));
        let messages = chat["messages"].as_array().unwrap();
        let calls = messages[1]["tool_calls"].as_array().unwrap();
        prop_assert_eq!(calls.len() + 2, messages.len());
        for (call, result) in calls.iter().zip(&messages[2..]) {
            let id = call["id"].as_str().unwrap();
            prop_assert!((1..=64).contains(&id.len()));
            prop_assert_eq!(id, result["tool_call_id"].as_str().unwrap());
        }
        let anthropic = translated(GEMINI, Dialect::Anthropic, &body(&turns));
        let turns = anthropic["messages"].as_array().unwrap();
        prop_assert_eq!(turns.len(), 3);
        prop_assert_eq!(turns[2]["content"].as_array().unwrap().len(), calls.len());
    }

    #[test]
    fn no_body_makes_the_reader_panic(
        head in prop::sample::select(vec!["", "{\"contents\":", "{\"contents\":[{\"parts\":"]),
        tail in "[\\[\\]{}\",:a-z0-9]{0,40}",
    ) {
        let body = format!("{head}{tail}");
        let route = Route { model: Some("m"), ..Route::default() };
        if let Ok(request) = codec(GEMINI).decode_request(body.as_bytes(), &route) {
            for to in Dialect::ALL {
                drop(codec(to).encode_request(&request, &target()));
            }
        }
    }
}
