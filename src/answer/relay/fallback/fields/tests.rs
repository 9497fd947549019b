use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::api::endpoint::fields::{CHAT, EMBEDDINGS, RESPONSES, SPEECH};

fn chat(body: &str) -> Checked {
    check(Kind::Chat, CHAT, &["top_n".to_owned()], body.as_bytes())
}

fn responses(body: &str) -> Checked {
    check(Kind::Responses, RESPONSES, &[], body.as_bytes())
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
    let speech = |body: &str| check(Kind::Other, SPEECH, &[], body.as_bytes());
    assert!(is_refused(&speech(r#"{"voice": {"id": "voice_1"}}"#)));
    assert_eq!(speech(r#"{"voice": "alloy", "input": "x"}"#), Ok(()));
    let embeddings = |body: &str| check(Kind::Embeddings, EMBEDDINGS, &[], body.as_bytes());
    assert!(is_refused(&embeddings(r#"{"tools": []}"#)));
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
