//! Thought signatures in envelopes: through clients of Anthropic's and Responses, and back.

use hone_dialects::marks::envelope;
use hone_dialects::{Dialect, Ending, Source, codec};
use hone_strategies::chat::Delta;
use serde_json::{Value, json};

use super::upstreams::{anthropic, model, to};
use crate::support::{chunks, collected, events, frame, source};

const ANTHROPIC: Dialect = Dialect::Anthropic;
const GEMINI: Dialect = Dialect::Gemini;
const RESPONSES: Dialect = Dialect::OpenAiResponses;

fn maker() -> Source {
    Source {
        maker: "up/gemini-3-pro".to_owned(),
        ..source()
    }
}

/// The blocks or items that a client gets of these parts of a Gemini's.
fn told(client: Dialect, parts: &[Value], is_stream: bool) -> Vec<Value> {
    if !is_stream {
        let content = json!({"role": "model", "parts": parts});
        let body = json!({"candidates": [{"content": content, "finishReason": "STOP"}]});
        let answer = codec(GEMINI).decode_answer(body.to_string().as_bytes(), &maker());
        let told = codec(client).encode_answer(&answer.unwrap(), &frame(client));
        let told: Value = serde_json::from_str(&told).unwrap();
        let list = told.get("content").or(told.get("output")).unwrap();
        return list.as_array().unwrap().clone();
    }
    let mut decoder = codec(GEMINI).stream_decoder(maker());
    let mut encoder = codec(client).stream_encoder(frame(client));
    let mut text = encoder.begin();
    for part in parts {
        let content = json!({"role": "model", "parts": [part]});
        let event = format!(
            "data: {}\n\n",
            json!({"candidates": [{"content": content}]})
        );
        for chunk in chunks(decoder.push(event.as_bytes())) {
            for choice in chunk.choices {
                text.push_str(&encoder.delta(0, &choice.delta));
            }
        }
    }
    text.push_str(&encoder.delta(0, &Delta::finish("stop")));
    text.push_str(&encoder.end(&Ending::default()));
    let read = collected(events(client, [text.as_bytes()])).unwrap();
    let native = read.choices[0].message.native().cloned();
    native
        .map(|native| native.value.clone())
        .unwrap_or_default()
}

/// The parts that the Gemini gets back of a turn that its client gives back with results.
fn returned(client: Dialect, told: &[Value]) -> Vec<Value> {
    let is_call = |item: &&Value| {
        let kind = item["type"].as_str();
        matches!(kind, Some("tool_use" | "function_call"))
    };
    let result = |item: &Value| {
        let (id, call_id) = (&item["id"], &item["call_id"]);
        if client == ANTHROPIC {
            json!({"type": "tool_result", "tool_use_id": id, "content": "7"})
        } else {
            json!({"type": "function_call_output", "call_id": call_id, "output": "7"})
        }
    };
    let mut results: Vec<Value> = told.iter().filter(is_call).map(result).collect();
    let body = if client == ANTHROPIC {
        results.push(json!({"type": "text", "text": "go"}));
        anthropic(&json!([{"role": "user", "content": "a"},
            {"role": "assistant", "content": told}, {"role": "user", "content": results}]))
    } else {
        let mut input = vec![json!({"role": "user", "content": "a"})];
        input.extend(told.iter().cloned().chain(results));
        json!({"model": "m", "input": input})
    };
    let (found, _) = to(&model("gemini-3-pro"), client, &body);
    found["contents"][1]["parts"].as_array().unwrap().clone()
}

fn call(name: &str, signature: &str) -> Value {
    let mut part = json!({"functionCall": {"name": name, "args": {"long": "x".repeat(2000)}}});
    if !signature.is_empty() {
        part["thoughtSignature"] = signature.into();
    }
    part
}

fn signatures(parts: &[Value]) -> Vec<&str> {
    let told = parts.iter().map(|part| part["thoughtSignature"].as_str());
    told.map(Option::unwrap_or_default).collect()
}

#[test]
fn each_signature_comes_back_to_its_own_part() {
    let thought = json!({"text": "hm", "thought": true});
    let text = json!({"text": "Hi", "thoughtSignature": "dGV4dA=="});
    let parts = [
        thought,
        text,
        call("f", "Zg=="),
        call("f", ""),
        call("g", "Zw=="),
    ];
    for client in [ANTHROPIC, RESPONSES] {
        for is_stream in [false, true] {
            let told = told(client, &parts, is_stream);
            let back = returned(client, &told);
            let place = format!("{} {is_stream}", client.name());
            assert_eq!(
                signatures(&back),
                ["dGV4dA==", "Zg==", "", "Zw=="],
                "{place}"
            );
            assert_eq!(back[0]["text"], "Hi", "{place}");
            assert_eq!(back[1]["functionCall"]["name"], "f", "{place}");
        }
    }
}

