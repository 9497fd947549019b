//! What the version of the client's API, its features in trial and its steps come to.

use hone_dialects::{Dialect, Encoded, Route, codec};
use hone_strategies::chat::ChatRequest;
use serde_json::{Value, json};

use crate::support::{decoded, encoded, json_of, translated};

const ANTHROPIC: Dialect = Dialect::Anthropic;

fn body() -> Value {
    json!({"model": "m", "max_tokens": 9, "temperature": 0.5,
        "messages": [{"role": "user", "content": "q"}]})
}

fn asked(version: &str) -> ChatRequest {
    let route = Route {
        version: Some(version),
        beta: Some("a-1, b-2"),
        ..Route::default()
    };
    let body = body().to_string();
    codec(ANTHROPIC)
        .decode_request(body.as_bytes(), &route)
        .unwrap()
}

#[test]
fn a_clients_version_and_trials_go_to_anthropic_word_for_word_and_to_nobody_else() {
    let request = asked("2026-10-21");
    let headers = encoded(ANTHROPIC, &request).headers;
    let told = [
        ("anthropic-version", "2026-10-21".to_owned()),
        ("anthropic-beta", "a-1, b-2".to_owned()),
    ];
    assert_eq!(headers, told);
    assert!(encoded(Dialect::OpenAiChat, &request).headers.is_empty());
}

#[test]
fn a_newer_version_gets_the_clients_sampling_and_none_of_a_strategys() {
    let sent = |version: &str, changed: &[(&str, f64)]| {
        let mut request = asked(version);
        for (name, value) in changed {
            request.set(name, *value);
        }
        let Encoded { body, losses, .. } = encoded(ANTHROPIC, &request);
        let body: Value = serde_json::from_slice(&body).unwrap();
        (
            body["temperature"].clone(),
            body["top_p"].clone(),
            losses.degraded,
        )
    };
    let own = sent("2026-10-21", &[]);
    assert_eq!(own, (json!(0.5), Value::Null, vec![]));
    let changed = sent("2026-10-21", &[("temperature", 0.9), ("top_p", 0.1)]);
    let lost = vec!["temperature".to_owned(), "top_p".to_owned()];
    assert_eq!(changed, (json!(0.5), Value::Null, lost));
    let older = sent("2023-06-01", &[("temperature", 0.9), ("top_p", 0.1)]);
    assert_eq!(older, (json!(0.9), json!(0.1), vec![]));
}

#[test]
fn tools_that_the_conversation_changes_are_those_in_force_at_its_end() {
    let reference = |name: &str| json!({"type": "tool_reference", "name": name});
    let tool = |name: &str| json!({"name": name, "input_schema": {"type": "object"}});
    let put_in = json!({"type": "tool_definition", "definition": tool("d")});
    let changes = json!([
        {"type": "tool_removal", "tool": reference("a")},
        {"type": "tool_removal", "tool": reference("b")},
        {"type": "tool_addition", "tool": reference("b")},
        {"type": "tool_addition", "tool": put_in},
    ]);
    let body = json!({"model": "m", "max_tokens": 9, "tools": [tool("a"), tool("b"), tool("c")],
        "messages": [{"role": "user", "content": "q"}, {"role": "system", "content": changes}]});
    let chat = translated(ANTHROPIC, Dialect::OpenAiChat, &body);
    let names: Vec<_> = chat["tools"].as_array().unwrap().iter().collect();
    let names: Vec<_> = names.iter().map(|tool| &tool["function"]["name"]).collect();
    assert_eq!(names, ["b", "c", "d"]);
    assert_eq!(chat["messages"], json!([{"role": "user", "content": "q"}]));
    let own = json_of(&encoded(ANTHROPIC, &decoded(ANTHROPIC, &body).unwrap()));
    assert_eq!(own["tools"], body["tools"]);
    assert_eq!(own["messages"], body["messages"]);
}
