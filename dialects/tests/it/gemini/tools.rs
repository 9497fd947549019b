//! Calls, their results, and the tools of Google's clients.

use hone_dialects::Dialect;
use serde_json::{Value, json};

use super::requests::{body, to_chat, with};
use crate::support::{decoded, translated};

const GEMINI: Dialect = Dialect::Gemini;

/// Three calls and what comes after them.
fn three_calls(results: &Value) -> Value {
    body(&json!([
        {"role": "user", "parts": [{"text": "add"}]},
        {"role": "model", "parts": [{"text": "Now."},
            {"functionCall": {"name": "add", "args": {"x": 1}}},
            {"functionCall": {"name": "add", "args": {"x": 2}}},
            {"functionCall": {"name": "shot"}}]},
        {"role": "user", "parts": results},
    ]))
}

fn response(name: &str, response: &Value) -> Value {
    json!({"functionResponse": {"name": name, "response": response}})
}

#[test]
fn results_come_in_the_order_of_their_calls_and_a_failure_and_an_image_stay_what_they_are() {
    let shot = json!({"functionResponse": {"name": "shot", "response": {"output": "see"},
        "parts": [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]}});
    let results = json!([
        shot,
        {"text": "go"},
        response("add", &json!({"result": {"sum": 1}})),
        response("add", &json!({"error": "no"})),
    ]);
    let (chat, _) = to_chat(&three_calls(&results));
    let messages = chat["messages"].as_array().unwrap();
    let calls = messages[1]["tool_calls"].as_array().unwrap();
    for (call, result) in calls.iter().zip(&messages[2..5]) {
        assert_eq!(call["id"], result["tool_call_id"]);
        assert_eq!(result["role"], "tool");
    }
    let contents: Vec<_> = messages[2..5]
        .iter()
        .map(|result| &result["content"])
        .collect();
    assert_eq!(
        contents,
        [r#"{"result":{"sum":1}}"#, "Error: no", "see\n[image 1]"]
    );
    assert_eq!(messages[5]["content"][0]["type"], "image_url");
    assert_eq!(messages[5]["content"][1]["text"], "go");
}

#[test]
fn fewer_or_other_results_than_calls_are_refused_by_their_path() {
    let seven = json!({"output": "7"});
    for (results, path) in [
        (json!([response("add", &seven)]), "contents.2.parts"),
        (json!([{"text": "go"}]), "contents.2.parts"),
        (
            json!([response("add", &seven), response("sub", &seven)]),
            "contents.2.parts.1.functionResponse",
        ),
        (
            json!([response("shot", &seven), response("shot", &seven)]),
            "contents.2.parts.1.functionResponse",
        ),
    ] {
        let refusal = decoded(GEMINI, &three_calls(&results)).unwrap_err();
        assert_eq!(refusal.param.as_deref(), Some(path), "{}", refusal.message);
    }
    let orphan = body(&json!([{"role": "function", "parts": [response("f", &seven)]}]));
    let refusal = decoded(GEMINI, &orphan).unwrap_err();
    assert_eq!(
        refusal.param.as_deref(),
        Some("contents.0.parts.0.functionResponse")
    );
    let mut open = three_calls(&json!([]));
    open["contents"].as_array_mut().unwrap().pop();
    assert!(decoded(GEMINI, &open).is_ok(), "the last turn may call");
}

#[test]
fn results_that_come_in_several_contents_belong_to_one_step() {
    let seven = json!({"output": "7"});
    let mut split = three_calls(&json!([response("add", &seven)]));
    let contents = split["contents"].as_array_mut().unwrap();
    contents.push(json!({"role": "function", "parts": [response("add", &seven)]}));
    contents.push(json!({"role": "function", "parts": [response("shot", &seven)]}));
    let found = translated(GEMINI, GEMINI, &split);
    let contents = found["contents"].as_array().unwrap();
    assert_eq!(contents.len(), 3, "{found}");
    assert_eq!(contents[2]["parts"].as_array().unwrap().len(), 3);
}

#[test]
fn schemas_of_either_kind_become_json_schema() {
    let declared = json!([
        {"name": "f", "parameters": {"type": "OBJECT", "properties": {
            "a": {"type": "STRING", "nullable": true}, "b": {"type": "ARRAY", "minItems": "1"}}}},
        {"name": "g", "parametersJsonSchema": {"type": "OBJECT", "additionalProperties": false}},
        {"name": "h"},
    ]);
    let mut body = with("tools", json!([{ "functionDeclarations": declared }]));
    body["generationConfig"] = json!({"responseMimeType": "application/json",
        "responseJsonSchema": {"type": "OBJECT", "$defs": {"x": {"type": "STRING"}}}});
    let (chat, _) = to_chat(&body);
    let schema = |at: usize| &chat["tools"][at]["function"]["parameters"];
    let expected = json!({"type": "object", "properties": {"a": {"type": ["string", "null"]},
        "b": {"type": "array", "minItems": 1}}});
    assert_eq!(schema(0), &expected);
    assert_eq!(
        schema(1),
        &json!({"type": "object", "additionalProperties": false})
    );
    assert!(schema(2).is_null());
    let expected = json!({"type": "object", "$defs": {"x": {"type": "string"}}});
    assert_eq!(chat["response_format"]["json_schema"]["schema"], expected);
}

#[test]
fn the_choice_among_several_tools_leaves_the_others_out() {
    let declared = ["a", "b", "c"].map(|name| json!({ "name": name }));
    for (mode, names, choice, left) in [
        ("AUTO", json!([]), json!("auto"), 3),
        ("NONE", json!([]), json!("none"), 3),
        ("ANY", json!([]), json!("required"), 3),
        ("ANY", json!(["a", "c"]), json!("required"), 2),
        ("VALIDATED", json!(["b"]), json!("auto"), 1),
    ] {
        let mut body = with("tools", json!([{ "functionDeclarations": declared }]));
        body["toolConfig"] = json!({"functionCallingConfig": {"mode": mode,
            "allowedFunctionNames": names}});
        let (chat, _) = to_chat(&body);
        assert_eq!(chat["tool_choice"], choice, "{mode}");
        assert_eq!(chat["tools"].as_array().unwrap().len(), left, "{mode}");
        let same = translated(GEMINI, GEMINI, &body);
        assert_eq!(same["tools"], body["tools"], "{mode}");
        assert_eq!(same["toolConfig"], body["toolConfig"], "{mode}");
    }
}
