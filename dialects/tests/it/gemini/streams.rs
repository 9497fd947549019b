//! Upstreams' streams, read and passed on.

use std::sync::Arc;

use hone_dialects::{Dialect, Ending, ErrorReply, Event, codec};
use hone_strategies::chat::{ChatRequest, Completion, Delta, Origin, Usage};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::grammar::gemini::{End, Read, read};
use crate::support::{chunks, collected, events, frame, source};

const GEMINI: Dialect = Dialect::Gemini;

fn chunk(candidate: &Value, usage: Option<&Value>) -> Value {
    let mut chunk = json!({"candidates": [candidate], "modelVersion": "g", "responseId": "r"});
    if let Some(usage) = usage {
        chunk["usageMetadata"] = usage.clone();
    }
    chunk
}

fn usage() -> Value {
    json!({"promptTokenCount": 3, "candidatesTokenCount": 4, "thoughtsTokenCount": 5,
        "totalTokenCount": 12})
}

/// An upstream's chunks, one a part; the last one has the reason and the counters.
fn upstream(parts: &[Value], reason: &str) -> Vec<Value> {
    let mut chunks: Vec<Value> = parts
        .iter()
        .map(|part| {
            let content = json!({"role": "model", "parts": [part]});
            chunk(&json!({"content": content, "index": 0}), None)
        })
        .collect();
    let last = json!({"content": {"role": "model", "parts": [{"text": ""}]},
        "finishReason": reason, "index": 0});
    chunks.push(chunk(&last, Some(&usage())));
    chunks
}

fn as_events(chunks: &[Value]) -> String {
    let event = |chunk: &Value| format!("data: {chunk}\r\n\r\n");
    chunks.iter().map(event).collect::<Vec<_>>().concat()
}

fn as_array(chunks: &[Value]) -> String {
    let chunks: Vec<String> = chunks.iter().map(Value::to_string).collect();
    format!("[{}\n]\n", chunks.join("\n,"))
}

/// A turn with thoughts, texts, signatures and calls.
fn parts() -> Vec<Value> {
    vec![
        json!({"text": "hm ", "thought": true}),
        json!({"text": "hm", "thought": true}),
        json!({"text": "Hel"}),
        json!({"text": "lo"}),
        json!({"functionCall": {"name": "f", "args": {"a": {"b": "}"}}},
            "thoughtSignature": "c2ln"}),
        json!({"functionCall": {"name": "g", "args": {}, "id": "fc-1"}}),
    ]
}

/// The same without what chat cannot say.
fn plain() -> Vec<Value> {
    vec![
        json!({"text": "hm", "thought": true}),
        json!({"text": "Hel"}),
        json!({"text": "lo"}),
        json!({"functionCall": {"name": "f", "args": {"a": 1}}}),
    ]
}

/// What a client of Google's gets of an upstream's stream.
fn passed_on(text: &str) -> Read {
    let found = events(GEMINI, [text.as_bytes()]);
    let mut encoder = codec(GEMINI).stream_encoder(frame(GEMINI));
    let mut told = encoder.begin();
    let mut ending = Ending::default();
    for chunk in chunks(found) {
        ending.usage = chunk.usage.unwrap_or(ending.usage);
        for choice in chunk.choices {
            told += &encoder.delta(choice.index, &choice.delta);
        }
    }
    told += &encoder.end(&ending);
    read(&told).unwrap_or_else(|why| panic!("{why}"))
}

pub(super) fn deltas(fields: &[Value]) -> Vec<Delta> {
    let delta = |fields: &Value| Delta {
        fields: fields.as_object().unwrap().clone(),
        ..Delta::default()
    };
    fields.iter().map(delta).collect()
}

