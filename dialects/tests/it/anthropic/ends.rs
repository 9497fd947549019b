//! What an answer's end says beside the reason.

use hone_dialects::stops::Guard;
use hone_dialects::{Dialect, Ending, Event, codec};
use hone_strategies::chat::{Completion, Delta};
use serde_json::{Value, json};

use crate::support::{chunks, collected, decoded, events, frame, streamed};

const ANTHROPIC: Dialect = Dialect::Anthropic;

/// An upstream's stream of `text` that ends for `reason`, at the stop sequence `stop`.
fn stream(text: &str, reason: &str, stop: &Value) -> String {
    let block = json!({"type": "text", "text": ""});
    let delta = json!({"type": "text_delta", "text": text});
    let end = json!({"stop_reason": reason, "stop_sequence": stop});
    let events = [
        json!({"type": "message_start", "message": {"content": []}}),
        json!({"type": "content_block_start", "index": 0, "content_block": block}),
        json!({"type": "content_block_delta", "index": 0, "delta": delta}),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": end}),
        json!({"type": "message_stop"}),
    ];
    events.map(|event| format!("data: {event}\n\n")).concat()
}

fn read(stream: &str) -> Vec<Event> {
    events(ANTHROPIC, [stream.as_bytes()])
}

/// What a client of `dialect` gets of these events.
fn passed_on(dialect: Dialect, events: Vec<Event>) -> String {
    let choices = chunks(events).into_iter().flat_map(|chunk| chunk.choices);
    let deltas: Vec<Delta> = choices.map(|choice| choice.delta).collect();
    streamed(dialect, &deltas, &Ending::default())
}

fn whole(dialect: Dialect, answer: &Completion) -> Value {
    let body = codec(dialect).encode_answer(answer, &frame(dialect));
    serde_json::from_str(&body).unwrap()
}

#[test]
fn the_stop_sequence_that_was_met_comes_through_a_stream() {
    let text = stream("a", "stop_sequence", &json!("END"));
    let said = passed_on(ANTHROPIC, read(&text));
    let told = r#"{"stop_reason":"stop_sequence","stop_sequence":"END"}"#;
    assert!(said.contains(told), "{said}");
    let answer = collected(read(&text)).unwrap();
    assert_eq!(whole(ANTHROPIC, &answer)["stop_sequence"], "END");
    let said = passed_on(Dialect::OpenAiChat, read(&text));
    let told = r#""finish_reason":"stop","stop_sequence":"END""#;
    assert!(said.contains(told), "{said}");
    let none = passed_on(ANTHROPIC, read(&stream("a", "end_turn", &Value::Null)));
    assert!(none.contains(r#"{"stop_reason":"end_turn","stop_sequence":null}"#));
}

#[test]
fn a_paused_turn_is_one_for_anthropics_clients_and_for_others_an_end_with_a_note() {
    let text = stream("a", "pause_turn", &Value::Null);
    let said = passed_on(ANTHROPIC, read(&text));
    assert!(said.contains(r#"{"stop_reason":"pause_turn","#), "{said}");
    let answer = collected(read(&text)).unwrap();
    assert_eq!(whole(ANTHROPIC, &answer)["stop_reason"], "pause_turn");
    let choice = &whole(Dialect::OpenAiChat, &answer)["choices"][0];
    assert_eq!(choice["finish_reason"], "stop");
    assert_eq!(choice["stop_reason"], "pause_turn");
}

#[test]
fn a_sequence_that_the_upstream_was_not_told_ends_the_answer_as_one_that_it_was() {
    let body = json!({"model": "m", "max_tokens": 9, "stop_sequences": ["1", "2", "3", "4", "EN"],
        "messages": [{"role": "user", "content": "q"}]});
    let request = decoded(ANTHROPIC, &body).unwrap();
    let mut guard = Guard::of(&request, Dialect::OpenAiChat).unwrap();
    let upstream = concat!(
        r#"data: {"choices":[{"index":0,"delta":{"content":"one E"}}]}"#,
        "\n\n",
        r#"data: {"choices":[{"index":0,"delta":{"content":"ND two"}}]}"#,
        "\n\n",
    );
    let upstream = events(Dialect::OpenAiChat, [upstream.as_bytes()]);
    let cut = guard.push(upstream);
    assert!(guard.is_over(), "the upstream need not go on");
    let said = passed_on(ANTHROPIC, cut);
    assert!(
        said.contains(r#""text":"one ""#) && !said.contains("two"),
        "{said}"
    );
    let told = r#"{"stop_reason":"stop_sequence","stop_sequence":"EN"}"#;
    assert!(said.contains(told), "{said}");
}
