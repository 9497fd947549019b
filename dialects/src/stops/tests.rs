use std::sync::Arc;

use hone_strategies::chat::{Assembler, Origin};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::shape::ErrorReply;

fn guard(stops: &[&str]) -> Guard {
    let stops = stops.iter().map(|stop| (*stop).to_owned()).collect();
    Guard::new(stops, 1).unwrap()
}

fn chunk(delta: Delta) -> Event {
    Event::Chunk(Chunk::of(0, delta))
}

/// What comes of a stream of these deltas.
fn watched(guard: &mut Guard, deltas: Vec<Delta>) -> Completion {
    let mut events: Vec<_> = deltas.into_iter().map(chunk).collect();
    events.push(Event::Done);
    let mut assembler = Assembler::new();
    for event in guard.push(events) {
        if let Event::Chunk(chunk) = event {
            assembler.push(chunk);
        }
    }
    assembler.finish()
}

fn said(pieces: &[&str]) -> Vec<Delta> {
    let mut deltas: Vec<_> = pieces.iter().map(|piece| Delta::content(*piece)).collect();
    deltas.push(Delta::finish("length"));
    deltas
}

fn call(arguments: &str) -> Delta {
    Delta::field(
        "tool_calls",
        vec![json!({"index": 0, "function": {"arguments": arguments}})],
    )
}

#[test]
fn text_is_cut_where_a_sequence_begins_however_it_comes() {
    let mut guard = guard(&["END", "stop"]);
    let answer = watched(&mut guard, said(&["one E", "N", "D two", " END"]));
    let choice = &answer.choices[0];
    assert_eq!(choice.message.text(), "one ");
    assert_eq!(choice.finish_reason.as_deref(), Some("stop"));
    assert_eq!(choice.rest["stop_sequence"], "END");
    assert!(guard.is_over());
}

#[test]
fn without_a_match_all_text_comes_out_and_the_end_is_the_upstreams() {
    let mut guard = guard(&["END", "\n\n"]);
    let answer = watched(&mut guard, said(&["E", "EN\n", "\tEN"]));
    assert_eq!(answer.choices[0].message.text(), "EEN\n\tEN");
    assert_eq!(answer.choices[0].finish_reason.as_deref(), Some("length"));
    assert!(!guard.is_over());
}

#[test]
fn only_what_could_begin_a_sequence_is_held_back() {
    let mut guard = guard(&["END"]);
    let first = guard.push(vec![chunk(Delta::content("abE"))]);
    assert_eq!(first, [chunk(Delta::content("ab"))]);
    let second = guard.push(vec![chunk(Delta::content("x"))]);
    assert_eq!(second, [chunk(Delta::content("Ex"))]);
}

#[test]
fn a_broken_stream_gives_what_was_held_back_and_its_failure() {
    let mut guard = guard(&["END"]);
    let failed = Event::Failed(ErrorReply::truncated());
    let events = guard.push(vec![chunk(Delta::content("EN")), failed.clone()]);
    assert_eq!(events, [chunk(Delta::content("EN")), failed]);
}

#[test]
fn what_fails_behind_the_cut_does_not_matter_and_its_usage_is_told() {
    let mut guard = guard(&["END"]);
    let usage = Chunk {
        usage: Some(hone_strategies::chat::Usage::new(1, 2)),
        ..Chunk::default()
    };
    let events = guard.push(vec![
        chunk(Delta::content("aEND")),
        chunk(Delta::content("b")),
        Event::Chunk(usage.clone()),
        Event::Failed(ErrorReply::truncated()),
    ]);
    assert_eq!(events.len(), 3);
    assert_eq!(events[1..], [Event::Chunk(usage), Event::Done]);
}

#[test]
fn arguments_and_thoughts_are_not_watched() {
    let mut guard = guard(&["END"]);
    let mut deltas = vec![
        Delta::field("reasoning_content", "END"),
        Delta::content("EN"),
        call("{\"a\":\"END\"}"),
        Delta::finish("tool_calls"),
    ];
    let answer = watched(&mut guard, deltas.clone());
    let message = &answer.choices[0].message;
    assert_eq!(message.text(), "EN");
    assert_eq!(message.get("reasoning_content"), Some(&json!("END")));
    let arguments = message
        .tool_calls()
        .unwrap()
        .pointer("/0/function/arguments");
    assert_eq!(arguments, Some(&json!("{\"a\":\"END\"}")));
    // The text in front of a call comes out in front of it.
    let held = guard_events(&mut deltas);
    assert_eq!(held[1], Delta::content("EN").fields);
}

fn guard_events(deltas: &mut Vec<Delta>) -> Vec<Map<String, Value>> {
    let events = deltas.drain(..).map(chunk).collect();
    let events = guard(&["END"]).push(events).into_iter();
    let mut fields = Vec::new();
    for event in events {
        let Event::Chunk(chunk) = event else { continue };
        let content = chunk.choices[0].delta.fields.clone();
        fields.push(
            content
                .into_iter()
                .filter(|(name, _)| name != "tool_calls")
                .collect(),
        );
    }
    fields
}

#[test]
fn a_call_that_has_begun_goes_on_behind_a_cut() {
    let mut guard = guard(&["END"]);
    let deltas = vec![
        call("{\"a\""),
        Delta::content("bENDc"),
        call(":1}"),
        Delta::finish("tool_calls"),
    ];
    let answer = watched(&mut guard, deltas);
    let choice = &answer.choices[0];
    let arguments = choice.message.tool_calls().unwrap()[0]["function"]["arguments"].as_str();
    assert_eq!(
        (&*choice.message.text(), arguments),
        ("b", Some("{\"a\":1}"))
    );
    assert_eq!(choice.finish_reason.as_deref(), Some("tool_calls"));
    assert!(!guard.is_over());
}

