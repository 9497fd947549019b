//! Streams, written for clients.

use std::sync::Arc;

use hone_dialects::{Dialect, Ending, ErrorReply, Frame, codec};
use hone_strategies::chat::{ChatRequest, Delta, Native, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::upstream::{call_piece, deltas};
use crate::grammar::response::check_response;
use crate::grammar::responses::{End, Read, read};
use crate::support::{collected, decoded, events, frame, streamed};

const OWN: Dialect = Dialect::OpenAiResponses;

fn written(fields: &[Value]) -> Read {
    let text = streamed(OWN, &deltas(fields), &Ending::default());
    read(&text).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

/// What a client with this request gets of these deltas.
fn to_client(body: &Value, deltas: &[Delta]) -> Read {
    let mut frame = frame(OWN);
    frame.request = decoded(OWN, body).unwrap();
    let mut encoder = codec(OWN).stream_encoder(frame);
    let mut text = encoder.begin();
    for delta in deltas {
        text += &encoder.delta(0, delta);
    }
    text += &encoder.end(&Ending::default());
    read(&text).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

fn texts(read: &Read) -> Vec<String> {
    let part = |item: &Value| item["content"][0]["text"].as_str().map(str::to_owned);
    read.items.iter().filter_map(part).collect()
}

#[test]
fn the_completed_response_has_the_very_items_that_were_streamed() {
    let said = [
        json!({"reasoning_content": "Hm"}),
        json!({"reasoning_content": "m."}),
        json!({"content": "Hel"}),
        json!({"content": "lo"}),
        call_piece(0, "add", "{\"a\":"),
        call_piece(0, "", "1}"),
    ];
    let found = written(&said);
    assert_eq!(found.end, End::Whole("completed".to_owned()));
    assert_eq!(found.response["output"], json!(found.items));
    let kinds: Vec<_> = found
        .items
        .iter()
        .map(|item| item["type"].clone())
        .collect();
    assert_eq!(kinds, ["reasoning", "message", "function_call"]);
    assert_eq!(found.items[0]["summary"][0]["text"], "Hmm.");
    assert_eq!(found.items[2]["arguments"], r#"{"a":1}"#);
}

#[test]
fn the_first_token_of_a_new_item_is_not_lost() {
    let said = [
        json!({"content": "One"}),
        json!({"reasoning_content": "T"}),
        json!({"content": "Two"}),
    ];
    assert_eq!(texts(&written(&said)), ["One", "Two"]);
}

#[test]
fn no_empty_message_stands_beside_a_call() {
    let found = written(&[json!({"content": ""}), call_piece(0, "f", "{}")]);
    assert_eq!(found.items.len(), 1);
    assert_eq!(found.items[0]["type"], "function_call");
}

#[test]
fn parallel_calls_whose_arguments_come_in_turns_are_two_whole_calls() {
    let said = [
        call_piece(0, "f", "{\"a\":"),
        call_piece(1, "g", "{\"b\":1}"),
        call_piece(0, "", "2}"),
    ];
    let found = written(&said);
    let arguments: Vec<_> = found.items.iter().map(|item| &item["arguments"]).collect();
    assert_eq!(arguments, [r#"{"a":2}"#, r#"{"b":1}"#]);
    let ids: Vec<_> = found.items.iter().map(|item| &item["call_id"]).collect();
    assert_eq!(ids, ["call_0", "call_1"]);
}

#[test]
fn an_answer_that_was_cut_off_is_incomplete_and_its_usage_is_not_lost() {
    let mut all = deltas(&[json!({"content": "Hel"})]);
    all.push(Delta::finish("length"));
    let ending = Ending {
        usage: Usage::new(3, 9),
        trailer: Some("{}".to_owned()),
    };
    let found = read(&streamed(OWN, &all, &ending)).unwrap();
    assert_eq!(found.end, End::Whole("incomplete".to_owned()));
    let response = &found.response;
    assert_eq!(
        response["incomplete_details"]["reason"],
        "max_output_tokens"
    );
    assert_eq!(response["usage"]["output_tokens"], 9);
    assert_eq!(found.items[0]["status"], "incomplete");
}

#[test]
fn a_refusal_is_a_part_of_a_complete_answer() {
    let mut all = deltas(&[json!({"refusal": "I can"}), json!({"refusal": "not."})]);
    all.push(Delta::finish("content_filter"));
    let found = read(&streamed(OWN, &all, &Ending::default())).unwrap();
    assert_eq!(found.end, End::Whole("completed".to_owned()));
    let part = json!({"type": "refusal", "refusal": "I cannot."});
    assert_eq!(found.items[0]["content"], json!([part]));
}

#[test]
fn an_answer_that_was_filtered_without_a_word_is_incomplete() {
    let all = [Delta::finish("content_filter")];
    let found = read(&streamed(OWN, &all, &Ending::default())).unwrap();
    let details = &found.response["incomplete_details"];
    assert_eq!(details, &json!({"reason": "content_filter"}));
}

#[test]
fn a_failure_in_mid_stream_is_response_failed_and_never_an_end() {
    for (error, code) in [
        (ErrorReply::new(429, "Slow down."), "rate_limit_exceeded"),
        (ErrorReply::new(502, "Gone."), "server_error"),
        (
            ErrorReply {
                overflow: Some(hone_dialects::Overflow::default()),
                ..ErrorReply::new(400, "Too long.")
            },
            "context_length_exceeded",
        ),
    ] {
        let mut encoder = codec(OWN).stream_encoder(frame(OWN));
        let mut text = encoder.begin() + &encoder.delta(0, &Delta::content("Hel"));
        text += &encoder.fail(&error);
        text += &encoder.delta(0, &Delta::content("lo"));
        text += &(encoder.beat() + &encoder.end(&Ending::default()) + &encoder.fail(&error));
        let found = read(&text).unwrap();
        assert_eq!(found.end, End::Failed(code.to_owned()));
        assert_eq!(found.response["error"]["message"], error.message);
    }
}

#[test]
fn a_failure_before_anything_was_said_comes_behind_the_beginning() {
    let mut encoder = codec(OWN).stream_encoder(frame(OWN));
    let text = encoder.beat() + &encoder.fail(&ErrorReply::new(500, "No."));
    assert_eq!(
        read(&text).unwrap().end,
        End::Failed("server_error".to_owned())
    );
}

#[test]
fn beats_count_like_events_and_come_anywhere() {
    let mut encoder = codec(OWN).stream_encoder(frame(OWN));
    let mut text = encoder.beat() + &encoder.begin() + &encoder.beat();
    text += &encoder.delta(0, &Delta::content("Hel"));
    text += &encoder.beat();
    text += &encoder.delta(0, &Delta::content("lo"));
    text += &encoder.end(&Ending::default());
    let found = read(&text).unwrap();
    assert_eq!(found.beats, 2);
    assert_eq!(texts(&found), ["Hello"]);
}

#[test]
fn a_custom_tools_call_comes_back_as_one() {
    let body = json!({"model": "m", "input": "Hi",
        "tools": [{"type": "custom", "name": "apply_patch", "description": "Patch."}]});
    let said = [
        call_piece(0, "apply_patch", "{\"input\":\"*** Be"),
        call_piece(0, "", "gin\\nx\"}"),
    ];
    let found = to_client(&body, &deltas(&said));
    assert_eq!(found.items[0]["type"], "custom_tool_call");
    assert_eq!(found.items[0]["input"], "*** Begin\nx");
    assert_eq!(found.items[0]["name"], "apply_patch");
    assert_eq!(found.response["tools"], body["tools"]);
}

#[test]
fn a_tool_in_a_namespace_is_called_there() {
    let body = json!({"model": "m", "input": "Hi", "tools": [{"type": "namespace",
        "name": "files", "description": "", "tools": [{"type": "function", "name": "read",
        "parameters": {}, "strict": false}]}]});
    let found = to_client(&body, &deltas(&[call_piece(0, "files__read", "{}")]));
    assert_eq!(found.items[0]["namespace"], "files");
    assert_eq!(found.items[0]["name"], "read");
}

#[test]
fn a_client_that_did_not_ask_for_reasoning_gets_none() {
    let body = json!({"model": "m", "input": "Hi"});
    let said = deltas(&[json!({"reasoning_content": "hm"}), json!({"content": "Hi"})]);
    let found = to_client(&body, &said);
    assert_eq!(found.items.len(), 1);
    assert_eq!(found.items[0]["type"], "message");
}

#[test]
fn what_another_provider_signed_is_sealed_for_a_client_that_asks_for_it() {
    let native = Native {
        dialect: Dialect::Anthropic,
        model: "up/claude".to_owned(),
        value: vec![json!({"type": "thinking", "thinking": "hm", "signature": "s"})],
    };
    let signed = Delta {
        native: Some(Arc::new(native)),
        ..Delta::default()
    };
    let mut all = deltas(&[json!({"reasoning_content": "hm"})]);
    all.push(signed.clone());
    all.push(Delta::content("Hi"));
    let encrypted = "reasoning.encrypted_content";
    let asked = json!({"model": "m", "input": "Hi", "include": [encrypted],
        "reasoning": {"summary": "auto"}});
    let found = to_client(&asked, &all);
    let item = &found.items[0];
    assert_eq!(item["summary"][0]["text"], "hm");
    let sealed = item["encrypted_content"].as_str().unwrap();
    let opened = hone_dialects::marks::envelope::open(sealed).unwrap();
    let value = opened.of(Dialect::Anthropic, "up/claude").unwrap();
    assert_eq!(value[0]["signature"], "s");
    let unseen = json!({"model": "m", "input": "Hi", "include": [encrypted]});
    let found = to_client(&unseen, &all);
    assert_eq!(found.items[0]["summary"], json!([]));
    assert!(found.items[0]["encrypted_content"].is_string());
    let found = to_client(&json!({"model": "m", "input": "Hi"}), &all);
    assert_eq!(found.items.len(), 1, "nobody asked");
}

#[test]
fn probabilities_of_tokens_come_with_their_texts() {
    let body = json!({"model": "m", "input": "Hi", "include": ["message.output_text.logprobs"]});
    let entry = json!({"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []});
    let delta = Delta {
        logprobs: Some(json!({"content": [entry]}).into()),
        ..Delta::content("Hi")
    };
    let found = to_client(&body, &[delta]);
    assert_eq!(found.items[0]["content"][0]["logprobs"], json!([entry]));
}

#[test]
fn pages_that_an_answer_cites_are_annotations() {
    let citation = json!({"url": "https://a.b", "title": "A", "start_index": 0, "end_index": 2});
    let annotation = json!({"type": "url_citation", "url_citation": citation});
    let said = [
        json!({"content": "Hi"}),
        json!({ "annotations": [annotation] }),
    ];
    let found = written(&said);
    let annotations = &found.items[0]["content"][0]["annotations"];
    assert_eq!(annotations[0]["type"], "url_citation");
    assert_eq!(annotations[0]["url"], "https://a.b");
}

#[test]
fn more_than_may_be_held_back_is_a_failure() {
    let mut frame: Frame = frame(OWN);
    frame.max_held_bytes = 1000;
    let mut encoder = codec(OWN).stream_encoder(frame);
    let mut text = encoder.begin();
    for _ in 0..300 {
        text += &encoder.delta(0, &Delta::content("0123456789"));
    }
    text += &encoder.end(&Ending::default());
    assert_eq!(
        read(&text).unwrap().end,
        End::Failed("server_error".to_owned())
    );
}

#[test]
fn the_first_events_say_what_was_asked() {
    let body = json!({"model": "m", "input": "Hi", "instructions": "Be brief.",
        "max_output_tokens": 50, "temperature": 0.5, "metadata": {"a": "b"},
        "tool_choice": {"type": "function", "name": "f"},
        "tools": [{"type": "function", "name": "f", "parameters": {}, "strict": true}],
        "text": {"format": {"type": "json_object"}, "verbosity": "low"},
        "reasoning": {"effort": "low", "summary": "auto"}});
    let found = to_client(&body, &deltas(&[json!({"content": "{}"})]));
    for name in [
        "instructions",
        "max_output_tokens",
        "temperature",
        "metadata",
        "tool_choice",
    ] {
        assert_eq!(found.response[name], body[name], "{name}");
    }
    for name in ["tools", "text", "reasoning"] {
        assert_eq!(found.response[name], body[name], "{name}");
    }
    check_response(&found.response).unwrap();
}

fn any_delta() -> impl Strategy<Value = Value> {
    let said = (
        prop::sample::select(vec!["content", "reasoning_content", "refusal"]),
        "[a-c]{0,3}",
    )
        .prop_map(|(name, text)| json!({ name: text }));
    let called =
        (0_u32..3, "[ab{}\":1]{0,4}").prop_map(|(index, more)| call_piece(index, "f", &more));
    prop_oneof![said, called]
}

fn said(deltas: &[Value], name: &str) -> String {
    let texts = deltas.iter().filter_map(|delta| delta[name].as_str());
    texts.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_event_of_a_part_and_no_index_is_missing_whatever_is_added(
        added in prop::collection::vec(any_delta(), 0..20),
        reason in "stop|tool_calls|content_filter|length",
    ) {
        let mut all = deltas(&added);
        all.push(Delta::finish(&reason));
        let ending = Ending { usage: Usage::new(1, 2), trailer: None };
        let text = streamed(OWN, &all, &ending);
        let found = read(&text);
        prop_assert!(found.is_ok(), "{:?}\n{}", found, text);
        prop_assert_eq!(&found.unwrap().response["usage"]["input_tokens"], 1);
    }

    /// No text is lost, none comes twice.
    #[test]
    fn the_text_that_goes_in_comes_out(added in prop::collection::vec(any_delta(), 0..20)) {
        let text = streamed(OWN, &deltas(&added), &Ending::default());
        let found = read(&text).unwrap();
        prop_assert_eq!(texts(&found).concat(), said(&added, "content"));
        let thoughts: String = found.items.iter()
            .filter_map(|item| item["summary"][0]["text"].as_str()).collect();
        prop_assert_eq!(thoughts, said(&added, "reasoning_content"));
    }

    /// What the encoder writes says the same to the decoder.
    #[test]
    fn a_written_stream_is_read_as_what_was_written(
        added in prop::collection::vec(any_delta(), 1..12), usage in (0_u64..99, 0_u64..99),
    ) {
        let ending = Ending { usage: Usage::new(usage.0, usage.1), trailer: None };
        let text = streamed(OWN, &deltas(&added), &ending);
        let found = collected(events(OWN, [text.as_bytes()]));
        let found = found.expect("a whole answer");
        prop_assert_eq!(found.usage, Some(ending.usage));
        let message = &found.choices[0].message;
        let told = message.get("content").and_then(Value::as_str).unwrap_or_default();
        prop_assert_eq!(told.replace("\n\n", ""), said(&added, "content"));
    }

    /// Codex and the SDKs take the response, its items and its calls by their ids.
    #[test]
    fn ids_are_the_same_in_every_event(seed in "[a-z]{1,9}", count in 1_u32..5) {
        let mut frame = frame(OWN);
        frame.seed = seed;
        frame.request = ChatRequest::new("m", []);
        let mut encoder = codec(OWN).stream_encoder(frame);
        let mut text = encoder.begin();
        for index in 0..count {
            for delta in deltas(&[json!({"content": "a"}), call_piece(index, "f", "{}")]) {
                text += &encoder.delta(0, &delta);
            }
        }
        text += &encoder.end(&Ending::default());
        prop_assert!(read(&text).is_ok(), "the reader compares them");
    }
}
