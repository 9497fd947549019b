use proptest::prelude::*;

use super::*;
use crate::sse::encode;

fn body(api: Api, text: &str) -> Observed {
    let mut reader = UsageReader::body(api, 10_000, 2);
    for chunk in text.as_bytes().chunks(7) {
        reader.observe(&Bytes::copy_from_slice(chunk));
    }
    reader.finish()
}

fn stream(api: Api, events: &[&str]) -> Observed {
    let text: Vec<u8> = events.iter().flat_map(|data| encode::event(data)).collect();
    let mut reader = UsageReader::stream(api, 10_000, 1);
    for chunk in text.chunks(7) {
        reader.observe(&Bytes::copy_from_slice(chunk));
    }
    reader.finish()
}

fn kind(api: Api, data: &str) -> EventKind {
    let event = Splitter::new(10_000)
        .push(encode::event(data))
        .next()
        .unwrap();
    StreamReader::new(api, 1).observe(&event)
}

#[test]
fn how_a_stream_is_cut_changes_nothing_that_is_charged() {
    let large = format!("data: {}\n\n", "x".repeat(400));
    for (api, text) in [
        (Api::Any, "\n".repeat(50)),
        (Api::Any, "data: x\n\n\n\n\n: y\n\n".repeat(9)),
        (Api::Any, large.clone()),
        (Api::ChatCompletions, large),
    ] {
        let read = |size| {
            let mut reader = UsageReader::stream(api, 100, 1);
            for chunk in text.as_bytes().chunks(size) {
                reader.observe(&Bytes::copy_from_slice(chunk));
            }
            reader.finish()
        };
        for size in [1, 2, 7, 33] {
            assert_eq!(read(size), read(1000), "{api:?} {size} {text:?}");
        }
    }
}

