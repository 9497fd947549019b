//! Streams, read from upstreams and written for clients.

use std::sync::Arc;

use hone_dialects::marks::envelope::is_made_by;
use hone_dialects::{Dialect, Ending, ErrorReply, Event, codec};
use hone_strategies::chat::{Completion, Delta, Native, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::crossing::streams::{assert_no_end, failure};
use crate::grammar::anthropic::{End, Read, read};
use crate::support::{chunks, collected, decoded, events, frame, source, streamed, translated};

const ANTHROPIC: Dialect = Dialect::Anthropic;

fn event(data: &Value) -> String {
    format!(
        "event: {}\ndata: {data}\n\n",
        data["type"].as_str().unwrap()
    )
}

/// An upstream's stream of these blocks; the text of each in two deltas.
fn stream(blocks: &[Value], reason: &str) -> String {
    let start = json!({"type": "message_start", "message": {"id": "msg_1", "type": "message",
        "role": "assistant", "model": "m", "content": [], "usage":
        {"input_tokens": 3, "output_tokens": 1}}});
    let mut text = event(&start) + &event(&json!({"type": "ping"}));
    for (index, block) in blocks.iter().enumerate() {
        // Numbers need not be dense.
        block_events(index * 2 + 1, block, &mut text);
    }
    let delta = json!({"stop_reason": reason, "stop_sequence": null});
    text += &event(&json!({"type": "message_delta", "delta": delta, "usage":
        {"output_tokens": 9}}));
    text + &event(&json!({"type": "message_stop"}))
}

fn block_events(index: usize, block: &Value, text: &mut String) {
    let (mut empty, mut deltas) = (block.clone(), Vec::new());
    let mut split = |name: &str, kind: &str, field: &str, whole: String| {
        let (head, tail) = whole.split_at(whole.len() / 2);
        for half in [head, tail] {
            deltas.push(json!({"type": kind, field: half}));
        }
        empty[name] = if name == "input" {
            json!({})
        } else {
            "".into()
        };
    };
    for (name, kind, field) in [
        ("text", "text_delta", "text"),
        ("thinking", "thinking_delta", "thinking"),
        ("signature", "signature_delta", "signature"),
        ("input", "input_json_delta", "partial_json"),
    ] {
        match block.get(name) {
            Some(Value::String(whole)) => split(name, kind, field, whole.clone()),
            Some(whole) => split(name, kind, field, whole.to_string()),
            None => {}
        }
    }
    *text += &event(&json!({"type": "content_block_start", "index": index,
        "content_block": empty}));
    for delta in deltas {
        *text += &event(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
    }
    *text += &event(&json!({"type": "content_block_stop", "index": index}));
}

fn blocks() -> Vec<Value> {
    vec![
        json!({"type": "thinking", "thinking": "hmm", "signature": "sig"}),
        json!({"type": "text", "text": "Hello"}),
        json!({"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}),
        json!({"type": "tool_use", "id": "toolu_2", "name": "g", "input": {}}),
    ]
}

/// What a client of Anthropic's gets of an upstream's stream.
fn passed_on(text: &str) -> Read {
    let events = events(ANTHROPIC, [text.as_bytes()]);
    let usage = chunks(events.clone()).iter().find_map(|chunk| chunk.usage);
    let choices = chunks(events).into_iter().flat_map(|chunk| chunk.choices);
    let deltas: Vec<Delta> = choices.map(|choice| choice.delta).collect();
    let ending = Ending {
        usage: usage.unwrap_or_default(),
        trailer: Some("{}".to_owned()),
    };
    read(&streamed(ANTHROPIC, &deltas, &ending)).unwrap_or_else(|why| panic!("{why}"))
}

fn deltas(fields: &[Value]) -> Vec<Delta> {
    let delta = |fields: &Value| Delta {
        fields: fields.as_object().unwrap().clone(),
        ..Delta::default()
    };
    fields.iter().map(delta).collect()
}

fn call(index: u32, name: &str, arguments: &str) -> Value {
    let mut call = json!({"index": index, "function": {"arguments": arguments}});
    if !name.is_empty() {
        call["id"] = format!("call_{index}").into();
        call["function"]["name"] = name.into();
    }
    json!({ "tool_calls": [call] })
}

#[test]
fn a_stream_of_anthropics_is_the_same_after_the_middle() {
    let blocks = blocks();
    let found = passed_on(&stream(&blocks, "tool_use"));
    assert_eq!(found.blocks, blocks);
    assert_eq!(found.id.len(), 28);
    assert_eq!(found.end, End::Whole("tool_use".to_owned()));
    assert_eq!(found.usage["output_tokens"], 9);
    assert_eq!(found.usage["input_tokens"], 3);
}

#[test]
fn a_stream_says_the_same_as_the_whole_answer() {
    let blocks = blocks();
    let text = stream(&blocks, "tool_use");
    let streamed = collected(events(ANTHROPIC, [text.as_bytes()])).unwrap();
    let body = json!({"type": "message", "content": blocks, "stop_reason": "tool_use",
        "usage": {"input_tokens": 3, "output_tokens": 9}});
    let whole = codec(ANTHROPIC).decode_answer(body.to_string().as_bytes(), &source());
    let whole = whole.unwrap();
    let said = |answer: &Completion| answer.choices[0].message.clone();
    assert_eq!(said(&streamed).fields(), said(&whole).fields());
    assert_eq!(said(&streamed).native(), said(&whole).native());
    assert_eq!(streamed.usage, whole.usage);
    assert_eq!(
        streamed.choices[0].finish_reason,
        whole.choices[0].finish_reason
    );
}

#[test]
fn parallel_calls_whose_arguments_come_in_turns_are_two_whole_calls() {
    let text = streamed(
        ANTHROPIC,
        &deltas(&[
            call(0, "f", "{\"a\":"),
            call(1, "g", "{\"b\":1}"),
            call(0, "", "2}"),
        ]),
        &Ending::default(),
    );
    let found = read(&text).unwrap();
    let inputs: Vec<_> = found
        .blocks
        .iter()
        .map(|block| block["input"].clone())
        .collect();
    assert_eq!(inputs, [json!({"a": 2}), json!({"b": 1})]);
    assert_eq!(
        found.end,
        End::Whole("tool_use".to_owned()),
        "whatever the upstream's word"
    );
}

#[test]
fn a_failure_in_mid_stream_is_an_error_and_never_an_end() {
    let mut encoder = codec(ANTHROPIC).stream_encoder(frame(ANTHROPIC));
    let mut text = encoder.beat() + &encoder.begin();
    text += &encoder.delta(0, &Delta::content("Hel"));
    text += &encoder.beat();
    text += &encoder.fail(&ErrorReply::new(429, "Slow down."));
    text += &encoder.delta(0, &Delta::content("lo"));
    text += &encoder.end(&Ending::default());
    text += &encoder.fail(&ErrorReply::new(500, "Again."));
    let found = read(&text).unwrap();
    assert_eq!(found.end, End::Error("rate_limit_error".to_owned()));
    assert!(!text.contains("message_delta") && !text.contains("message_stop"));
}

#[test]
fn an_error_in_mid_stream_is_neither_swallowed_nor_a_stop_reason_for_any_client() {
    let text = stream(&blocks(), "tool_use");
    let head = text.split_inclusive("\n\n").take(4).collect::<String>();
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "Busy"}});
    let error = failure(ANTHROPIC, &(head + &event(&error) + &text));
    assert_eq!((error.status, &*error.message), (503, "Busy"));
    assert_no_end(&error);
}

#[test]
fn input_that_is_given_at_the_start_counts_if_no_deltas_come() {
    let block = json!({"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}});
    let start = json!({"type": "content_block_start", "index": 0, "content_block": block});
    let stop = json!({"type": "content_block_stop", "index": 0});
    let delta = json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}});
    let begin = json!({"type": "message_start", "message": {}});
    let text: String = [begin, start, stop, delta].iter().map(event).collect();
    let found = collected(events(ANTHROPIC, [text.as_bytes()])).unwrap();
    let calls = found.choices[0].message.tool_calls().unwrap();
    assert_eq!(calls[0]["function"]["arguments"], r#"{"a":1}"#);
}

#[test]
fn what_was_thought_is_signed_even_if_no_model_signed_it() {
    let thought = json!({"reasoning_content": "hm"});
    let said = json!({"content": "Hi"});
    let text = streamed(ANTHROPIC, &deltas(&[thought, said]), &Ending::default());
    let found = read(&text).unwrap();
    let signature = found.blocks[0]["signature"].as_str().unwrap();
    assert!(signature.starts_with("hone1."), "{signature}");
}

#[test]
fn what_another_dialect_needs_back_rides_in_the_signature_and_comes_back() {
    let item = json!({"type": "reasoning", "id": "rs_1", "encrypted_content": "secret"});
    let native = Native {
        dialect: Dialect::OpenAiResponses,
        model: "up/o".to_owned(),
        value: vec![item.clone()],
    };
    let mut all = deltas(&[
        json!({"reasoning_content": "hm"}),
        json!({}),
        json!({"content": "a"}),
    ]);
    all[1].native = Some(Arc::new(native));
    let found = read(&streamed(ANTHROPIC, &all, &Ending::default())).unwrap();
    assert_eq!(found.blocks.len(), 2);
    let turns = json!([{"role": "user", "content": "x"},
        {"role": "assistant", "content": found.blocks}, {"role": "user", "content": "y"}]);
    let body = json!({"model": "m", "max_tokens": 9, "messages": turns});
    let request = decoded(ANTHROPIC, &body).unwrap();
    let message = &request.messages()[1];
    assert_eq!(message.text(), "a");
    let native = message.native().unwrap();
    assert_eq!(
        (native.dialect, &native.value),
        (Dialect::OpenAiResponses, &vec![item])
    );
    assert!(is_made_by(&native.model, "up/o") && !is_made_by(&native.model, "up/m"));
    let again = translated(ANTHROPIC, ANTHROPIC, &body);
    assert!(!again.to_string().contains("hone1."), "{again}");
}

#[test]
fn a_client_that_did_not_ask_for_thinking_gets_no_block_of_it() {
    let mut frame = frame(ANTHROPIC);
    let origin = hone_strategies::chat::Origin::new(ANTHROPIC);
    let request = hone_strategies::chat::ChatRequest::new("m", []);
    frame.request = request.with_origin(Some(Arc::new(origin)));
    let mut encoder = codec(ANTHROPIC).stream_encoder(frame);
    let mut text = encoder.begin();
    let said = [json!({"reasoning_content": "hm"}), json!({"content": "Hi"})];
    for delta in deltas(&said) {
        text += &encoder.delta(0, &delta);
    }
    text += &encoder.end(&Ending::default());
    let found = read(&text).unwrap();
    assert_eq!(found.blocks, [json!({"type": "text", "text": "Hi"})]);
}

#[test]
fn a_stream_begins_with_an_estimate_of_the_prompt_and_ends_with_the_truth() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [
        {"role": "user", "content": "What is the weather in Oslo, please?"}]});
    let mut frame = frame(ANTHROPIC);
    frame.request = decoded(ANTHROPIC, &body).unwrap();
    let estimate = frame.request.estimated_prompt_tokens();
    assert!(estimate > 5);
    let mut encoder = codec(ANTHROPIC).stream_encoder(frame);
    let start = encoder.begin();
    let told = format!(r#""usage":{{"input_tokens":{estimate},"output_tokens":0}}"#);
    assert!(start.contains(&told), "{start}");
    let usage = Usage::new(3, 4);
    let ending = Ending {
        usage,
        trailer: None,
    };
    let text = start + &encoder.delta(0, &Delta::content("Rain.")) + &encoder.end(&ending);
    assert_eq!(read(&text).unwrap().usage["input_tokens"], 3);
}

