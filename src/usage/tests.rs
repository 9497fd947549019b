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
    let mut reader = UsageReader::stream(api, 10_000);
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
    StreamReader::new(api).observe(&event)
}

#[test]
fn every_json_body_tells_its_use() {
    let cases = [
        (
            Api::ChatCompletions,
            r#"{"choices":[{"message":{"content":"12345678"}}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}"#,
            (3, 4, 7),
            2,
        ),
        (
            Api::Completions,
            r#"{"choices":[{"text":"12345"}],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":9}}"#,
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
            r#"{"output":[{"id":"m","content":[{"text":"12345"}]}],"usage":{"input_tokens":3,"output_tokens":4,"total_tokens":7}}"#,
            (3, 4, 7),
            2,
        ),
        (
            Api::Messages,
            r#"{"content":[{"type":"text","text":"1"}],"usage":{"input_tokens":3,"cache_creation_input_tokens":10,"cache_read_input_tokens":100,"output_tokens":4}}"#,
            (113, 4, 117),
            1,
        ),
    ];
    for (api, text, (input, output, total), counted) in cases {
        assert_eq!(
            body(api, text),
            Observed {
                reported: Some(TokenUse {
                    input,
                    output,
                    total
                }),
                counted: Some(counted)
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
                counted: Some(1)
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
            reported: Some(TokenUse::new(3, 4)),
            counted: Some(2)
        }
    );
}

#[test]
fn a_responses_stream_tells_its_use_when_it_ends_in_any_way() {
    for end in ["completed", "incomplete", "failed"] {
        let last = format!(
            r#"{{"type":"response.{end}","response":{{"usage":{{"input_tokens":3,"output_tokens":4,"total_tokens":7}}}}}}"#
        );
        let events = [
            r#"{"type":"response.created","response":{"usage":null}}"#,
            r#"{"type":"response.output_text.delta","delta":"Hello"}"#,
            &last,
        ];
        assert_eq!(
            stream(Api::Responses, &events),
            Observed {
                reported: Some(TokenUse::new(3, 4)),
                counted: Some(2)
            }
        );
    }
}

#[test]
fn a_messages_stream_tells_its_use_in_two_parts() {
    let events = [
        r#"{"type":"message_start","message":{"usage":{"input_tokens":3,"cache_read_input_tokens":5,"output_tokens":1}}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello"}}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":40}}"#,
    ];
    assert_eq!(
        stream(Api::Messages, &events),
        Observed {
            reported: Some(TokenUse::new(8, 40)),
            counted: Some(2)
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
            counted: Some(10)
        }
    );
    let long = [r#"{"choices":[{"delta":{"reasoning_content":"12345678901234567890"}}]}"#];
    assert_eq!(
        stream(Api::ChatCompletions, &long),
        Observed {
            reported: None,
            counted: Some(5)
        }
    );
}

#[test]
fn text_in_an_event_above_the_bound_is_counted() {
    let mut reader = UsageReader::stream(Api::ChatCompletions, 100);
    reader.observe(&encode::event(&"x".repeat(400)));
    assert_eq!(reader.finish().counted, Some(102));
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
fn the_report_is_charged_unless_it_leaves_choices_out() {
    let both = Observed {
        reported: Some(TokenUse::new(3, 4)),
        counted: Some(9),
    };
    assert_eq!(both.settled(100, 1), Some(TokenUse::new(3, 4)));
    assert_eq!(both.settled(100, 3), Some(TokenUse::new(3, 9)));
    assert_eq!(
        Observed {
            reported: None,
            ..both
        }
        .settled(100, 1),
        Some(TokenUse::new(100, 9))
    );
    assert_eq!(
        Observed {
            counted: None,
            ..both
        }
        .settled(100, 3),
        Some(TokenUse::new(3, 4))
    );
    assert_eq!(Observed::default().settled(100, 1), None);
}

#[test]
fn only_known_paths_are_read() {
    assert_eq!(Api::of("chat/completions"), Some(Api::ChatCompletions));
    assert_eq!(Api::of("audio/speech"), None);
    assert_eq!(Api::of("responses/resp_1"), None);
}

proptest! {
    #[test]
    fn no_bytes_make_a_reader_panic_and_none_is_kept_above_the_bound(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..20)) {
        for mut reader in [UsageReader::body(Api::Messages, 64, 1),
            UsageReader::stream(Api::ChatCompletions, 64)] {
            for chunk in &chunks {
                reader.observe(&Bytes::copy_from_slice(chunk));
            }
            prop_assert_eq!(reader.finish().reported, None);
        }
    }

    #[test]
    fn a_count_of_any_size_is_taken(input in any::<u64>(), output in any::<u64>(),
        total in any::<u64>()) {
        let text = format!(r#"{{"usage":{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total}}}}}"#);
        let reported = body(Api::ChatCompletions, &text).reported.unwrap();
        prop_assert_eq!(reported, TokenUse { input, output,
            total: total.max(input.saturating_add(output)) });
    }
}
