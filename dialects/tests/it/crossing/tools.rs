//! Tools that only some provider has, on their way to another one.

use hone_dialects::Dialect;
use serde_json::{Value, json};

use crate::support::{decoded, encoded, json_of};

const ANTHROPIC: Dialect = Dialect::Anthropic;
const CHAT: Dialect = Dialect::OpenAiChat;
const GEMINI: Dialect = Dialect::Gemini;
const RESPONSES: Dialect = Dialect::OpenAiResponses;

/// A client's request with a function and with the search that its provider runs.
fn searching(client: Dialect) -> Value {
    let messages = json!([{"role": "user", "content": "q"}]);
    match client {
        ANTHROPIC => json!({"model": "m", "max_tokens": 99, "messages": messages, "tools": [
            {"name": "f", "input_schema": {"type": "object"}},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]}),
        CHAT => json!({"model": "m", "messages": messages, "web_search_options": {},
            "tools": [{"type": "function", "function": {"name": "f"}}]}),
        GEMINI => json!({"model": "m", "contents": [{"role": "user", "parts": [{"text": "q"}]}],
            "tools": [{"functionDeclarations": [{"name": "f"}]}, {"googleSearch": {}}]}),
        RESPONSES => json!({"model": "m", "input": "q", "tools": [
            {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false},
            {"type": "web_search", "external_web_access": false}]}),
    }
}

/// The names of all tools that an upstream gets; null for what has none.
fn names(upstream: Dialect, body: &Value) -> Vec<Value> {
    let tools = body["tools"].as_array().unwrap().iter();
    match upstream {
        ANTHROPIC | RESPONSES => tools.map(|tool| tool["name"].clone()).collect(),
        CHAT => tools.map(|tool| tool["function"]["name"].clone()).collect(),
        GEMINI => {
            let declared = tools.map(|tool| tool["functionDeclarations"].as_array().unwrap());
            declared
                .flatten()
                .map(|tool| tool["name"].clone())
                .collect()
        }
    }
}

#[test]
fn a_search_that_a_provider_runs_reaches_no_other_as_a_function_without_a_name() {
    for client in Dialect::ALL {
        let request = decoded(client, &searching(client)).unwrap();
        for upstream in Dialect::ALL.into_iter().filter(|other| *other != client) {
            let found = encoded(upstream, &request);
            let body = json_of(&found);
            let case = format!("{client:?} to {upstream:?}: {body}");
            assert_eq!(names(upstream, &body), ["f"], "{case}");
            assert!(
                !body.to_string().to_lowercase().contains("search"),
                "{case}"
            );
            assert_eq!(found.losses.degraded.len(), 1, "{case}: {:?}", found.losses);
        }
    }
}
