//! What Codex sends.

use hone_dialects::{Dialect, codec};
use serde_json::{Value, json};

use crate::support::{decoded, encoded, json_of, target};

const OWN: Dialect = Dialect::OpenAiResponses;

const PATCH: &str = "start: begin_patch hunk+ end_patch\nbegin_patch: \"*** Begin Patch\" LF";

fn tools() -> Value {
    let schema = json!({"type": "object", "properties": {"command": {"type": "array",
        "items": {"type": "string"}}}, "required": ["command"], "additionalProperties": false});
    json!([
        {"type": "function", "name": "shell", "description": "Runs a command.",
            "strict": false, "parameters": schema},
        {"type": "namespace", "name": "mcp__docs", "description": "Docs", "tools": [
            {"type": "function", "name": "search", "description": "", "strict": false,
                "parameters": {"type": "object", "properties": {}}}]},
        {"type": "custom", "name": "apply_patch", "description": "Edits files.",
            "format": {"type": "grammar", "syntax": "lark", "definition": PATCH}},
        {"type": "web_search", "external_web_access": false}
    ])
}

/// A second turn, after an edit.
fn request() -> Value {
    let developer = "<permissions>read only</permissions>";
    let environment = "<environment_context><cwd>/tmp</cwd></environment_context>";
    json!({
        "model": "gpt", "instructions": "You are a coding agent.",
        "input": [
            {"type": "message", "role": "developer", "id": "msg_a",
                "content": [{"type": "input_text", "text": developer}]},
            {"type": "message", "role": "user",
                "content": [{"type": "input_text", "text": environment}]},
            {"type": "message", "role": "user",
                "content": [{"type": "input_text", "text": "Fix it."}]},
            {"type": "reasoning", "id": "rs_a", "summary": [], "encrypted_content": "gAAAA"},
            {"type": "function_call", "id": "fc_a", "name": "shell", "call_id": "call_a",
                "arguments": "{\"command\":[\"ls\"]}"},
            {"type": "function_call_output", "call_id": "call_a", "output": "a.rs"},
            {"type": "custom_tool_call", "id": "ctc_a", "status": "completed",
                "call_id": "call_b", "name": "apply_patch", "input": "*** Begin Patch\n"},
            {"type": "custom_tool_call_output", "call_id": "call_b", "output": "Done."}
        ],
        "tools": tools(), "tool_choice": "auto", "parallel_tool_calls": false,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": false, "stream": true, "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0198", "text": {"verbosity": "medium"},
        "client_metadata": {"x-codex-installation-id": "1"}
    })
}

#[test]
fn codex_gets_an_answer_from_every_upstream() {
    let request = decoded(OWN, &request()).unwrap();
    assert!(request.stream());
    for dialect in Dialect::ALL {
        let encoded = codec(dialect).encode_request(&request, &target());
        assert!(encoded.is_ok(), "{dialect:?}: {encoded:?}");
    }
}

#[test]
fn codexs_patch_tool_is_a_function_with_its_grammar_for_a_chat_upstream() {
    let encoded = encoded(Dialect::OpenAiChat, &decoded(OWN, &request()).unwrap());
    let chat = json_of(&encoded);
    let names: Vec<_> = chat["tools"].as_array().unwrap().iter().collect();
    let names: Vec<_> = names
        .iter()
        .map(|tool| tool["function"]["name"].clone())
        .collect();
    assert_eq!(names, ["shell", "mcp__docs__search", "apply_patch"]);
    let patch = &chat["tools"][2]["function"];
    assert_eq!(patch["parameters"]["required"], json!(["input"]));
    assert!(patch["description"].as_str().unwrap().contains(PATCH));
    assert_eq!(encoded.losses.degraded, ["tools.2.format", "tools.3"]);
    let roles: Vec<_> = chat["messages"].as_array().unwrap().iter().collect();
    let roles: Vec<_> = roles
        .iter()
        .map(|message| message["role"].clone())
        .collect();
    let wanted = [
        "system",
        "system",
        "user",
        "user",
        "assistant",
        "tool",
        "assistant",
        "tool",
    ];
    assert_eq!(roles, wanted);
    let edit = &chat["messages"][6]["tool_calls"][0]["function"];
    assert_eq!(edit["arguments"], r#"{"input":"*** Begin Patch\n"}"#);
    assert_eq!(chat["messages"][7]["content"], "Done.");
}

#[test]
fn codexs_patch_tool_is_dropped_on_the_way_to_no_upstream() {
    let request = decoded(OWN, &request()).unwrap();
    for upstream in Dialect::ALL {
        let body = json_of(&encoded(upstream, &request)).to_string();
        // As a tool, and in the call that was made of it.
        assert!(
            body.matches(r#""name":"apply_patch""#).count() >= 2,
            "{upstream:?}: {body}"
        );
        let edit = r"*** Begin Patch\n";
        let edit = if upstream == Dialect::OpenAiChat {
            r"*** Begin Patch\\n"
        } else {
            edit
        };
        assert!(body.contains(edit), "{upstream:?}: {body}");
        assert!(body.contains("Done."), "{upstream:?}: {body}");
        let grammar = json!(PATCH).to_string();
        assert!(
            body.contains(grammar.trim_matches('"')),
            "{upstream:?}: {body}"
        );
    }
}

#[test]
fn codex_loses_nothing_on_the_way_to_its_own_dialect() {
    let mut sent = request();
    sent["model"] = "m".into();
    let mut target = target();
    target.stream = true;
    let request = decoded(OWN, &sent).unwrap();
    let encoded = codec(OWN).encode_request(&request, &target).unwrap();
    // One text as a list of one is the same as the text.
    for at in [1, 2] {
        let text = sent["input"][at]["content"][0]["text"].take();
        sent["input"][at]["content"] = text;
    }
    assert_eq!(json_of(&encoded), sent);
}
