//! Streams, read from upstreams.

use hone_dialects::{Dialect, Ending, Event, codec};
use hone_strategies::chat::{Completion, Delta};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::upstream::{call, ending, event, item_events, items, message, response, stream};
use crate::crossing::streams::{assert_no_end, failure};
use crate::grammar::responses::{Read, read};
use crate::support::{chunks, collected, events, source, streamed};

const OWN: Dialect = Dialect::OpenAiResponses;

fn answer(text: &str) -> Completion {
    collected(events(OWN, [text.as_bytes()])).unwrap_or_else(|| panic!("not whole: {text}"))
}

fn content(answer: &Completion) -> String {
    answer.choices[0].message.text().into_owned()
}

/// What a client of the same dialect gets of an upstream's stream.
fn passed_on(text: &str) -> Read {
    let choices = chunks(events(OWN, [text.as_bytes()]))
        .into_iter()
        .flat_map(|chunk| chunk.choices);
    let deltas: Vec<Delta> = choices.map(|choice| choice.delta).collect();
    let text = streamed(OWN, &deltas, &Ending::default());
    read(&text).unwrap_or_else(|why| panic!("{why}\n{text}"))
}

#[test]
fn a_stream_says_the_same_as_the_whole_answer() {
    let items = items();
    let streamed = answer(&stream(&items));
    let body = response(&items, "completed").to_string();
    let whole = codec(OWN)
        .decode_answer(body.as_bytes(), &source())
        .unwrap();
    let said = |answer: &Completion| answer.choices[0].message.clone();
    assert_eq!(said(&streamed).fields(), said(&whole).fields());
    assert_eq!(said(&streamed).native(), said(&whole).native());
    assert_eq!(streamed.usage, whole.usage);
    assert_eq!(streamed.rest, whole.rest);
    let reason = |answer: &Completion| answer.choices[0].finish_reason.clone();
    assert_eq!(reason(&streamed), reason(&whole));
}

#[test]
fn the_event_that_ends_a_stream_counts_where_its_response_is_the_one_that_began() {
    for (status, reason) in [("completed", "stop"), ("incomplete", "length")] {
        let mut last = response(&[message("msg_1", "Hello")], status);
        last["status"] = "in_progress".into();
        let name = format!("response.{status}");
        let last = event(&json!({"type": name, "response": last}));
        let found = answer(&last).choices[0].finish_reason.clone();
        assert_eq!(found.as_deref(), Some(reason));
    }
    for status in ["failed", "cancelled"] {
        let last = response(&[message("msg_1", "Hello")], status);
        let last = event(&json!({"type": "response.completed", "response": last}));
        assert!(
            collected(events(OWN, [last.as_bytes()])).is_none(),
            "{status}"
        );
    }
}

#[test]
fn a_stream_of_responses_is_nearly_the_same_after_the_middle() {
    let mut items = items();
    // A client knows tools that are given a text only from its own request.
    items.pop();
    let found = passed_on(&stream(&items));
    assert_eq!(found.items.len(), items.len());
    for (found, sent) in found.items.iter().zip(&items) {
        assert_eq!(found["type"], sent["type"]);
        for name in ["content", "call_id", "name", "encrypted_content", "action"] {
            assert_eq!(found.get(name), sent.get(name), "{name}");
        }
    }
    assert_eq!(found.items[4]["arguments"], "{\"a\":1}");
}

#[test]
fn a_text_that_comes_only_where_it_is_whole_is_told_once() {
    let items = [message("msg_1", "Hello")];
    let created = event(&json!({"type": "response.created", "response": {}}));
    let only_item =
        created.clone() + &item_events(0, &items[0], false) + &ending(&items, "completed");
    assert_eq!(content(&answer(&only_item)), "Hello");
    let only_end = created.clone() + &ending(&items, "completed");
    assert_eq!(content(&answer(&only_end)), "Hello");
    let done = json!({"type": "response.output_text.done", "output_index": 0, "content_index": 0,
        "item_id": "msg_1", "text": "Hello"});
    let delta = json!({"type": "response.output_text.delta", "output_index": 0,
        "content_index": 0, "item_id": "msg_1", "delta": "Hel"});
    let part = json!({"type": "response.content_part.done", "output_index": 0, "content_index": 0,
        "item_id": "msg_1", "part": {"type": "output_text", "text": "Hello"}});
    let pieces = [&delta, &done, &part, &done].map(event).concat();
    assert_eq!(
        content(&answer(&(created + &pieces + &ending(&items, "completed")))),
        "Hello"
    );
}

