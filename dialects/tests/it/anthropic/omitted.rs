//! Clients that want thinking back that they are not shown: `display: "omitted"`.

use std::sync::Arc;

use hone_dialects::{Dialect, Ending, Frame, codec};
use hone_strategies::chat::{Choice, Completion, Delta, Message, Native};
use serde_json::{Value, json};

use crate::grammar::anthropic::read;
use crate::support::{decoded, frame, translated};

const ANTHROPIC: Dialect = Dialect::Anthropic;

fn asked(thinking: &Value, turns: &Value) -> Value {
    json!({"model": "m", "max_tokens": 9, "thinking": thinking, "messages": turns})
}

fn frame_of(thinking: &Value) -> Frame {
    let turns = json!([{"role": "user", "content": "q"}]);
    Frame {
        request: decoded(ANTHROPIC, &asked(thinking, &turns)).unwrap(),
        ..frame(ANTHROPIC)
    }
}

fn omitted() -> Value {
    json!({"type": "adaptive", "display": "omitted"})
}

fn made(dialect: Dialect, value: Value) -> Arc<Native> {
    Arc::new(Native {
        dialect,
        model: "up/m".to_owned(),
        value: vec![value],
    })
}

fn call() -> Value {
    json!([{"index": 0, "id": "c", "type": "function",
        "function": {"name": "f", "arguments": "{}"}}])
}

/// The deltas of an upstream that thinks and calls, and the message that they come to.
fn answers() -> [(Vec<Delta>, Message); 2] {
    let item = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "e"});
    let reasoning = made(Dialect::OpenAiResponses, item);
    let part = json!({"functionCall": {"id": "c", "name": "f", "args": {}},
        "thoughtSignature": "c2ln"});
    let signed = made(Dialect::Gemini, part);
    let message = |native: &Arc<Native>| {
        let message = Message::assistant("").with("tool_calls", call());
        let message = message.with("reasoning_content", "hm");
        message.with_native(Some(Arc::clone(native)))
    };
    let of = |native: &Arc<Native>, delta: Delta| Delta {
        native: Some(Arc::clone(native)),
        ..delta
    };
    let thought = || Delta::field("reasoning_content", "hm");
    let called = || Delta::field("tool_calls", call());
    [
        (
            vec![thought(), of(&reasoning, Delta::default()), called()],
            message(&reasoning),
        ),
        (vec![thought(), of(&signed, called())], message(&signed)),
    ]
}

fn streamed(thinking: &Value, deltas: &[Delta]) -> (String, Vec<Value>) {
    let mut encoder = codec(ANTHROPIC).stream_encoder(frame_of(thinking));
    let mut text = encoder.begin();
    for delta in deltas {
        text += &encoder.delta(0, delta);
    }
    text += &encoder.end(&Ending::default());
    let found = read(&text).unwrap_or_else(|why| panic!("{why}: {text}"));
    (text, found.blocks)
}

fn whole(thinking: &Value, message: &Message) -> Vec<Value> {
    let answer = Completion {
        choices: vec![Choice::new(message.clone(), "tool_calls")],
        ..Completion::default()
    };
    let body = codec(ANTHROPIC).encode_answer(&answer, &frame_of(thinking));
    let body: Value = serde_json::from_str(&body).unwrap();
    body["content"].as_array().unwrap().clone()
}

#[test]
fn they_get_an_empty_block_with_what_its_provider_needs_back() {
    for (deltas, message) in answers() {
        let (text, blocks) = streamed(&omitted(), &deltas);
        assert_eq!(text.matches("signature_delta").count(), 1, "{text}");
        assert!(!text.contains("thinking_delta") && !text.contains("hm\""));
        for blocks in [&blocks, &whole(&omitted(), &message)] {
            assert_eq!(blocks.len(), 2, "{blocks:?}");
            assert_eq!(blocks[0]["type"], "thinking");
            assert_eq!(blocks[0]["thinking"], "");
            let signature = blocks[0]["signature"].as_str().unwrap();
            assert!(signature.starts_with("hone1."), "{signature}");
            let turns = json!([{"role": "user", "content": "q"},
                {"role": "assistant", "content": blocks},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "c", "content": "r"}]}]);
            let native = message.native().unwrap();
            let again = translated(ANTHROPIC, native.dialect, &asked(&omitted(), &turns));
            let secret = match native.dialect {
                Dialect::Gemini => r#""thoughtSignature":"c2ln""#,
                _ => r#""encrypted_content":"e""#,
            };
            assert!(again.to_string().contains(secret), "{again}");
        }
    }
}

#[test]
fn those_who_did_not_ask_for_thinking_get_no_block_and_nor_does_what_nobody_needs_back() {
    for (deltas, message) in answers() {
        for thinking in [Value::Null, json!({"type": "disabled"})] {
            let (_, blocks) = streamed(&thinking, &deltas);
            assert_eq!(blocks.len(), 1, "{blocks:?}");
            assert_eq!(whole(&thinking, &message).len(), 1);
        }
    }
    let thought = [
        Delta::field("reasoning_content", "hm"),
        Delta::content("Hi"),
    ];
    let (_, blocks) = streamed(&omitted(), &thought);
    assert_eq!(blocks, [json!({"type": "text", "text": "Hi"})]);
    let message = Message::assistant("Hi").with("reasoning_content", "hm");
    assert_eq!(whole(&omitted(), &message), blocks);
}