#[test]
fn a_signed_call_without_a_visible_thought_has_a_thinking_block_in_front_of_it() {
    for parts in [
        vec![call("f", "Zg==")],
        vec![json!({"text": "Hi"}), call("f", "Zg==")],
    ] {
        for is_stream in [false, true] {
            let told = told(ANTHROPIC, &parts, is_stream);
            let at = told
                .iter()
                .position(|block| block["type"] == "tool_use")
                .unwrap();
            let thinks = |block: &Value| block["type"] == "thinking" && block["thinking"] == "";
            assert_eq!(
                told[..at].iter().filter(|block| thinks(block)).count(),
                1,
                "{told:?}"
            );
            let back = returned(ANTHROPIC, &told);
            assert_eq!(signatures(&back).last(), Some(&"Zg=="));
        }
    }
}

#[test]
fn nothing_is_sealed_but_signatures() {
    let parts = [
        json!({"text": "y".repeat(2000)}),
        call("f", "Zg=="),
        call("g", "Zw=="),
    ];
    for client in [ANTHROPIC, RESPONSES] {
        for is_stream in [false, true] {
            let told = told(client, &parts, is_stream);
            let slots = told.iter().map(|item| {
                let slot = item.get("signature").or(item.get("encrypted_content"));
                slot.and_then(Value::as_str).unwrap_or_default()
            });
            let slots: Vec<&str> = slots.filter(|slot| envelope::is_sealed(slot)).collect();
            assert!(!slots.is_empty());
            let bytes: usize = slots.iter().map(|slot| slot.len()).sum();
            assert!(bytes < 600, "{bytes} {is_stream}");
        }
    }
}

#[test]
fn signatures_that_are_too_large_for_an_envelope_are_left_out() {
    let large = "QUFB".repeat(100_000);
    let parts = [call("f", &large)];
    for is_stream in [false, true] {
        let told = told(ANTHROPIC, &parts, is_stream);
        let sealed = told.iter().filter(|block| block["type"] == "thinking");
        assert_eq!(sealed.count(), 0);
        let back = returned(ANTHROPIC, &told);
        let bytes = signatures(&back)[0].len();
        assert!(bytes < 100, "the stand-in: {bytes}");
    }
}

#[test]
fn a_signature_on_a_thought_beside_the_call_is_not_lost() {
    let thought = json!({"text": "hm", "thought": true, "thoughtSignature": "aG0="});
    let parts = [thought.clone(), json!({"text": "Hi"}), call("f", "")];
    for client in [ANTHROPIC, RESPONSES] {
        for is_stream in [false, true] {
            let back = returned(client, &told(client, &parts, is_stream));
            assert_eq!(back[0], thought, "{} {is_stream}", client.name());
            assert_eq!(back[1], json!({"text": "Hi"}));
        }
    }
}

#[test]
fn a_streamed_text_stays_one_and_last_though_its_end_is_signed() {
    let end = json!({"text": "", "thoughtSignature": "ZW5k"});
    let parts = [json!({"text": "Hel"}), json!({"text": "lo"}), end];
    let told_there = told(ANTHROPIC, &parts, true);
    assert_eq!(told_there, [json!({"type": "text", "text": "Hello"})]);
    let more = json!({"text": "lo", "thoughtSignature": "ZW5k"});
    let told = told(RESPONSES, &[json!({"text": "Hel"}), more], true);
    let kinds: Vec<_> = told.iter().map(|item| &item["type"]).collect();
    assert_eq!(kinds, ["message", "reasoning"]);
    assert_eq!(told[0]["content"][0]["text"], "Hello");
    assert_eq!(signatures(&returned(RESPONSES, &told)), ["ZW5k"]);
}

#[test]
fn several_envelopes_of_one_turn_are_all_opened() {
    let parts = [call("f", "Zg=="), json!({"text": "Hi"}), call("g", "Zw==")];
    let mut told = told(ANTHROPIC, &parts, true);
    // Reasoning of hone's own takes nothing away.
    let own = json!({"type": "thinking", "thinking": "x", "signature": envelope::seal_own()});
    told.push(own);
    let back = returned(ANTHROPIC, &told);
    let signed = signatures(&back).into_iter().filter(|one| !one.is_empty());
    assert_eq!(signed.count(), 2, "{back:?}");
}
