//! Chat's custom tools, which take a text: native in Responses, functions elsewhere, and the
//! client's own tools again in answers.

use hone_dialects::{Dialect, Ending, ErrorReply, Event, Frame, codec};
use hone_strategies::chat::Delta;
use serde_json::{Value, json};

use crate::support::{collected, decoded, encoded, frame, json_of, source, target};

const CHAT: Dialect = Dialect::OpenAiChat;
const OTHERS: [Dialect; 2] = [Dialect::Anthropic, Dialect::Gemini];

/// A chat client's request that has called a custom tool.
fn body() -> Value {
    let format =
        json!({"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: A"}});
    json!({"model": "m",
        "tools": [{"type": "custom", "custom": {"name": "patch", "description": "Edits.",
                "format": format}},
            {"type": "function", "function": {"name": "f", "parameters": {"type": "object",
                "properties": {"a": {"type": "integer"}}}}}],
        "tool_choice": {"type": "custom", "custom": {"name": "patch"}},
        "messages": [{"role": "user", "content": "q"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": "c", "type": "custom", "custom": {"name": "patch", "input": "*** Add\n"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "Done."}]})
}

/// A frame for the client that has sent [`body`].
fn asked() -> Frame {
    Frame {
        request: decoded(CHAT, &body()).unwrap(),
        ..frame(CHAT)
    }
}

#[test]
fn a_custom_tool_is_not_dropped_but_a_function_of_one_text_with_its_calls_and_choice() {
    let parameters = json!({"type": "object", "properties": {"input": {"type": "string"}},
        "required": ["input"], "additionalProperties": false});
    let described = "Edits.\n\nThe input must match this lark grammar:\nstart: A";
    let request = decoded(CHAT, &body()).unwrap();
    let sent = encoded(Dialect::Anthropic, &request);
    assert_eq!(sent.losses.degraded, ["tools[0].custom.format"]);
    let found = json_of(&sent);
    assert_eq!(
        found["tools"][0],
        json!({"name": "patch", "description": described, "input_schema": parameters})
    );
    assert_eq!(found["tools"][1]["name"], "f");
    assert_eq!(
        found["tool_choice"],
        json!({"type": "tool", "name": "patch"})
    );
    let call = json!({"type": "tool_use", "id": "c", "name": "patch",
        "input": {"input": "*** Add\n"}});
    assert_eq!(found["messages"][1]["content"], json!([call]));
    let sent = encoded(Dialect::Gemini, &request);
    assert_eq!(sent.losses.degraded[0], "tools[0].custom.format");
    let found = json_of(&sent);
    assert_eq!(
        found["tools"][0]["functionDeclarations"][0],
        json!({"name": "patch", "description": described, "parametersJsonSchema": parameters})
    );
    let config = json!({"mode": "ANY", "allowedFunctionNames": ["patch"]});
    assert_eq!(found["toolConfig"]["functionCallingConfig"], config);
    let parts = &found["contents"][1]["parts"];
    let call = json!({"name": "patch", "args": {"input": "*** Add\n"}});
    assert_eq!(parts[0]["functionCall"], call);
    assert_eq!(
        found["contents"][2]["parts"][0]["functionResponse"]["name"],
        "patch"
    );
}

#[test]
fn a_custom_tool_is_native_in_responses() {
    let found = json_of(&encoded(
        Dialect::OpenAiResponses,
        &decoded(CHAT, &body()).unwrap(),
    ));
    let format = json!({"type": "grammar", "syntax": "lark", "definition": "start: A"});
    assert_eq!(
        found["tools"][0],
        json!({"type": "custom", "name": "patch", "description": "Edits.", "format": format})
    );
    assert_eq!(
        found["tool_choice"],
        json!({"type": "custom", "name": "patch"})
    );
    assert_eq!(found["input"][1]["type"], "custom_tool_call");
    assert_eq!(found["input"][1]["input"], "*** Add\n");
    assert_eq!(found["input"][2]["type"], "custom_tool_call_output");
}

#[test]
fn a_custom_tool_stays_as_it_is_in_chat() {
    let found = encoded(CHAT, &decoded(CHAT, &body()).unwrap());
    assert_eq!(json_of(&found), body());
}

/// Answers of upstreams that call the custom tool and a function.
fn answer(upstream: Dialect) -> Value {
    match upstream {
        Dialect::Anthropic => json!({"id": "msg_1", "type": "message", "role": "assistant",
            "model": "m", "stop_reason": "tool_use",
            "usage": {"input_tokens": 1, "output_tokens": 1},
            "content": [
                {"type": "tool_use", "id": "a", "name": "patch", "input": {"input": "x\ny"}},
                {"type": "tool_use", "id": "b", "name": "f", "input": {"input": "z"}}]}),
        Dialect::Gemini => json!({"candidates": [{"finishReason": "STOP", "content": {"parts": [
            {"functionCall": {"id": "a", "name": "patch", "args": {"input": "x\ny"}}},
            {"functionCall": {"id": "b", "name": "f", "args": {"input": "z"}}}]}}]}),
        Dialect::OpenAiResponses => json!({"id": "resp_1", "object": "response",
            "status": "completed", "output": [
                {"type": "custom_tool_call", "id": "ctc_1", "call_id": "a", "name": "patch",
                    "input": "x\ny"},
                {"type": "function_call", "id": "fc_1", "call_id": "b", "name": "f",
                    "arguments": "{\"input\":\"z\"}"}]}),
        CHAT => panic!("chat has them itself"),
    }
}

/// What the client is to get of them.
fn wanted() -> Value {
    let arguments = "{\"input\":\"z\"}";
    json!([{"id": "a", "type": "custom", "custom": {"name": "patch", "input": "x\ny"}},
        {"id": "b", "type": "function", "function": {"name": "f", "arguments": arguments}}])
}

#[test]
fn a_call_comes_back_as_the_clients_own_tool() {
    for upstream in [
        Dialect::Anthropic,
        Dialect::Gemini,
        Dialect::OpenAiResponses,
    ] {
        let body = answer(upstream).to_string();
        let answer = codec(upstream).decode_answer(body.as_bytes(), &source());
        let written = codec(CHAT).encode_answer(&answer.unwrap(), &asked());
        let written: Value = serde_json::from_str(&written).unwrap();
        let calls = &written["choices"][0]["message"]["tool_calls"];
        assert_eq!(*calls, wanted(), "{}", upstream.name());
    }
}

/// What a client gets of these deltas, put together by a chat decoder.
fn streamed(deltas: &[Delta]) -> Value {
    let mut encoder = codec(CHAT).stream_encoder(asked());
    let mut text = encoder.begin();
    for delta in deltas {
        text.push_str(&encoder.delta(0, delta));
    }
    text.push_str(&encoder.end(&Ending::default()));
    let events = crate::support::events(CHAT, [text.as_bytes()]);
    assert!(
        !events.iter().any(|event| matches!(event, Event::Failed(_))),
        "{text}"
    );
    let answer = collected(events).unwrap();
    let calls = answer.choices[0].message.tool_calls().cloned();
    calls.unwrap_or_default()
}

fn piece(index: u32, id: &str, name: &str, arguments: &str) -> Delta {
    let mut call = json!({"index": index, "function": {"arguments": arguments}});
    if !id.is_empty() {
        call["id"] = id.into();
        call["type"] = "function".into();
        call["function"]["name"] = name.into();
    }
    Delta::field("tool_calls", json!([call]))
}

#[test]
fn a_streamed_call_comes_back_as_the_clients_own_tool_when_it_is_whole() {
    let deltas = [
        Delta::content("a"),
        piece(0, "a", "patch", ""),
        piece(0, "", "", "{\"input\":\"x"),
        piece(1, "b", "f", "{\"input\":"),
        piece(0, "", "", "\\ny\"}"),
        piece(1, "", "", "\"z\"}"),
        Delta::finish("tool_calls"),
    ];
    let mut found = streamed(&deltas);
    let calls = found.as_array_mut().unwrap();
    for call in calls.iter_mut() {
        call.as_object_mut().unwrap().shift_remove("index");
    }
    let mut wanted = wanted();
    calls.sort_by_key(|call| call["id"].to_string());
    assert_eq!(found, wanted.take());
}

#[test]
fn a_call_that_is_too_large_to_wait_ends_the_stream_with_an_error() {
    let mut frame = asked();
    frame.max_held_bytes = 1000;
    let mut encoder = codec(CHAT).stream_encoder(frame);
    let mut text = encoder.delta(0, &piece(0, "a", "patch", "{\"input\":\""));
    assert_eq!(text, "");
    for _ in 0..100 {
        text.push_str(&encoder.delta(0, &piece(0, "", "", &"x".repeat(20))));
    }
    assert!(text.contains("\"error\""), "{text}");
    assert_eq!(encoder.end(&Ending::default()), "");
    assert_eq!(encoder.fail(&ErrorReply::truncated()), "");
}

#[test]
fn a_custom_tool_of_another_names_fits_everywhere() {
    let mut body = body();
    body["tools"][0]["custom"]["name"] = "pat.ch".into();
    body["tool_choice"] = "auto".into();
    body["messages"][1]["tool_calls"][0]["custom"]["name"] = "pat.ch".into();
    for upstream in OTHERS {
        let request = decoded(CHAT, &body).unwrap();
        let sent = codec(upstream).encode_request(&request, &target()).unwrap();
        let text = String::from_utf8(sent.body.clone()).unwrap();
        assert!(!text.contains("pat.ch"), "{text}");
        let there = sent.names.there("pat.ch").into_owned();
        assert!(text.matches(&format!("\"{there}\"")).count() >= 2);
    }
}
