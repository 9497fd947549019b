use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::endpoint::fields::{CHAT, EMBEDDINGS, RESPONSES, SPEECH};

fn served<'a>(listed: &'static [&'static str], named: &'a [String]) -> Served<'a> {
    Served { listed, named }
}

fn chat(body: &str) -> Checked {
    let named = ["top_n".to_owned()];
    check(Kind::Chat, served(CHAT, &named), body.as_bytes())
}

fn responses(body: &str) -> Checked {
    check(Kind::Responses, served(RESPONSES, &[]), body.as_bytes())
}

fn is_refused(checked: &Checked) -> bool {
    matches!(checked, Err(Refused::Field(_)))
}

#[test]
fn what_carries_its_content_itself_is_served() {
    let message = |content: Value| json!({"messages": [{"role": "user", "content": content}]});
    for body in [
        json!({"model": "m", "messages": [], "stream": true, "stream_options": {}, "top_k": 3}),
        json!({"optillm_approach": "bon", "best_of_n": 3, "decoding": "x", "top_n": 1}),
        json!({"unknown": null, "previous_response_id": null}),
        message(json!("hello")),
        message(json!([{"type": "text", "text": "a"}, "b"])),
        message(json!([{"type": "image_url", "image_url": {"url": "data:", "detail": "low"}}])),
        message(json!([{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}])),
        message(json!([{"type": "file", "file": {"file_data": "", "filename": "a"}}])),
        json!({"messages": [{"role": "assistant", "audio": null, "tool_calls": [{"id": "c",
            "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": "c", "content": "4"}]}),
        json!({"tools": [{"type": "function", "function": {"name": "f", "parameters":
            {"properties": {"file_id": {"type": "string"}}}}}, {"type": "custom"}]}),
        json!({"audio": {"voice": "alloy", "format": "wav"}}),
    ] {
        assert_eq!(chat(&body.to_string()), Ok(()), "{body}");
    }
    for body in [
        json!({"model": "m", "input": "x", "background": false, "store": false}),
        json!({"input": [{"role": "user", "content": "x"},
            {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant",
                "content": [{"type": "output_text", "text": "y", "annotations": []}]},
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
            {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": ""},
            {"type": "function_call_output", "call_id": "c", "output": "4"},
            {"type": "function_call_output", "call_id": "c", "output":
                [{"type": "input_image", "image_url": "data:"}]}]}),
        json!({"tools": [{"type": "function", "name": "f", "parameters": {}, "strict": true},
            {"type": "web_search", "filters": {}}]}),
        json!({"include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low"}}),
    ] {
        assert_eq!(responses(&body.to_string()), Ok(()), "{body}");
    }
}

#[test]
fn what_reaches_into_the_account_is_refused_in_responses() {
    for body in [
        json!({"previous_response_id": "r"}),
        json!({"conversation": "c"}),
        json!({"background": true}),
        json!({"prompt": {"id": "pmpt_1"}}),
        json!({"input": [{"type": "item_reference", "id": "msg_1"}]}),
        json!({"input": [{"id": "msg_1"}]}),
        json!({"input": {"type": "item_reference", "id": "msg_1"}}),
        json!({"input": [[{"type": "item_reference", "id": "msg_1"}]]}),
        json!({"input": [{"type": "reasoning", "id": "rs_1", "summary": []}]}),
        json!({"input": [{"type": "reasoning", "id": "rs_1", "content": []}]}),
        json!({"input": [{"type": "file_search_call", "id": "x", "content": ""}]}),
        json!({"input": [{"role": "user", "content": [{"type": "input_file", "file_id": "f"}]}]}),
        json!({"input": [{"role": "user", "content": [{"type": "input_image", "file_id": "f"}]}]}),
        json!({"input": [{"type": "function_call_output", "call_id": "c",
            "output": [{"type": "input_file", "file_id": "f"}]}]}),
        json!({"input": [{"type": "computer_call_output", "call_id": "c",
            "output": {"type": "computer_screenshot", "file_id": "f"}}]}),
        json!({"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}),
        json!({"tools": [{"type": "function", "vector_store_ids": ["vs_1"]}]}),
        json!({"tools": [{"type": "code_interpreter", "container": "cntr_1"}]}),
        json!({"tools": [{"type": "mcp", "connector_id": "c"}]}),
        json!({"tools": [{"name": "untyped"}]}),
        json!({"tools": [{"type": "image_generation"}]}),
        json!({"something_new": 1}),
    ] {
        assert!(is_refused(&responses(&body.to_string())), "{body}");
    }
}

#[test]
fn what_reaches_into_the_account_is_refused_in_chat() {
    for body in [
        json!({"messages": [{"role": "user", "content":
            [{"type": "file", "file": {"file_id": "f"}}]}]}),
        json!({"messages": [{"role": "assistant", "audio": {"id": "audio_1"}}]}),
        json!({"messages": [{"role": "user", "content": [{"type": "container_upload"}]}]}),
        json!({"audio": {"voice": {"id": "voice_1"}}}),
        json!({"tools": [{"type": "code_interpreter"}]}),
        json!({"vector_store_ids": ["vs_1"]}),
        json!({"prompt_id": "p"}),
    ] {
        assert!(is_refused(&chat(&body.to_string())), "{body}");
    }
    let speech = |body: &str| check(Kind::Other, served(SPEECH, &[]), body.as_bytes());
    assert!(is_refused(&speech(r#"{"voice": {"id": "voice_1"}}"#)));
    assert_eq!(speech(r#"{"voice": "alloy", "input": "x"}"#), Ok(()));
    let embeddings = |body: &str| {
        let served = served(EMBEDDINGS, &[]);
        check(Kind::Embeddings, served, body.as_bytes())
    };
    assert!(is_refused(&embeddings(r#"{"tools": []}"#)));
}

#[test]
fn a_value_of_another_type_is_refused() {
    let content = |part: Value| json!({"messages": [{"role": "user", "content": [part]}]});
    for body in [
        content(json!({"type": "file", "file": [{"file_id": "f"}]})),
        content(json!({"type": "file", "file": "file-abc"})),
        content(json!({"type": "text", "text": {"file_id": "f"}})),
        content(json!({"type": "image_url", "image_url": {"url": {"file_id": "f"}}})),
        content(json!({"type": "image_url", "image_url": "file-abc"})),
        content(json!({"type": "image_url", "image_url": "https://a.googleapis.com/v1/files/f"})),
        content(json!([{"file_id": "f"}])),
        json!({"messages": {"role": "user"}}),
        json!({"messages": "x"}),
        json!({"messages": [["x"]]}),
        json!({"messages": [{"role": "assistant", "tool_calls": [{"file_id": "f"}]}]}),
        json!({"messages": [{"role": "assistant", "reasoning_details": [{"id": "rs_1"}]}]}),
        json!({"messages": [{"role": "assistant", "extra_content": {"file_id": "f"}}]}),
        json!({"messages": [{"role": {"file_id": "f"}}]}),
        json!({"prediction": {"content": {"file_id": "f"}}}),
        json!({"response_format": {"type": "x", "file_id": "f"}}),
        json!({"temperature": {"file_id": "f"}}),
        json!({"user": ["x"]}),
        json!({"stream_options": {"conversation": "c"}}),
        json!({"web_search_options": {"vector_store_ids": ["vs"]}}),
        json!({"tools": [{"type": "function", "function": {"vector_store_ids": ["vs"]}}]}),
        json!({"functions": [{"container": "c"}]}),
        json!({"tool_choice": {"type": "function", "function": {"file_id": "f"}}}),
    ] {
        assert!(is_refused(&chat(&body.to_string())), "{body}");
    }
    for body in [
        json!({"tool_choice": {"type": "file_search", "vector_store_ids": ["vs_1"]}}),
        json!({"tool_choice": {"type": "allowed_tools", "tools": [{"type": "mcp"}]}}),
        json!({"tools": [{"type": "function", "filters": {"vector_store_ids": ["vs"]}}]}),
        json!({"tools": ["file_search"]}),
        json!({"text": {"format": {"prompt": {"id": "p"}}}}),
        json!({"reasoning": {"id": "rs_1"}}),
        json!({"input": [{"type": "message", "role": "user", "content": [{"type": "input_file",
            "file_url": "https://api.openai.com/v1/files/file-abc/content"}]}]}),
        json!({"input": [{"type": "web_search_call", "id": "ws_1", "action":
            {"query": "x", "file_id": "f"}}]}),
    ] {
        assert!(is_refused(&responses(&body.to_string())), "{body}");
    }
    for body in [
        json!({"tool_choice": {"type": "function", "name": "f"}, "text": {"format":
            {"type": "json_schema", "name": "n", "schema": {"file_id": {}}}}}),
        json!({"tool_choice": "auto", "input": ["x"], "metadata": {"a": "b"}}),
    ] {
        assert_eq!(responses(&body.to_string()), Ok(()), "{body}");
    }
    let forced = json!({"tool_choice": {"type": "function", "function": {"name": "f"}}});
    assert_eq!(chat(&forced.to_string()), Ok(()));
}

#[test]
fn an_item_that_carries_nothing_is_a_reference() {
    let items = [
        json!({"type": "web_search_call", "id": "ws_1", "action": {}}),
        json!({"type": "web_search_call", "id": "ws_1", "action": {"type": "search"}}),
        json!({"type": "web_search_call", "id": "ws_1", "action": {"query": ""}}),
        json!({"id": "msg_1", "content": ""}),
        json!({"id": "msg_1", "role": "user", "content": " "}),
        json!({"id": "msg_1", "role": "user", "content": []}),
        json!({"id": "msg_1", "role": "user", "content": [""]}),
        json!({"id": "msg_1", "role": "user", "content": [{"type": "input_text", "text": ""}]}),
        json!({"id": "msg_1", "role": "user", "content": [{}]}),
        json!({"id": "fc_1", "call_id": ""}),
        json!({"id": "fc_1", "call_id": "c"}),
        json!({"type": "function_call", "id": "fc_1", "call_id": "", "name": "f"}),
        json!({"type": "function_call", "id": "fc_1", "call_id": "c"}),
        json!({"type": "function_call_output", "id": "fc_1", "call_id": "c"}),
        json!({"type": "computer_call", "id": "cu_1", "call_id": "c", "action": {}}),
        json!({"type": "computer_call_output", "id": "cu_1", "call_id": "c", "output": {}}),
        json!({"type": "reasoning", "id": "rs_1", "encrypted_content": ""}),
        json!({"type": "reasoning", "id": "rs_1", "content": [{"type": "reasoning_text"}]}),
        json!({"type": "compaction", "id": "cmp_1", "content": "x"}),
        json!({"type": "", "id": "msg_1"}),
        json!({"id": "msg_1", "role": "user"}),
        json!({}),
    ];
    for item in items {
        let body = json!({"input": [item]});
        assert!(is_refused(&responses(&body.to_string())), "{body}");
    }
    let twice = r#"{"input":[{"type":"item_reference","type":"message","content":"x"}]}"#;
    assert!(is_refused(&responses(twice)));
    for item in [
        json!({"role": "user", "content": ""}),
        json!({"type": "web_search_call", "id": "ws_1", "status": "completed", "action":
            {"type": "search", "query": "x", "sources": [{"type": "url", "url": "https://a"}]}}),
        json!({"type": "local_shell_call", "id": "l", "call_id": "c", "status": "completed",
            "action": {"type": "exec", "command": ["ls"], "env": {"A": "b"}}}),
        json!({"type": "computer_call", "id": "cu_1", "call_id": "c", "action":
            {"type": "click", "x": 0, "y": 0}, "pending_safety_checks": []}),
        json!({"type": "computer_call_output", "call_id": "c", "output":
            {"type": "computer_screenshot", "image_url": "data:image/png;base64,A"}}),
        json!({"type": "function_call_output", "call_id": "c", "output": ""}),
    ] {
        let body = json!({"input": [item]});
        assert_eq!(responses(&body.to_string()), Ok(()), "{body}");
    }
}

#[test]
fn no_other_spelling_and_no_second_one_gets_by() {
    for body in [
        "{\"previous_re\u{17f}pon\u{17f}e_id\": \"r\"}",
        "{\"bac\u{212a}ground\": true}",
        r#"{"Conversation": "c"}"#,
        r#"{"conversatio\u006e": "c"}"#,
        r#"{"\ud800": 1}"#,
        r#"{"background": false, "background": true}"#,
        r#"{"input": [{"type": "message", "content": "", "type": "item_reference"}]}"#,
        r#"{"input": [{"type": "message", "content": "", "TYPE": "item_reference"}]}"#,
        r#"{"input": [{"type": "item\u005freference", "content": ""}]}"#,
        r#"{"input": [{"type": ["item_reference"], "content": ""}]}"#,
        r#"{"input": [{"id": "msg_1", "content": null}]}"#,
        r#"{"tools": [{"type": "function", "type": "file_search"}]}"#,
        r#"{"tools": {"type": "file_search"}}"#,
        r#"{"input": "x", "input": [{"type": "item_reference", "id": "i"}]}"#,
    ] {
        assert!(is_refused(&responses(body)), "{body}");
    }
    for body in ["", "[]", "{", "{} x", "null"] {
        assert!(
            matches!(responses(body), Err(Refused::Envelope(_))),
            "{body}"
        );
    }
}

proptest! {
    /// A reference is refused wherever in a body it stands in the place of an item or a part.
    #[test]
    fn no_neighbour_hides_a_reference(before in 0usize..4, after in 0usize..4,
        reference in prop::sample::select(vec![
            r#"{"type":"item_reference","id":"i"}"#, r#"{"id":"i"}"#,
            r#"{"role":"user","content":[{"type":"input_file","file_id":"f"}]}"#])) {
        let plain = r#"{"role":"user","content":"x"}"#;
        let items = [vec![plain; before], vec![reference], vec![plain; after]].concat();
        let body = format!(r#"{{"model":"m","input":[{}]}}"#, items.join(" , "));
        prop_assert!(is_refused(&responses(&body)));
    }
}