fn failure(events: Vec<Event>) -> ErrorReply {
    match events.into_iter().last() {
        Some(Event::Failed(error)) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_stream_of_googles_is_the_same_after_the_middle() {
    let expected = [
        json!({"text": "hm hm", "thought": true}),
        json!({"text": "Hello"}),
        parts()[4].clone(),
        parts()[5].clone(),
    ];
    for text in [as_events, as_array].map(|form| form(&upstream(&parts(), "STOP"))) {
        let found = passed_on(&text);
        assert_eq!(found.joined(), expected);
        assert_eq!(found.end, End::Whole(vec!["STOP".to_owned()]));
        assert_eq!(found.usage, usage());
    }
}

#[test]
fn a_signature_on_the_last_text_stays_there() {
    let parts = [
        json!({"text": "Hi"}),
        json!({"text": "", "thoughtSignature": "c2ln"}),
    ];
    let found = passed_on(&as_events(&upstream(&parts, "STOP")));
    assert_eq!(found.joined().last().unwrap()["thoughtSignature"], "c2ln");
}

#[test]
fn what_a_tool_of_googles_found_comes_with_the_answer() {
    let code = json!({"executableCode": {"language": "PYTHON", "code": "1+1"}});
    let mut all = upstream(
        &[json!({"text": "a"}), code.clone(), json!({"text": "b"})],
        "STOP",
    );
    let sources = json!({"webSearchQueries": ["q"]});
    all.last_mut().unwrap()["candidates"][0]["groundingMetadata"] = sources.clone();
    let found = passed_on(&as_events(&all));
    assert_eq!(
        found.joined(),
        [json!({"text": "a"}), code, json!({"text": "b"})]
    );
    assert_eq!(found.last["groundingMetadata"], sources);
}

#[test]
fn a_stream_says_the_same_as_the_whole_answer() {
    for parts in [parts(), plain()] {
        let text = as_events(&upstream(&parts, "STOP"));
        let streamed = collected(events(GEMINI, [text.as_bytes()])).unwrap();
        let body = json!({"candidates": [{"content": {"role": "model", "parts": parts},
            "finishReason": "STOP"}], "usageMetadata": usage()});
        let whole = codec(GEMINI).decode_answer(body.to_string().as_bytes(), &source());
        let whole = whole.unwrap();
        let said = |answer: &Completion| answer.choices[0].message.clone();
        assert_eq!(said(&streamed).fields(), said(&whole).fields());
        assert_eq!(
            said(&streamed).native().is_some(),
            said(&whole).native().is_some()
        );
        assert_eq!(streamed.usage, whole.usage);
        assert_eq!(
            streamed.usage,
            Some(Usage {
                reasoning: 5,
                ..Usage::new(3, 9)
            })
        );
        let reason = |answer: &Completion| answer.choices[0].finish_reason.clone();
        assert_eq!(reason(&streamed), reason(&whole));
    }
}

#[test]
fn a_stop_after_calls_does_not_make_the_client_forget_them() {
    let mut all = upstream(
        &[json!({"functionCall": {"name": "f", "args": {}}})],
        "STOP",
    );
    all[0]["candidates"][0]["finishReason"] = "STOP".into();
    let found = collected(events(GEMINI, [as_events(&all).as_bytes()])).unwrap();
    assert_eq!(
        found.choices[0].finish_reason.as_deref(),
        Some("tool_calls")
    );
    assert_eq!(found.usage.unwrap().completion, 9, "the last counters hold");
}

/// The reasons and counters that are told after each of these documents.
fn told_after(documents: &[Value]) -> Vec<(Vec<String>, Option<u64>)> {
    let mut decoder = codec(GEMINI).stream_decoder(source());
    let mut told = |document: &Value| {
        let found = chunks(decoder.push(as_events(std::slice::from_ref(document)).as_bytes()));
        let usage = found.iter().filter_map(|chunk| chunk.usage).next_back();
        let choices = found.into_iter().flat_map(|chunk| chunk.choices);
        let reasons = choices.filter_map(|choice| choice.delta.finish_reason);
        (reasons.collect(), usage.map(|usage| usage.completion))
    };
    documents.iter().map(&mut told).collect()
}

#[test]
fn an_end_and_its_counters_are_told_when_they_come() {
    let none = || (Vec::new(), None);
    let ended = |reason: &str, tokens: u64| (vec![reason.to_owned()], Some(tokens));
    let said = |part: Value, reason: Option<&str>, tokens: u64| {
        let mut candidate = json!({"content": {"role": "model", "parts": [part]}});
        if let Some(reason) = reason {
            candidate["finishReason"] = reason.into();
        }
        let usage = json!({"promptTokenCount": 1, "candidatesTokenCount": tokens});
        chunk(&candidate, Some(&usage))
    };
    let text = || json!({"text": "a"});
    let call = || json!({"functionCall": {"name": "f", "args": {}}});
    let counters = json!({"usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 9}});
    let all = [
        said(text(), None, 1),
        said(text(), Some("STOP"), 2),
        counters.clone(),
    ];
    let counted = (Vec::new(), Some(9));
    assert_eq!(
        told_after(&all),
        [none(), ended("stop", 2), counted.clone()]
    );
    let all = [
        said(call(), Some("STOP"), 1),
        said(json!({"text": ""}), Some("STOP"), 2),
    ];
    let later = (Vec::new(), Some(2));
    assert_eq!(told_after(&all), [ended("tool_calls", 1), later]);
    let all = [
        said(text(), Some("STOP"), 1),
        said(call(), Some("STOP"), 2),
        counters,
    ];
    assert_eq!(
        told_after(&all),
        [ended("stop", 1), ended("tool_calls", 2), counted]
    );
    // An empty answer is none, but its parts may still come.
    let all = [
        said(json!({"text": ""}), Some("OTHER"), 0),
        said(text(), None, 1),
    ];
    assert_eq!(told_after(&all), [none(), ended("stop", 1)]);
}

#[test]
fn an_end_that_is_told_early_is_an_end_only_if_the_body_ends_well() {
    let text = as_events(&upstream(&[json!({"text": "a"})], "STOP"));
    let error = json!({"error": {"code": 503, "message": "Busy", "status": "UNAVAILABLE"}});
    let text = text + &as_events(&[error]);
    assert_eq!(failure(events(GEMINI, [text.as_bytes()])).message, "Busy");
    let blocked = as_events(&[json!({"promptFeedback": {"blockReason": "SAFETY"}})]);
    let found = events(GEMINI, [blocked.as_bytes()]);
    let refusals = chunks(found).into_iter().flat_map(|chunk| chunk.choices);
    let refusals = refusals.filter(|choice| choice.delta.fields.contains_key("refusal"));
    assert_eq!(refusals.count(), 1, "told once");
}

#[test]
fn a_malformed_call_is_a_failure_and_not_an_empty_answer() {
    for (word, code) in [
        ("MALFORMED_FUNCTION_CALL", "malformed_tool_call"),
        ("TOO_MANY_TOOL_CALLS", "upstream_malformed"),
        ("MISSING_THOUGHT_SIGNATURE", "upstream_malformed"),
    ] {
        let text = as_events(&upstream(&[json!({"text": "a"})], word));
        let error = failure(events(GEMINI, [text.as_bytes()]));
        assert_eq!(
            (error.status, error.code.as_deref()),
            (502, Some(code)),
            "{word}"
        );
    }
}

#[test]
fn a_blocked_prompt_is_a_refusal_with_its_reason() {
    let text = as_events(&[json!({"promptFeedback": {"blockReason": "SAFETY"},
        "usageMetadata": {"promptTokenCount": 7}})]);
    let found = collected(events(GEMINI, [text.as_bytes()])).unwrap();
    let choice = &found.choices[0];
    assert_eq!(choice.finish_reason.as_deref(), Some("content_filter"));
    assert_eq!(
        choice.message.refusal(),
        Some("The prompt was blocked: SAFETY.")
    );
    assert_eq!(found.usage.unwrap().prompt, 7);
}

#[test]
fn an_error_in_mid_stream_is_told_by_its_status() {
    let error = json!({"error": {"code": 503, "message": "Busy", "status": "UNAVAILABLE"}});
    let mut all = upstream(&parts(), "STOP");
    all.truncate(2);
    all.push(error);
    for text in [as_events(&all), as_array(&all)] {
        let error = failure(events(GEMINI, [text.as_bytes()]));
        assert_eq!(&*error.message, "Busy");
        assert!(error.status >= 500, "{error:?}");
    }
}

#[test]
fn several_candidates_stay_apart() {
    let said = |index: u32, text: &str, reason: Option<&str>| {
        let content = json!({"role": "model", "parts": [{"text": text}]});
        let mut candidate = json!({"content": content, "index": index});
        if let Some(reason) = reason {
            candidate["finishReason"] = reason.into();
        }
        chunk(&candidate, Some(&usage()))
    };
    let all = [
        said(1, "b", None),
        said(0, "a", None),
        said(1, "B", Some("MAX_TOKENS")),
        said(0, "A", Some("STOP")),
    ];
    let found = passed_on(&as_events(&all));
    let texts = found.candidates.iter().map(|parts| {
        let texts = parts.iter().map(|part| part["text"].as_str().unwrap());
        texts.collect::<String>()
    });
    assert_eq!(texts.collect::<Vec<_>>(), ["aA", "bB"]);
    let reasons = ["STOP", "MAX_TOKENS"].map(str::to_owned);
    assert_eq!(found.end, End::Whole(reasons.to_vec()));
}

#[test]
fn a_client_that_did_not_ask_for_thoughts_gets_none() {
    let mut frame = frame(GEMINI);
    let origin = Some(Arc::new(Origin::new(GEMINI)));
    frame.request = ChatRequest::new("m", []).with_origin(origin);
    let mut encoder = codec(GEMINI).stream_encoder(frame);
    let mut text = encoder.begin();
    let found = events(GEMINI, [as_events(&upstream(&parts(), "STOP")).as_bytes()]);
    let own = chunks(found).into_iter().flat_map(|chunk| chunk.choices);
    let own = own.map(|choice| choice.delta);
    for delta in deltas(&[json!({"reasoning_content": "hm"})])
        .into_iter()
        .chain(own)
    {
        text += &encoder.delta(0, &delta);
    }
    text += &encoder.end(&Ending::default());
    assert!(!text.contains("thought\""), "{text}");
    assert_eq!(read(&text).unwrap().joined().len(), 3);
}

#[test]
fn cutting_a_stream_anywhere_is_an_error_unless_the_answer_was_whole() {
    for form in [as_events, as_array] {
        let text = form(&upstream(&parts(), "STOP"));
        // White space behind the last brace or bracket says nothing.
        let finished = text.trim_end().len();
        for cut in 0..=text.len() {
            let found = events(GEMINI, [&text.as_bytes()[..cut]]);
            let is_whole = matches!(found.last(), Some(Event::Done));
            assert_eq!(is_whole, cut >= finished, "{cut} of {finished}");
        }
    }
}

#[test]
fn a_stream_that_ends_without_a_reason_was_cut() {
    let mut all = upstream(&parts(), "STOP");
    all.pop();
    for text in [
        as_events(&all),
        as_array(&all),
        as_events(&upstream(&parts(), "FINISH_REASON_UNSPECIFIED")),
        String::new(),
        "\n\n".to_owned(),
    ] {
        let error = failure(events(GEMINI, [text.as_bytes()]));
        assert_eq!(error.code.as_deref(), Some("upstream_truncated"), "{text}");
    }
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_gives_the_same_events(
        cuts in prop::collection::vec(0_usize..2000, 0..6), is_array: bool,
    ) {
        let form = if is_array { as_array } else { as_events };
        let text = form(&upstream(&parts(), "STOP"));
        let bytes = text.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
        prop_assert_eq!(events(GEMINI, pieces), events(GEMINI, [bytes]));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        head in prop::sample::select(vec!["", "[", "data: ", "[{\"candidates\":[", "{"]),
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..5),
    ) {
        let head = [head.as_bytes()];
        let found = events(GEMINI, head.into_iter().chain(pieces.iter().map(Vec::as_slice)));
        prop_assert!(matches!(found.last(), Some(Event::Failed(_))));
    }
}