#[test]
fn an_unknown_api_is_charged_what_it_reports_or_else_its_bytes() {
    let (usage, bytes) = (Usage::new(3, 4), Written::one);
    let of = |reported, counted| Observed {
        reported,
        counted: Some(counted),
        ..Observed::default()
    };
    let report = r#"{"x":[1],"usage":{"prompt_tokens":3,"completion_tokens":4},"y":{}}"#;
    assert_eq!(body(Api::Any, report), of(Some(usage), bytes(0)));
    for text in [
        "x".repeat(41).as_str(),
        &format!("{{\"usage\":{}}}", "1".repeat(31)),
    ] {
        assert_eq!(body(Api::Any, text), of(None, bytes(11)), "{text}");
    }
    let zero = r#"{"usage":{"total_tokens":0},"a":"123456789 12"}"#;
    assert_eq!(body(Api::Any, zero), of(None, bytes(12)));
    let large = "x".repeat(20_001);
    assert_eq!(body(Api::Any, &large), of(None, bytes(5001)));
    for event in [
        r#"{"usage":{"input_tokens":3,"output_tokens":4}}"#,
        r#"{"type":"a","response":{"usage":{"input_tokens":3,"output_tokens":4}}}"#,
        r#"{"message":{"usage":{"input_tokens":3,"output_tokens":4}}}"#,
    ] {
        assert_eq!(stream(Api::Any, &[event]), of(Some(usage), bytes(0)));
    }
    let report = r#"{"type":"message_delta","usage":{"input_tokens":3,"output_tokens":4}}"#;
    let ended = stream(Api::Any, &[report, r#"{"type":"message_stop"}"#, "[DONE]"]);
    assert_eq!(ended, of(Some(usage), bytes(0)));
    let goes_on = stream(
        Api::Any,
        &[report, r#"{"type":"delta","text":"0123456789"}"#],
    );
    assert_eq!((goes_on.reported, goes_on.interim), (None, Some(usage)));
    assert!(goes_on.counted.unwrap().all > 20, "{goes_on:?}");
    let text = stream(Api::Any, &[r#"{"text":"0123456789"}"#, "[DONE]"]);
    assert_eq!(text.reported, None);
    assert!(text.counted.unwrap().all >= 8, "{text:?}");
}

#[test]
fn every_json_body_tells_its_use() {
    let cases = [
        (
            Api::ChatCompletions,
            r#"{"choices":[{"message":{"content":"12345678"}}],
                "usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#,
            (3, 4, 7),
            2,
        ),
        (
            Api::Completions,
            r#"{"choices":[{"text":"12345"}],
                "usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":9}}"#,
            (3, 4, 9),
            2,
        ),
        (
            Api::Embeddings,
            r#"{"data":[{"embedding":[1e400]}],"usage":{"prompt_tokens":5,"total_tokens":5}}"#,
            (5, 0, 5),
            0,
        ),
        (
            Api::Responses,
            r#"{"output":[{"id":"m","content":[{"text":"12345"}]}],
                "usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}"#,
            (3, 4, 7),
            2,
        ),
        (
            Api::Messages,
            r#"{"content":[{"type":"text","text":"1"}],
                "usage":{"input_tokens":3,"cache_creation_input_tokens":10,
                "cache_read_input_tokens":100,"output_tokens":4}}"#,
            (113, 4, 117),
            1,
        ),
    ];
    for (api, text, (input, output, total), counted) in cases {
        assert_eq!(
            body(api, text),
            Observed {
                reported: Some(Usage {
                    prompt: input,
                    completion: output,
                    total,
                    ..Usage::default()
                }),
                counted: Some(Written::one(counted)),
                ..Observed::default()
            },
            "{api:?}"
        );
    }
}

#[test]
fn a_body_that_cannot_be_read_tells_nothing() {
    assert_eq!(body(Api::ChatCompletions, "<html>"), Observed::default());
    assert_eq!(
        body(Api::ChatCompletions, r#"{"usage":{"prompt_tokens":3}"#),
        Observed::default()
    );
    let long = format!(
        r#"{{"usage":{{"prompt_tokens":3}},"x":"{}"}}"#,
        "x".repeat(10_000)
    );
    assert_eq!(body(Api::ChatCompletions, &long), Observed::default());
}

#[test]
fn a_usage_of_another_type_is_no_report() {
    for usage in [
        "null",
        "{}",
        "[]",
        "7",
        r#"{"prompt_tokens":"many"}"#,
        r#"{"prompt_tokens":-1}"#,
    ] {
        let text = format!(r#"{{"choices":[{{"text":"1234"}}],"usage":{usage}}}"#);
        assert_eq!(
            body(Api::Completions, &text),
            Observed {
                reported: None,
                counted: Some(Written::one(1)),
                ..Observed::default()
            },
            "{usage}"
        );
    }
}

#[test]
fn a_chat_stream_tells_its_use_in_its_last_event() {
    let events = [
        r#"{"choices":[{"delta":{"role":"assistant","content":""}}],"usage":null}"#,
        r#"{"choices":[{"delta":{"content":"Hello"}}],"usage":null}"#,
        r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":null}"#,
        r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#,
        "[DONE]",
    ];
    assert_eq!(
        stream(Api::ChatCompletions, &events),
        Observed {
            reported: Some(Usage::new(3, 4)),
            counted: Some(Written::one(2)),
            ..Observed::default()
        }
    );
}

#[test]
fn a_responses_stream_tells_its_use_when_it_ends_in_any_way() {
    for end in ["completed", "incomplete", "failed"] {
        let last = format!(
            r#"{{"type":"response.{end}","response":{{"usage":
                {{"input_tokens":3,"output_tokens":4,"total_tokens":7}}}}}}"#
        );
        let events = [
            r#"{"type":"response.created","response":{"usage":null}}"#,
            r#"{"type":"response.output_text.delta","delta":"Hello"}"#,
            &last,
        ];
        assert_eq!(
            stream(Api::Responses, &events),
            Observed {
                reported: Some(Usage::new(3, 4)),
                counted: Some(Written::one(2)),
                ..Observed::default()
            }
        );
    }
}

#[test]
fn a_messages_stream_tells_its_use_in_two_parts() {
    let events = [
        r#"{"type":"message_start","message":{"usage":
            {"input_tokens":3,"cache_read_input_tokens":5,"output_tokens":1}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},
            "usage":{"output_tokens":40}}"#,
    ];
    assert_eq!(
        stream(Api::Messages, &events),
        Observed {
            reported: Some(Usage::new(8, 40)),
            counted: Some(Written::one(2)),
            ..Observed::default()
        }
    );
}

