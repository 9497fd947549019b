//! Streams, written for Google's clients.

use std::sync::Arc;

use hone_dialects::marks::envelope::is_made_by;
use hone_dialects::{Dialect, Ending, ErrorReply, StreamEncoder, codec};
use hone_strategies::chat::{ChatRequest, Delta, Native, Origin, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::streams::deltas;
use crate::grammar::gemini::{End, Read, read, read_array};
use crate::support::{collected, decoded, events, frame, streamed, translated};

const GEMINI: Dialect = Dialect::Gemini;

fn call(index: u32, name: &str, arguments: &str) -> Value {
    let mut call = json!({"index": index, "function": {"arguments": arguments}});
    if !name.is_empty() {
        call["id"] = format!("call_{index}").into();
        call["function"]["name"] = name.into();
    }
    json!({ "tool_calls": [call] })
}

fn written(fields: &[Value]) -> Read {
    let text = streamed(GEMINI, &deltas(fields), &Ending::default());
    read(&text).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

/// An encoder for a client that did not ask for `alt=sse`.
fn array_encoder() -> Box<dyn StreamEncoder> {
    let mut origin = Origin::new(GEMINI);
    origin.wishes.array = true;
    let mut frame = frame(GEMINI);
    frame.request = ChatRequest::new("m", []).with_origin(Some(Arc::new(origin)));
    codec(GEMINI).stream_encoder(frame)
}

#[test]
fn the_last_chunk_has_parts_a_reason_and_the_usage_so_that_nobody_asks_again() {
    for fields in [
        vec![],
        vec![json!({"content": ""})],
        vec![json!({"content": "Hi"})],
    ] {
        let found = written(&fields);
        assert!(!found.candidates[0].is_empty());
        assert_eq!(found.end, End::Whole(vec!["STOP".to_owned()]));
    }
}

#[test]
fn texts_go_out_as_they_come_but_for_the_newest() {
    let mut encoder = codec(GEMINI).stream_encoder(frame(GEMINI));
    let mut told = vec![encoder.begin()];
    for text in ["a", "b", "c"] {
        told.push(encoder.delta(0, &Delta::content(text)));
    }
    let has = |at: usize, text: &str| told[at].contains(&format!("{{\"text\":\"{text}\"}}"));
    assert_eq!((told[0].as_str(), told[1].as_str()), ("", ""));
    assert!(has(2, "a") && has(3, "b") && !has(3, "c"));
}

#[test]
fn parallel_calls_whose_arguments_come_in_turns_are_two_whole_parts() {
    let found = written(&[
        call(0, "f", "{\"a\":"),
        call(1, "g", "{\"b\":1}"),
        call(0, "", "2}"),
    ]);
    let expected = [
        json!({"functionCall": {"id": "call_0", "name": "f", "args": {"a": 2}}}),
        json!({"functionCall": {"id": "call_1", "name": "g", "args": {"b": 1}}}),
    ];
    assert_eq!(found.candidates[0], expected);
}

#[test]
fn arguments_that_are_no_object_are_a_failure_unless_the_answer_was_cut() {
    let end = |arguments: &str, reason: &str| {
        let mut all = deltas(&[json!({"content": "a"}), call(0, "f", arguments)]);
        all.push(Delta::finish(reason));
        let text = streamed(GEMINI, &all, &Ending::default());
        read(&text).unwrap_or_else(|why| panic!("{why}\n{text}"))
    };
    for arguments in ["{\"a\":", "{a}", "[1]", "7"] {
        let found = end(arguments, "tool_calls").end;
        assert_eq!(found, End::Error("UNAVAILABLE".to_owned()), "{arguments}");
    }
    let found = end("{\"a\":", "length");
    assert_eq!(found.end, End::Whole(vec!["MAX_TOKENS".to_owned()]));
    assert_eq!(found.joined(), [json!({"text": "a"})]);
}

#[test]
fn a_failure_in_mid_stream_is_an_error_and_never_an_end() {
    let told = |encoder: &mut dyn StreamEncoder| {
        let mut text = encoder.beat() + &encoder.begin();
        text += &encoder.delta(0, &Delta::content("Hel"));
        text += &encoder.delta(0, &Delta::content("lo"));
        text += &encoder.beat();
        text += &encoder.fail(&ErrorReply::new(429, "Slow down."));
        text += &encoder.delta(0, &Delta::content("!"));
        text += &encoder.end(&Ending::default());
        text += &encoder.beat();
        text + &encoder.fail(&ErrorReply::new(500, "Again."))
    };
    let text = told(codec(GEMINI).stream_encoder(frame(GEMINI)).as_mut());
    let expected = End::Error("RESOURCE_EXHAUSTED".to_owned());
    assert_eq!(read(&text).unwrap().end, expected);
    assert!(!text.contains("finishReason"), "{text}");
    let text = told(array_encoder().as_mut());
    assert_eq!(read_array(&text).unwrap().end, expected);
}

#[test]
fn what_another_provider_needs_back_has_a_place_even_behind_nothing_but_thoughts() {
    let thinking = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let native = Native {
        dialect: Dialect::Anthropic,
        model: "up/m".to_owned(),
        value: vec![thinking],
    };
    let mut thought = deltas(&[json!({"reasoning_content": "hm"}), json!({})]);
    thought[1].native = Some(Arc::new(native));
    let text = streamed(GEMINI, &thought, &Ending::default());
    let found = read(&text).unwrap();
    let last = found.candidates[0].last().unwrap();
    assert!(last["thoughtSignature"].is_string(), "{text}");
    assert!(last.get("thought").is_none(), "{text}");
}

#[test]
fn a_silence_is_filled_within_the_next_event() {
    let mut encoder = codec(GEMINI).stream_encoder(frame(GEMINI));
    let mut text = encoder.beat() + &encoder.begin() + &encoder.beat();
    assert_eq!(text, "data:  ", "clients know no line that is no data");
    text += &encoder.delta(0, &Delta::content("Hel"));
    assert_eq!(text, "data:  ", "the newest part is held back");
    text += &encoder.beat();
    text += &encoder.delta(0, &Delta::content("lo"));
    text += &encoder.delta(0, &Delta::content("!"));
    for _ in 0..3 {
        text += &encoder.beat();
    }
    text += &encoder.end(&Ending::default());
    assert_eq!(text.matches("data:").count(), 3, "{text}");
    assert!(text.contains("\n\ndata:   {"), "{text}");
    let found = read(&text).unwrap();
    assert_eq!(found.joined(), [json!({"text": "Hello!"})]);
    let back = collected(events(GEMINI, [text.as_bytes()])).unwrap();
    assert_eq!(back.choices[0].message.text(), "Hello!");
}

#[test]
fn an_end_and_a_failure_go_on_behind_a_beat() {
    for is_failure in [false, true] {
        let mut encoder = codec(GEMINI).stream_encoder(frame(GEMINI));
        let mut text = encoder.beat() + &encoder.beat();
        text += &if is_failure {
            encoder.fail(&ErrorReply::new(500, "No."))
        } else {
            encoder.end(&Ending::default())
        };
        text += &encoder.beat();
        assert!(text.starts_with("data:  {"), "{text}");
        assert_eq!(
            matches!(read(&text).unwrap().end, End::Error(_)),
            is_failure
        );
    }
}

#[test]
fn a_client_that_did_not_ask_for_events_gets_an_array() {
    let mut encoder = array_encoder();
    let mut text = encoder.beat() + &encoder.begin() + &encoder.beat();
    for word in ["a", "b"] {
        text += &encoder.delta(0, &Delta::content(word));
        text += &encoder.beat();
    }
    text += &encoder.end(&Ending::default());
    text += &encoder.beat();
    assert!(!text.contains("data:"), "{text}");
    assert_eq!(read_array(&text).unwrap().joined(), [json!({"text": "ab"})]);
    let failed = array_encoder().fail(&ErrorReply::new(500, "No."));
    assert_eq!(
        read_array(&failed).unwrap().end,
        End::Error("INTERNAL".to_owned())
    );
}

#[test]
fn what_another_provider_needs_back_rides_on_the_first_call_and_comes_back() {
    let thinking = |text: &str| json!({"type": "thinking", "thinking": text, "signature": "s"});
    let native = |text: &str| {
        Some(Arc::new(Native {
            dialect: Dialect::Anthropic,
            model: "up/claude".to_owned(),
            value: vec![
                thinking(text),
                json!({"type": "text", "text": "no reasoning"}),
            ],
        }))
    };
    for (last, is_call) in [(call(0, "f", "{}"), true), (json!({"content": "a"}), false)] {
        let mut all = deltas(&[
            json!({"reasoning_content": "hm"}),
            json!({}),
            json!({}),
            last,
        ]);
        all[1].native = native("one");
        all[2].native = native("two");
        let text = streamed(GEMINI, &all, &Ending::default());
        let found = read(&text).unwrap_or_else(|why| panic!("{why}\n{text}"));
        let turns = json!([{"role": "user", "parts": [{"text": "x"}]},
            {"role": "model", "parts": found.candidates[0]}]);
        let body = json!({"model": "m", "contents": turns});
        let request = decoded(GEMINI, &body).unwrap();
        let message = &request.messages()[1];
        let native = message.native().unwrap();
        assert_eq!(native.value, [thinking("one"), thinking("two")]);
        assert!(is_made_by(&native.model, "up/claude"));
        assert_eq!(message.tool_calls().is_some(), is_call);
        let again = translated(GEMINI, GEMINI, &body).to_string();
        assert!(!again.contains("aG9uZTEu"), "{again}");
    }
}

#[test]
fn more_than_may_be_held_back_is_a_failure() {
    let mut frame = frame(GEMINI);
    frame.max_held_bytes = 1000;
    let mut encoder = codec(GEMINI).stream_encoder(frame);
    let mut text = encoder.begin();
    let mut all = deltas(&[call(0, "f", "{")]);
    all.extend((0..100).map(|_| Delta::content("0123456789".repeat(5))));
    for delta in &all {
        text += &encoder.delta(0, delta);
    }
    text += &encoder.end(&Ending::default());
    let expected = End::Error("UNAVAILABLE".to_owned());
    assert_eq!(read(&text).unwrap().end, expected);
}

fn any_delta() -> impl Strategy<Value = Value> {
    let said = (
        prop::sample::select(vec!["content", "reasoning_content", "refusal"]),
        "[a-c]{0,3}",
    )
        .prop_map(|(name, text)| json!({ name: text }));
    let called = (0_u32..3, "[ab{}\":1]{0,4}").prop_map(|(index, more)| call(index, "f", &more));
    prop_oneof![said, called]
}

proptest! {
    #[test]
    fn whatever_is_added_the_stream_keeps_to_its_grammar(
        added in prop::collection::vec((0_u32..2, any_delta()), 0..20),
        reason in "stop|tool_calls|content_filter|length", is_array: bool,
    ) {
        let mut encoder = codec(GEMINI).stream_encoder(frame(GEMINI));
        if is_array {
            encoder = array_encoder();
        }
        let mut text = encoder.begin();
        for (choice, fields) in &added {
            text += &encoder.beat();
            for delta in deltas(std::slice::from_ref(fields)) {
                text += &encoder.delta(*choice, &delta);
            }
        }
        text += &encoder.delta(0, &Delta::finish(&reason));
        text += &encoder.delta(1, &Delta::finish(&reason));
        text += &encoder.end(&Ending { usage: Usage::new(1, 2), trailer: Some("{}".to_owned()) });
        let found = if is_array { read_array(&text) } else { read(&text) };
        prop_assert!(found.is_ok(), "{:?}\n{}", found, text);
    }

    #[test]
    fn every_word_of_a_text_arrives_and_comes_back(
        said in prop::collection::vec(("content|reasoning_content", "[a-cé\n\"]{0,4}"), 0..12),
    ) {
        let fields: Vec<Value> = said.iter().map(|(name, text)| json!({ name: text })).collect();
        let mut all = deltas(&fields);
        all.push(Delta::finish("stop"));
        let usage = Usage { cached: 1, reasoning: 2, ..Usage::new(3, 4) };
        let ending = Ending { usage, trailer: None };
        let text = streamed(GEMINI, &all, &ending);
        let back = collected(events(GEMINI, [text.as_bytes()]));
        let of = |wanted: &str| {
            let of = said.iter().filter(|(name, _)| name == wanted);
            of.map(|(_, text)| text.as_str()).collect::<String>()
        };
        if of("content").is_empty() && of("reasoning_content").is_empty() {
            return Ok(());
        }
        let back = back.unwrap();
        let message = &back.choices[0].message;
        prop_assert_eq!(message.text(), of("content"));
        let thought = message.get("reasoning_content").and_then(Value::as_str);
        prop_assert_eq!(thought.unwrap_or_default(), of("reasoning_content"));
        prop_assert_eq!(back.usage, Some(ending.usage));
    }
}