#[test]
fn every_choice_is_watched_by_itself() {
    let mut guard = Guard::new(vec!["END".to_owned()], 2).unwrap();
    let piece = |index, text: &str| Event::Chunk(Chunk::of(index, Delta::content(text)));
    guard.push(vec![piece(0, "E"), piece(1, "ND"), piece(0, "ND")]);
    assert!(!guard.is_over());
    guard.push(vec![piece(1, "END")]);
    assert!(guard.is_over());
}

#[test]
fn what_says_nothing_passes() {
    let mut guard = guard(&["END"]);
    for delta in [Delta::default(), Delta::content("")] {
        assert_eq!(guard.push(vec![chunk(delta.clone())]), [chunk(delta)]);
    }
}

#[test]
fn a_whole_answer_is_cut_with_the_calls_behind_its_text() {
    let message = Message::assistant("one END two").with("tool_calls", vec![json!({"id": "c"})]);
    let mut answer = Completion {
        choices: vec![Choice::new(message, "tool_calls")],
        ..Completion::default()
    };
    guard(&["END"]).whole(&mut answer);
    let choice = &answer.choices[0];
    assert_eq!(choice.message.text(), "one ");
    assert!(choice.message.tool_calls().is_none());
    assert_eq!(choice.finish_reason.as_deref(), Some("stop"));
    assert_eq!(choice.rest["stop_sequence"], "END");
}

fn request(client: Dialect, stop: Value) -> ChatRequest {
    let mut request = ChatRequest::new("m", vec![Message::user("q")]);
    request.set("stop", stop);
    request.with_origin(Some(Arc::new(Origin::new(client))))
}

#[test]
fn an_upstream_is_told_what_it_takes_and_hone_watches_for_the_rest() {
    let stops = json!(["1", "2", "3", "4", "5", "6"]);
    for (dialect, told) in [
        (Dialect::Anthropic, 6),
        (Dialect::Gemini, 5),
        (Dialect::OpenAiChat, 4),
        (Dialect::OpenAiResponses, 0),
    ] {
        let client = if dialect == Dialect::Anthropic {
            Dialect::Gemini
        } else {
            Dialect::Anthropic
        };
        let parted = part(&request(client, stops.clone()), dialect).unwrap();
        assert_eq!((parted.told.len(), parted.watched.len()), (told, 6 - told));
        let own = part(&request(dialect, stops.clone()), dialect).unwrap();
        let told = if told == 0 { 0 } else { 6 };
        assert_eq!((own.told.len(), own.watched.len()), (told, 6 - told));
    }
}

#[test]
fn anthropic_is_not_told_white_space_and_nobody_nothing() {
    let request = request(Dialect::OpenAiChat, json!(["\n", "", "a"]));
    let parted = part(&request, Dialect::Anthropic).unwrap();
    assert_eq!(parted.told, ["a"]);
    assert_eq!(parted.watched, ["\n"]);
    assert!(Guard::of(&request, Dialect::OpenAiChat).is_none());
}

#[test]
fn more_than_hone_watches_for_is_refused_in_the_clients_spelling() {
    for stops in [json!("x".repeat(LONGEST + 1)), json!(vec!["x"; MOST + 1])] {
        let request = request(Dialect::Anthropic, stops);
        let refusal = part(&request, Dialect::OpenAiResponses).unwrap_err();
        assert_eq!(refusal.param.as_deref(), Some("stop_sequences"));
    }
    let odd = request(Dialect::OpenAiChat, json!(["a", 1]));
    let refusal = part(&odd, Dialect::Anthropic).unwrap_err();
    assert_eq!(refusal.param.as_deref(), Some("stop.1"));
}

/// The text in front of the sequence that ends first, found letter by letter.
fn plainly(text: &str, stops: &[String]) -> String {
    let beginnings = (0..=text.len()).filter_map(|end| text.get(..end));
    for said in beginnings {
        let cut = stops.iter().filter_map(|stop| said.strip_suffix(&**stop));
        if let Some(shortest) = cut.min_by_key(|said| said.len()) {
            return shortest.to_owned();
        }
    }
    text.to_owned()
}

proptest! {
    #[test]
    fn any_split_gives_what_a_plain_search_gives(
        pieces in prop::collection::vec("[abä]{0,4}", 0..8),
        stops in prop::collection::vec("[abä]{1,4}", 1..4),
    ) {
        let wanted = plainly(&pieces.concat(), &stops);
        let mut guard = Guard::new(stops, 1).unwrap();
        let pieces: Vec<_> = pieces.iter().map(String::as_str).collect();
        let mut whole = Completion {
            choices: vec![Choice::new(Message::assistant(pieces.concat()), "length")],
            ..Completion::default()
        };
        guard.whole(&mut whole);
        let streamed = watched(&mut guard, said(&pieces));
        prop_assert_eq!(&*whole.choices[0].message.text(), &wanted);
        prop_assert_eq!(&*streamed.choices[0].message.text(), &wanted);
        prop_assert_eq!(&streamed.choices[0].finish_reason, &whole.choices[0].finish_reason);
        prop_assert_eq!(&streamed.choices[0].rest, &whole.choices[0].rest);
    }
}