#[test]
fn an_end_whose_output_is_empty_leaves_what_was_streamed() {
    let items = [message("msg_1", "Hello"), call("1", "{}")];
    let text = stream(&items).replace(&ending(&items, "completed"), &ending(&[], "completed"));
    let found = answer(&text);
    assert_eq!(content(&found), "Hello");
    assert!(found.choices[0].message.tool_calls().is_some());
}

#[test]
fn items_whose_ends_are_missing_are_whole_at_the_end() {
    let items = [message("msg_1", "Hello"), call("1", "{\"a\":1}")];
    let text = stream(&items);
    let is_done = |event: &&str| event.contains("output_item.done");
    let without: String = text
        .split_inclusive("\n\n")
        .filter(|event| !is_done(event))
        .collect();
    let without = without.replace(&ending(&items, "completed"), &ending(&[], "completed"));
    let found = answer(&without);
    assert_eq!(content(&found), "Hello");
    let calls = found.choices[0].message.tool_calls().unwrap();
    assert_eq!(calls[0]["function"]["arguments"], "{\"a\":1}");
}

#[test]
fn ids_and_places_that_servers_leave_out_or_change_are_not_needed() {
    let items = [message("msg_1", "Hello"), call("1", "{\"a\":1}")];
    let whole = answer(&stream(&items));
    for name in ["output_index", "item_id", "content_index"] {
        let strip = |event: &str| {
            let (head, data) = event.trim_end().split_once("\ndata: ").unwrap();
            let mut data: Value = serde_json::from_str(data).unwrap();
            data.as_object_mut().unwrap().remove(name);
            format!("{head}\ndata: {data}\n\n")
        };
        let text: String = stream(&items).split_inclusive("\n\n").map(strip).collect();
        let found = answer(&text);
        assert_eq!(
            found.choices[0].message.fields(),
            whole.choices[0].message.fields(),
            "{name}"
        );
    }
    let end = ending(&items, "completed")
        .replace("msg_1", "msg_9")
        .replace("fc_1", "fc_9");
    let text = stream(&items).replace(&ending(&items, "completed"), &end);
    assert_eq!(content(&answer(&text)), "Hello");
}