#[test]
fn a_stream_without_a_report_is_counted_by_events_or_by_bytes() {
    let short = vec![r#"{"choices":[{"delta":{"content":"a"}}]}"#; 10];
    assert_eq!(
        stream(Api::ChatCompletions, &short),
        Observed {
            reported: None,
            counted: Some(Written::one(10)),
            ..Observed::default()
        }
    );
    let long = [r#"{"choices":[{"delta":{"reasoning_content":"12345678901234567890"}}]}"#];
    assert_eq!(
        stream(Api::ChatCompletions, &long),
        Observed {
            reported: None,
            counted: Some(Written::one(5)),
            ..Observed::default()
        }
    );
}

#[test]
fn text_in_an_event_above_the_bound_is_counted() {
    let mut reader = UsageReader::stream(Api::ChatCompletions, 100, 1);
    reader.observe(&encode::event(&"x".repeat(400)));
    assert_eq!(reader.finish().counted, Some(Written::one(102)));
}

#[test]
fn only_the_event_without_choices_and_with_usage_is_usage_only() {
    let chat = |data| kind(Api::ChatCompletions, data);
    assert_eq!(
        chat(r#"{"choices":[],"usage":{"prompt_tokens":1}}"#),
        EventKind::UsageOnly
    );
    assert_eq!(
        chat(r#"{"choices":[ ],"usage":{"prompt_tokens":1,"completion_tokens":0}}"#),
        EventKind::UsageOnly
    );
    assert_eq!(
        chat(r#"{"choices":[],"prompt_filter_results":[]}"#),
        EventKind::Other
    );
    assert_eq!(chat(r#"{"choices":[],"usage":null}"#), EventKind::Other);
    assert_eq!(
        chat(r#"{"choices":[{"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#),
        EventKind::Other
    );
    assert_eq!(
        chat(r#"{"choices":[{"delta":{"content":"a"}}],"usage":{"prompt_tokens":1}}"#),
        EventKind::Text
    );
    assert_eq!(
        chat(r#"{"error":{"message":"no"},"usage":{}}"#),
        EventKind::Other
    );
    assert_eq!(chat("[DONE]"), EventKind::Other);
    assert_eq!(
        kind(
            Api::Responses,
            r#"{"choices":[],"usage":{"prompt_tokens":1}}"#
        ),
        EventKind::Other
    );
}

#[test]
fn what_is_reported_or_counted_is_settled_and_nothing_is_none() {
    let (reported, counted) = (Some(Usage::new(3, 4)), Some(Written::one(9)));
    let settled = |reported, counted| {
        let observed = Observed {
            reported,
            counted,
            ..Observed::default()
        };
        observed.settled(100)
    };
    assert_eq!(settled(reported, counted), reported);
    assert_eq!(settled(reported, None), reported);
    assert_eq!(settled(None, counted), Some(Usage::estimate(100, 9)));
    assert_eq!(settled(None, None), None);
    let nothing = Some(Written::default());
    for unbelievable in [None, Some(Usage::default()), Some(Usage::new(3, u64::MAX))] {
        assert_eq!(settled(unbelievable, nothing), None, "{unbelievable:?}");
    }
    assert_eq!(
        settled(Some(Usage::new(3, 0)), nothing),
        Some(Usage::new(3, 0))
    );
}

#[test]
fn of_several_choices_the_first_is_counted_by_itself_too() {
    let text = r#"{"choices":[{"index":0,"text":"12345678"},{"index":1,"text":"1234"}]}"#;
    let mut reader = UsageReader::body(Api::Completions, 10_000, 2);
    reader.observe(&Bytes::from(text));
    let written = Written { first: 2, all: 3 };
    assert_eq!(reader.finish().counted, Some(written));
    let mut reader = UsageReader::stream(Api::Completions, 10_000, 2);
    for index in [0, 1, 1] {
        let choice = format!(r#"{{"choices":[{{"index":{index},"text":"1234"}}]}}"#);
        reader.observe(&encode::event(&choice));
    }
    let written = Written { first: 1, all: 3 };
    assert_eq!(reader.finish().counted, Some(written));
}

#[test]
fn a_report_of_zeros_beside_a_text_is_no_report() {
    let zeros = r#"{"prompt_tokens":0,"completion_tokens":0,"total_tokens":0}"#;
    let text = format!(r#"{{"choices":[{{"text":"12345678"}}],"usage":{zeros}}}"#);
    let settled = body(Api::Completions, &text).settled(100);
    assert_eq!(settled, Some(Usage::estimate(100, 2)));
}

#[test]
fn a_cut_response_tells_its_report_or_what_it_used_at_least() {
    let written = Observed {
        counted: Some(Written::one(9)),
        ..Observed::default()
    };
    let at_least = |prompt, completion| Some(Seen::AtLeast(Usage::estimate(prompt, completion)));
    assert_eq!(written.seen(100), at_least(100, 9));
    let reported = Observed {
        reported: Some(Usage::new(3, 9)),
        ..written
    };
    assert_eq!(reported.seen(100), Some(Seen::Reported(Usage::new(3, 9))));
    for (interim, used) in [((3, 1), (3, 9)), ((300, 12), (300, 12)), ((0, 1), (100, 9))] {
        let begun = Observed {
            interim: Some(Usage::new(interim.0, interim.1)),
            ..written
        };
        assert_eq!(begun.seen(100), at_least(used.0, used.1));
    }
    let absurd = Observed {
        reported: Some(Usage::new(3, u64::MAX)),
        ..written
    };
    assert_eq!(absurd.seen(100), at_least(100, 9));
    assert_eq!(Observed::default().seen(100), None);
}

#[test]
fn a_stream_that_is_left_before_its_end_has_no_report_of_the_whole() {
    let begun = stream(
        Api::Messages,
        &[
            r#"{"type":"message_start","message":{"usage":{"input_tokens":3,"output_tokens":1}}}"#,
            r#"{"type":"content_block_delta","delta":{"type":"text_delta","text":"Hello"}}"#,
        ],
    );
    assert_eq!(
        (begun.reported, begun.interim),
        (None, Some(Usage::new(3, 1)))
    );
    let usage = |choices: &str, tokens: u64| {
        let usage = format!(r#"{{"prompt_tokens":3,"completion_tokens":{tokens}}}"#);
        format!(r#"{{"choices":[{choices}],"usage":{usage}}}"#)
    };
    let text = r#"{"index":0,"delta":{"content":"a"},"finish_reason":null}"#;
    let end = r#"{"index":0,"delta":{},"finish_reason":"stop"}"#;
    let chat = |chunks: &[String]| {
        let chunks: Vec<&str> = chunks.iter().map(String::as_str).collect();
        stream(Api::ChatCompletions, &chunks).reported
    };
    let whole = Some(Usage::new(3, 2));
    assert_eq!(chat(&[usage(text, 1), usage(text, 2)]), None);
    assert_eq!(chat(&[usage(text, 1), usage(end, 2)]), whole);
    assert_eq!(chat(&[usage(text, 1), usage("", 2)]), whole);
    assert_eq!(
        chat(&[usage(end, 2), usage(text, 2)]),
        None,
        "another choice goes on"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic_and_none_is_kept_above_the_bound(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)
    ) {
        for mut reader in [UsageReader::body(Api::Messages, 64, 1),
            UsageReader::stream(Api::ChatCompletions, 64, 1)] {
            for chunk in &chunks {
                reader.observe(&Bytes::copy_from_slice(chunk));
            }
            prop_assert_eq!(reader.finish().reported, None);
        }
    }

    #[test]
    fn a_count_of_any_size_is_taken(input in any::<u64>(), output in any::<u64>(),
        total in any::<u64>()) {
        let text = format!(
            r#"{{"usage":{{"prompt_tokens":{input},"completion_tokens":{output},
                "total_tokens":{total}}}}}"#
        );
        let reported = body(Api::ChatCompletions, &text).reported.unwrap();
        let total = total.max(input.saturating_add(output));
        let wanted = Usage { total, ..Usage::new(input, output) };
        prop_assert_eq!(reported, wanted);
    }
}
