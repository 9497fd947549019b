//! Calls and results that do not agree: refused by their paths, in the client's spelling.

use hone_dialects::{Dialect, codec};
use serde_json::{Value, json};

use crate::support::{decoded, target};

/// The path of what is refused between a client and each upstream of another dialect.
fn refused(client: Dialect, body: &Value) -> Vec<Option<String>> {
    let others = Dialect::ALL.into_iter().filter(|other| *other != client);
    let path = |upstream| match decoded(client, body) {
        Err(refusal) => refusal.param,
        Ok(request) => {
            let encoded = codec(upstream).encode_request(&request, &target());
            encoded.err().and_then(|refusal| refusal.param)
        }
    };
    others.map(path).collect()
}

fn call(id: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}})
}

fn result(id: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": "r"})
}

#[test]
fn a_chat_history_with_an_open_call_or_an_orphan_result_is_refused_by_its_path() {
    let calls = json!({"role": "assistant", "content": null, "tool_calls": [call("c"), call("d")]});
    let user = json!({"role": "user", "content": "q"});
    for (messages, path) in [
        (json!([user, calls, user]), "messages[1].tool_calls[0]"),
        (
            json!([calls, result("c"), user]),
            "messages[0].tool_calls[1]",
        ),
        (json!([calls, result("c")]), "messages[0].tool_calls[1]"),
        (json!([calls, result("x")]), "messages[1].tool_call_id"),
        (json!([user, result("c")]), "messages[1].tool_call_id"),
    ] {
        let body = json!({"model": "m", "messages": messages});
        let expected = vec![Some(path.to_owned()); 3];
        assert_eq!(refused(Dialect::OpenAiChat, &body), expected, "{messages}");
    }
    let body = json!({"model": "m", "messages": [user, calls, result("d"), result("c"), user]});
    assert_eq!(refused(Dialect::OpenAiChat, &body), [None, None, None]);
}

#[test]
fn googles_clients_are_told_of_an_open_call_in_their_own_spelling() {
    let call = json!({"role": "model", "parts": [{"text": "a"},
        {"functionCall": {"name": "f", "args": {}}}]});
    let user = json!({"role": "user", "parts": [{"text": "q"}]});
    let orphan = json!({"role": "user", "parts": [
        {"functionResponse": {"name": "f", "response": {"output": "r"}}}]});
    let model = json!({"role": "model", "parts": [{"text": "b"}]});
    let nothing = json!({"role": "user", "parts": []});
    for (contents, path) in [
        (json!([user, call, user]), "contents.2.parts"),
        (json!([user, orphan]), "contents.1.parts.0.functionResponse"),
        (json!([user, call, model, user]), "contents.3.parts"),
        (
            json!([user, call, nothing, model, user]),
            "contents.1.parts.1.functionCall",
        ),
    ] {
        let body = json!({"model": "m", "contents": contents});
        let expected = vec![Some(path.to_owned()); 3];
        assert_eq!(refused(Dialect::Gemini, &body), expected, "{contents}");
    }
}

#[test]
fn other_clients_are_told_of_an_open_call_in_their_own_spelling() {
    let call = json!({"role": "assistant", "content": [
        {"type": "tool_use", "id": "c", "name": "f", "input": {}}]});
    let messages =
        json!([{"role": "user", "content": "q"}, call, {"role": "user", "content": "q"}]);
    let body = json!({"model": "m", "max_tokens": 9, "messages": messages});
    let expected = vec![Some("messages.2.content".to_owned()); 3];
    assert_eq!(refused(Dialect::Anthropic, &body), expected);
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let said = json!({"role": "user", "content": "q"});
    let body = json!({"model": "m", "input": [said, call, said]});
    let expected = vec![Some("input.1".to_owned()); 3];
    assert_eq!(refused(Dialect::OpenAiResponses, &body), expected);
    let result = json!({"type": "function_call_output", "call_id": "c", "output": "r"});
    let body = json!({"model": "m", "input": [said, result]});
    let expected = vec![Some("input.1.call_id".to_owned()); 3];
    assert_eq!(refused(Dialect::OpenAiResponses, &body), expected);
}