#[test]
fn more_than_may_be_held_back_is_a_failure() {
    let mut frame = frame(ANTHROPIC);
    frame.max_held_bytes = 1000;
    let mut encoder = codec(ANTHROPIC).stream_encoder(frame);
    let mut text = encoder.begin();
    let mut all = deltas(&[call(0, "f", "{")]);
    all.extend((0..100).map(|_| Delta::content("0123456789".repeat(5))));
    for delta in &all {
        text += &encoder.delta(0, delta);
    }
    text += &encoder.end(&Ending::default());
    assert_eq!(read(&text).unwrap().end, End::Error("api_error".to_owned()));
}

#[test]
fn cutting_a_stream_anywhere_is_an_error_unless_the_answer_was_whole() {
    let text = stream(&blocks(), "tool_use");
    let finished = text.find("event: message_stop").unwrap();
    for cut in 0..text.len() {
        let found = events(ANTHROPIC, [&text.as_bytes()[..cut]]);
        let is_whole = matches!(found.last(), Some(Event::Done));
        // The last event of an answer may lack its blank line.
        assert_eq!(is_whole, cut + 2 >= finished, "{cut} of {finished}");
    }
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
    fn a_server_tool_leaves_no_gap_between_the_numbers_of_blocks(
        places in prop::collection::vec(0_usize..5, 1..4),
    ) {
        let mut blocks = blocks();
        for (number, at) in places.into_iter().enumerate() {
            let id = format!("srvtoolu_{number}");
            let search = json!({"type": "server_tool_use", "id": id, "name": "web_search",
                "input": {"q": "a"}});
            let found = json!({"type": "web_search_tool_result", "tool_use_id": id,
                "content": []});
            blocks.splice(at..at, [search, found]);
        }
        // The reader counts them.
        prop_assert_eq!(passed_on(&stream(&blocks, "tool_use")).blocks, blocks);
    }

    #[test]
    fn any_split_of_the_bytes_gives_the_same_events(
        cuts in prop::collection::vec(0_usize..2000, 0..6),
    ) {
        let text = stream(&blocks(), "tool_use").replace("\n\n", "\r\n\r\n");
        let bytes = text.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
        prop_assert_eq!(events(ANTHROPIC, pieces), events(ANTHROPIC, [bytes]));
    }

    #[test]
    fn no_second_message_start_and_no_delta_unlike_its_block_whatever_is_added(
        added in prop::collection::vec(any_delta(), 0..20),
        reason in "stop|tool_calls|content_filter",
    ) {
        let mut all = deltas(&added);
        all.push(Delta::finish(&reason));
        let ending = Ending { usage: Usage::new(1, 2), trailer: None };
        let text = streamed(ANTHROPIC, &all, &ending);
        let found = read(&text);
        prop_assert!(found.is_ok(), "{:?}\n{}", found, text);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..5),
    ) {
        let found = events(ANTHROPIC, pieces.iter().map(Vec::as_slice));
        prop_assert!(matches!(found.last(), Some(Event::Failed(_))));
    }
}
