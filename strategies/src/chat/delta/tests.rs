use proptest::prelude::*;

use serde_json::json;

use super::*;

fn chunk(index: u32, delta: &Value, finish: Option<&str>) -> Chunk {
    let body = json!({"id": "c", "choices": [{"index": index, "delta": delta,
        "finish_reason": finish}]});
    Chunk::parse(body.to_string().as_bytes()).unwrap()
}

#[test]
fn tool_calls_are_put_together_by_index() {
    let mut assembler = Assembler::new();
    let call = |index: u32, id: &str, name: &str| {
        json!({"tool_calls": [{"index": index, "id": id, "type": "function",
            "function": {"name": name, "arguments": ""}}]})
    };
    let arguments = |index: u32, text: &str| {
        let function = json!({"arguments": text});
        json!({"tool_calls": [{"index": index, "function": function}]})
    };
    for delta in [
        call(0, "a", "f"),
        call(1, "b", "g"),
        arguments(1, "{\"y\""),
        arguments(0, "{}"),
        arguments(1, ":1}"),
    ] {
        assembler.push(chunk(0, &delta, None));
    }
    assembler.push(chunk(0, &json!({}), Some("tool_calls")));
    assert!(assembler.is_complete());
    let completion = assembler.finish();
    let calls = completion.choices[0].message.tool_calls().unwrap();
    assert_eq!(
        calls,
        &json!([
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "b", "type": "function", "function": {"name": "g",
                "arguments": "{\"y\":1}"}},
        ])
    );
}

#[test]
fn reasoning_logprobs_and_usage_are_kept() {
    let mut assembler = Assembler::new();
    for token in ["a", "b"] {
        let mut part = chunk(
            0,
            &json!({"role": "assistant", "content": token, "reasoning_content": token}),
            None,
        );
        part.choices[0].delta.logprobs =
            Some(json!({"content": [{"token": token, "logprob": -1}]}).into());
        assembler.push(part);
    }
    assert!(!assembler.is_complete());
    assembler.push(
        Chunk::parse(br#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#)
            .unwrap(),
    );
    let completion = assembler.finish();
    let choice = &completion.choices[0];
    assert_eq!(
        (choice.message.role(), choice.message.text().as_ref()),
        ("assistant", "ab")
    );
    assert_eq!(choice.message.get("reasoning_content"), Some(&json!("ab")));
    assert_eq!(choice.mean_logprob(), Some(-1.0));
    assert_eq!(choice.finish_reason, None);
    assert_eq!(completion.usage, Some(Usage::new(1, 2)));
}

#[test]
fn an_error_event_is_no_chunk() {
    assert!(Chunk::parse(br#"{"error":{"message":"overloaded"}}"#).is_err());
}

proptest! {
    #[test]
    fn a_text_survives_any_cut(parts in prop::collection::vec(".{0,9}", 1..9),
        index in 0..3_u32) {
        let mut assembler = Assembler::new();
        for part in &parts {
            assembler.push(chunk(index, &json!({"content": part}), None));
        }
        let completion = assembler.finish();
        prop_assert_eq!(completion.choices[0].message.text(), parts.concat());
        prop_assert_eq!(completion.choices[0].index, index);
    }
}

#[test]
fn the_arguments_of_a_call_that_come_in_many_pieces_take_what_they_add_up_to() {
    let mut kept = Kept::default();
    let call = |index: u32, function: Value| {
        let delta = json!({"tool_calls": [{"index": index, "function": function}]});
        chunk(0, &delta, None)
    };
    let first = kept.add(&call(0, json!({"name": "f", "arguments": ""})));
    let pieces = (0..5000).map(|_| kept.add(&call(0, json!({"arguments": "abcd"}))));
    assert_eq!(pieces.sum::<usize>(), 20_000);
    // Whatever is more than that counts in full.
    assert!(kept.add(&call(0, json!({"arguments": "", "x": 1}))) > 100);
    assert!(kept.add(&call(1, json!({"arguments": ""}))) > 100);
    assert!(kept.add(&call(500, json!({"arguments": ""}))) > 100);
    assert!(kept.add(&call(500, json!({"arguments": ""}))) > 100);
    assert!(first > 100);
}

mod hearing {
    use proptest::prelude::*;

    use super::*;

    fn delta() -> impl Strategy<Value = Delta> {
        prop_oneof![
            4 => "[ab]{0,2}".prop_map(Delta::content),
            1 => Just(Delta::field("role", "assistant")),
            1 => "[ab]{0,2}".prop_map(|text| Delta::field("reasoning_content", text)),
            1 => Just(Delta::field("content", Value::Null)),
            1 => Just(Delta::finish("stop")),
            1 => Just(Delta {
                logprobs: Some(json!({"content": []}).into()),
                ..Delta::content("c")
            }),
        ]
    }

    fn chunk() -> impl Strategy<Value = Chunk> {
        (0_u32..2, delta(), 0_usize..8).prop_map(|(index, delta, kind)| {
            let mut chunk = Chunk::of(index, delta);
            match kind {
                0 => chunk.usage = Some(Usage::new(1, 2)),
                1 => drop(chunk.rest.insert("id".to_owned(), "c".into())),
                2 => chunk.choices.clear(),
                _ => {}
            }
            chunk
        })
    }

    proptest! {
        #[test]
        fn chunks_that_go_on_elsewhere_add_up_to_the_same(
            chunks in prop::collection::vec(chunk(), 0..12),
        ) {
            let (mut heard, mut pushed) = (Assembler::new(), Assembler::new());
            for chunk in chunks {
                heard.hear(&chunk);
                pushed.push(chunk);
            }
            prop_assert_eq!(heard.is_complete(), pushed.is_complete());
            prop_assert_eq!(heard.finish(), pushed.finish());
        }
    }
}
