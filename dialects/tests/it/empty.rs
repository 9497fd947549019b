//! What clients have written wrong, and would be an empty request: refused by its path.

use hone_dialects::{Dialect, ErrorReply, Refusal, Route, codec, tables};
use serde_json::{Value, json};

use crate::support::target;

fn decoded(dialect: Dialect, body: &Value) -> Result<(), Refusal> {
    let route = Route {
        model: Some("m"),
        ..Route::default()
    };
    let request = codec(dialect).decode_request(body.to_string().as_bytes(), &route)?;
    drop(request);
    Ok(())
}

/// The path of what is refused.
fn at(dialect: Dialect, body: &Value) -> Option<String> {
    let refusal = decoded(dialect, body).err()?;
    assert_eq!(refusal.code, "invalid_value", "{refusal:?}");
    refusal.param
}

fn anthropic(messages: &Value) -> Option<String> {
    let body = json!({"model": "m", "max_tokens": 5, "messages": messages});
    at(Dialect::Anthropic, &body)
}

fn google(role: &str, part: &Value) -> Option<String> {
    let turn = json!({"role": role, "parts": [part]});
    let user = json!({"role": "user", "parts": [{"text": "q"}]});
    at(Dialect::Gemini, &json!({"contents": [user, turn]}))
}

#[test]
fn anthropics_texts_are_strings() {
    for block in [json!({"type": "text", "text": 5}), json!({"type": "text"})] {
        for role in ["user", "assistant"] {
            let messages = json!([{"role": role, "content": [block]}]);
            let expected = Some("messages.0.content.0.text".to_owned());
            assert_eq!(anthropic(&messages), expected, "{messages}");
        }
        let body = json!({"model": "m", "max_tokens": 5, "system": [block],
            "messages": [{"role": "user", "content": "q"}]});
        let expected = Some("system.0.text".to_owned());
        assert_eq!(at(Dialect::Anthropic, &body), expected);
    }
}

#[test]
fn anthropics_messages_say_something() {
    let user = json!({"role": "user", "content": "q"});
    for role in ["user", "assistant"] {
        let empty = json!({"role": role, "content": []});
        let expected = Some("messages.0.content".to_owned());
        assert_eq!(anthropic(&json!([empty, user])), expected, "{role}");
    }
    let last = json!({"role": "assistant", "content": []});
    assert_eq!(anthropic(&json!([user, last])), None);
}

#[test]
fn texts_of_responses_are_strings() {
    for part in [
        json!({"type": "input_text", "text": 5}),
        json!({"type": "input_text", "text": {"a": 1}}),
        json!({"type": "input_text"}),
    ] {
        let body = json!({"model": "m", "input": [{"role": "user", "content": [part]}]});
        let expected = Some("input.0.content.0.text".to_owned());
        assert_eq!(at(Dialect::OpenAiResponses, &body), expected, "{part}");
    }
}

#[test]
fn a_part_of_googles_holds_one_thing() {
    let image = json!({"mimeType": "image/png", "data": "AAAA"});
    let call = json!({"name": "f", "args": {}});
    let expected = Some("contents.1.parts.0".to_owned());
    for role in ["user", "model"] {
        for part in [json!({}), json!({"text": "a", "inline_data": image})] {
            assert_eq!(google(role, &part), expected, "{role} {part}");
        }
        assert_eq!(
            google(role, &json!({"text": "a", "inlineData": null})),
            None
        );
    }
    let both = json!({"text": "a", "functionCall": call});
    assert_eq!(google("model", &both), expected);
    let both = json!({"functionCall": call, "functionResponse": {"name": "f"}});
    assert_eq!(google("model", &both), expected);
}

#[test]
fn what_only_the_clients_provider_can_read_is_named_by_its_path() {
    for kind in ["image", "document"] {
        let block = json!({"type": kind, "source": {"type": "file", "file_id": "file_1"}});
        let body = json!({"model": "m", "max_tokens": 5,
            "messages": [{"role": "user", "content": [block]}]});
        let body = body.to_string();
        let request = codec(Dialect::Anthropic).decode_request(body.as_bytes(), &Route::default());
        let refusal = codec(Dialect::OpenAiChat).encode_request(&request.unwrap(), &target());
        let error = ErrorReply::from(refusal.unwrap_err());
        let told = tables::errors::anthropic(&error);
        assert_eq!(
            told["error"]["param"], "messages.0.content.0.source",
            "{told}"
        );
    }
}
