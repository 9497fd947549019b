//! Events that are read without a tree, because nearly all are such, say what they say with one.

use hone_dialects::Dialect;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{collected, events};

/// Its events, as a server sends them: a member that nobody knows has each read as a tree.
fn stream(events: &[Value], has_unknown: bool) -> String {
    let written = |event: &Value| {
        let mut event = event.clone();
        if has_unknown && let Some(fields) = event.as_object_mut() {
            fields.insert("unknown".to_owned(), 1.into());
        }
        format!("data: {event}\n\n")
    };
    events.iter().map(written).collect()
}

fn is_same(dialect: Dialect, all: &[Value]) -> Result<(), TestCaseError> {
    let [plain, tree] = [false, true].map(|has_unknown| stream(all, has_unknown));
    let read = |text: &str| events(dialect, [text.as_bytes()]);
    prop_assert_eq!(read(&plain), read(&tree), "{}", plain);
    Ok(())
}

fn anthropic() -> impl Strategy<Value = Value> {
    let begin = prop_oneof![
        Just(json!({"type": "text", "text": ""})),
        Just(json!({"type": "thinking", "thinking": "", "signature": ""})),
        Just(json!({"type": "tool_use", "id": "t", "name": "f", "input": {}})),
    ];
    let piece = ("[a-c\"\n\u{e9}]{0,3}", 0_usize..5).prop_map(|(text, kind)| match kind {
        0 => json!({"type": "text_delta", "text": text}),
        1 => json!({"type": "thinking_delta", "thinking": text}),
        2 => json!({"type": "input_json_delta", "partial_json": text}),
        3 => json!({"type": "signature_delta", "signature": text}),
        _ => json!({"type": "citations_delta", "citation": {"cited_text": text}}),
    });
    prop_oneof![
        (0_u64..3, begin).prop_map(|(index, block)| {
            json!({"type": "content_block_start", "index": index, "content_block": block})
        }),
        (0_u64..3, piece.clone()).prop_map(|(index, delta)| {
            json!({"type": "content_block_delta", "index": index, "delta": delta})
        }),
        (0_u64..3, piece).prop_map(|(index, delta)| {
            json!({"type": "content_block_delta", "index": index, "delta": delta})
        }),
        (0_u64..3).prop_map(|index| json!({"type": "content_block_stop", "index": index})),
    ]
}

fn gemini() -> impl Strategy<Value = Value> {
    let part = ("[a-c\"\n\u{e9}]{0,3}", 0_usize..6).prop_map(|(text, kind)| match kind {
        0 => json!({"text": text, "thought": true}),
        1 => json!({"text": text, "thoughtSignature": "cw=="}),
        2 => json!({"functionCall": {"name": "f", "args": {"text": text}}}),
        _ => json!({ "text": text }),
    });
    let parts = prop::collection::vec(part, 1..3);
    (parts, 0_u32..2, 0_u64..9, 0_usize..12).prop_map(|(parts, index, tokens, kind)| {
        let mut candidate = json!({"content": {"parts": parts, "role": "model"}, "index": index});
        let mut document = json!({"modelVersion": "g", "responseId": format!("r{}", tokens / 5)});
        if kind == 0 {
            candidate["finishReason"] = "STOP".into();
        }
        if kind < 9 {
            document["usageMetadata"] = json!({"promptTokenCount": 3,
                "candidatesTokenCount": tokens, "totalTokenCount": tokens + 3});
        }
        document["candidates"] = json!([candidate]);
        document
    })
}

fn responses() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec![
        "response.output_text.delta",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
    ]);
    let kinds = prop::sample::select(vec!["message", "reasoning", "function_call"]);
    let piece = (names, "[a-c\"\n\u{e9}]{0,3}", 0_u64..3, 0_u64..2);
    prop_oneof![
        piece.prop_map(|(name, text, place, index)| {
            json!({"type": name, "output_index": place, "item_id": format!("i{place}"),
                "content_index": index, "delta": text, "logprobs": [], "sequence_number": 1})
        }),
        (kinds, 0_u64..3).prop_map(|(kind, place)| {
            json!({"type": "response.output_item.added", "output_index": place,
                "item": {"type": kind, "id": format!("i{place}"), "name": "f"}})
        }),
    ]
}

#[test]
fn a_piece_that_is_read_without_a_tree_makes_an_answer_of_one_that_said_nothing() {
    let say = |parts: Value, end: Value| {
        let content = json!({ "parts": parts });
        json!({"candidates": [{"content": content, "finishReason": end, "index": 0}]})
    };
    let empty = say(json!([{"text": ""}]), Value::Null);
    let piece = say(json!([{"text": "a"}]), Value::Null);
    let end = say(json!([]), "SOMETHING_NEW".into());
    let said = vec![empty.clone(), piece, end.clone()];
    for (all, is_whole) in [(said, true), (vec![empty, end], false)] {
        let text = stream(&all, false);
        let answer = collected(events(Dialect::Gemini, [text.as_bytes()]));
        assert_eq!(answer.is_some(), is_whole, "{text}");
    }
}

proptest! {
    #[test]
    fn anthropics_pieces_are_read_as_in_a_tree(
        middle in prop::collection::vec(anthropic(), 0..12),
    ) {
        let mut all = vec![json!({"type": "message_start", "message": {"id": "m"}})];
        all.extend(middle);
        all.push(json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}}));
        all.push(json!({"type": "message_stop"}));
        is_same(Dialect::Anthropic, &all)?;
    }

    #[test]
    fn googles_pieces_are_read_as_in_a_tree(all in prop::collection::vec(gemini(), 0..12)) {
        is_same(Dialect::Gemini, &all)?;
    }

    #[test]
    fn the_pieces_of_responses_are_read_as_in_a_tree(
        middle in prop::collection::vec(responses(), 0..12),
    ) {
        let mut all = vec![json!({"type": "response.created", "response": {"id": "r"}})];
        all.extend(middle);
        all.push(json!({"type": "response.completed",
            "response": {"id": "r", "status": "completed", "output": []}}));
        is_same(Dialect::OpenAiResponses, &all)?;
    }
}