#[test]
fn arguments_both_at_the_beginning_and_in_pieces_count_once() {
    let item = call("1", "{\"a\":1}");
    let events = item_events(0, &item, true);
    let (added, rest) = events.split_once("\n\n").unwrap();
    let full = added.replace(r#""arguments":"""#, r#""arguments":"{\"a\":1}""#);
    assert_ne!(added, full);
    for rest in [
        rest,
        item_events(0, &item, false).split_once("\n\n").unwrap().1,
    ] {
        let text = format!("{full}\n\n{rest}{}", ending(&[], "completed"));
        let found = answer(&text);
        let calls = found.choices[0].message.tool_calls().unwrap();
        assert_eq!(calls[0]["function"]["arguments"], "{\"a\":1}");
    }
}

#[test]
fn arguments_given_only_at_the_beginning_count() {
    let added = json!({"type": "response.output_item.added", "output_index": 0,
        "item": call("1", "{\"a\":1}")});
    let found = answer(&(event(&added) + &ending(&[], "completed")));
    let calls = found.choices[0].message.tool_calls().unwrap();
    assert_eq!(calls[0]["function"]["arguments"], "{\"a\":1}");
}

#[test]
fn an_incomplete_response_is_no_failure_and_its_usage_is_not_lost() {
    let items = [message("msg_1", "Hel")];
    let text = stream(&items).replace(&ending(&items, "completed"), &ending(&items, "incomplete"));
    let found = answer(&text);
    assert_eq!(found.choices[0].finish_reason.as_deref(), Some("length"));
    assert_eq!(found.usage.map(|usage| usage.completion), Some(9));
}

#[test]
fn a_failed_response_is_no_end_turn_but_an_error_for_every_client() {
    let error = json!({"code": "rate_limit_exceeded", "message": "Slow down."});
    let failed = json!({"type": "response.failed", "response": {"status": "failed",
        "error": error}});
    let flat = json!({"type": "error", "code": "rate_limit_exceeded", "message": "Slow down.",
        "param": null, "sequence_number": 3});
    let nested = json!({"type": "error", "error": error});
    let ended = json!({"type": "response.completed", "response": {"status": "failed",
        "error": error}});
    for end in [failed, flat, nested, ended] {
        let head = stream(&[message("msg_1", "Hello")]);
        let head: String = head.split_inclusive("\n\n").take(3).collect();
        let text = head.clone() + &event(&end) + &ending(&[], "completed");
        let error = failure(OWN, &text);
        assert_eq!((error.status, &*error.message), (429, "Slow down."));
        assert_no_end(&error);
    }
}

#[test]
fn an_end_whose_response_lacks_its_status_is_told_by_its_event() {
    let begin = event(&json!({"type": "response.created", "response": {}}));
    let delta = json!({"type": "response.output_text.delta", "output_index": 0,
        "content_index": 0, "item_id": "msg_1", "delta": "Hel"});
    let why = json!({"reason": "max_output_tokens"});
    for (kind, reason) in [("incomplete", "length"), ("completed", "stop")] {
        let response = json!({"output": [], "incomplete_details": why});
        let end = json!({"type": format!("response.{kind}"), "response": response});
        let text = begin.clone() + &event(&delta) + &event(&end);
        let found = answer(&text).choices[0].finish_reason.clone();
        assert_eq!(found.as_deref(), Some(reason));
    }
    let error = json!({"code": "rate_limit_exceeded", "message": "Slow down."});
    let end = json!({"type": "response.cancelled", "response": {"error": error}});
    let found = events(OWN, [(begin + &event(&delta) + &event(&end)).as_bytes()]);
    let Some(Event::Failed(error)) = found.last() else {
        panic!("{found:?}");
    };
    assert_eq!((error.status, &*error.message), (429, "Slow down."));
}

#[test]
fn a_namespace_that_is_told_behind_the_arguments_counts() {
    let begin = event(&json!({"type": "response.created", "response": {}}));
    let delta = json!({"type": "response.function_call_arguments.delta", "output_index": 0,
        "item_id": "fc_1", "delta": "{}"});
    let item = json!({"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f",
        "namespace": "ns", "arguments": "{}", "status": "completed"});
    let done = json!({"type": "response.output_item.done", "output_index": 0, "item": item});
    let found = answer(&(begin + &event(&delta) + &event(&done) + &ending(&[item], "completed")));
    let calls = found.choices[0].message.tool_calls().unwrap();
    assert_eq!(calls[0]["function"]["name"], "ns__f");
    assert_eq!(calls[0]["id"], "c");
}

#[test]
fn a_failure_that_says_nothing_is_one_all_the_same() {
    let failed = json!({"type": "response.failed", "response": {"status": "failed"}});
    let found = events(OWN, [event(&failed).as_bytes()]);
    assert!(matches!(found.last(), Some(Event::Failed(error)) if error.status == 502));
}

#[test]
fn what_comes_behind_the_end_is_not_read() {
    let items = [message("msg_1", "Hello")];
    let text = stream(&items) + "data: [DONE]\n\n" + &stream(&items);
    assert_eq!(content(&answer(&text)), "Hello");
}

#[test]
fn a_refusal_is_told_as_one() {
    let mut item = message("msg_1", "");
    item["content"] = json!([{"type": "refusal", "refusal": "No."}]);
    let found = answer(&stream(&[item]));
    assert_eq!(found.choices[0].message.refusal(), Some("No."));
    assert_eq!(
        found.choices[0].finish_reason.as_deref(),
        Some("content_filter")
    );
}

#[test]
fn cutting_a_stream_anywhere_is_an_error() {
    let text = stream(&[message("msg_1", "Hé"), call("1", "{}")]);
    let ended = text.find("event: response.completed").unwrap();
    for cut in 0..text.len() {
        let found = events(OWN, [&text.as_bytes()[..cut]]);
        let is_whole = matches!(found.last(), Some(Event::Done));
        // The last event of an answer may lack its blank line.
        assert_eq!(
            is_whole,
            cut > ended && cut + 2 >= text.len(),
            "{cut} of {}",
            text.len()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_split_of_the_bytes_gives_the_same_events(
        cuts in prop::collection::vec(0_usize..6000, 0..6),
    ) {
        let text = stream(&items()).replace("\n\n", "\r\n\r\n");
        let bytes = text.as_bytes();
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
        prop_assert_eq!(events(OWN, pieces), events(OWN, [bytes]));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..60), 0..5),
    ) {
        let found = events(OWN, pieces.iter().map(Vec::as_slice));
        prop_assert!(matches!(found.last(), Some(Event::Failed(_))));
    }

    /// Events in any order say nothing twice, end once, and pass on as a stream.
    #[test]
    fn no_order_of_events_makes_the_reader_panic(
        order in prop::collection::vec(0_usize..40, 0..40),
    ) {
        let text = stream(&items());
        let all: Vec<&str> = text.split_inclusive("\n\n").collect();
        let text: String = order.iter().filter_map(|at| all.get(*at).copied()).collect();
        let found = events(OWN, [text.as_bytes()]);
        let ends = found.iter().filter(|event| !matches!(event, Event::Chunk(_))).count();
        prop_assert_eq!(ends, 1);
        passed_on(&text);
    }
}
