//! What an answer says, in a stream and as a whole, to clients of every dialect.

use hone_dialects::{Dialect, Ending, ErrorReply, Event, codec};
use hone_strategies::chat::{Choice, Completion, Delta, Message};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::grammar;
use crate::support::{chunks, collected, events, frame, source, streamed};

const ANTHROPIC: Dialect = Dialect::Anthropic;
const CHAT: Dialect = Dialect::OpenAiChat;
const GEMINI: Dialect = Dialect::Gemini;
const RESPONSES: Dialect = Dialect::OpenAiResponses;

fn piece(index: usize, name: &str, arguments: &str) -> Delta {
    let mut call = json!({"index": index, "function": {"arguments": arguments}});
    if !name.is_empty() {
        call["id"] = format!("call_{index}").into();
        call["type"] = "function".into();
        call["function"]["name"] = name.into();
    }
    Delta::field("tool_calls", json!([call]))
}

/// The answer that a client of `dialect` puts together of these deltas.
fn put_together(dialect: Dialect, deltas: &[Delta]) -> Completion {
    let text = streamed(dialect, deltas, &Ending::default());
    let whole = collected(events(dialect, [text.as_bytes()]));
    whole.unwrap_or_else(|| panic!("{dialect:?}: {text}"))
}

/// Each call's id, tool and arguments.
fn calls(answer: &Completion) -> Vec<(Value, Value, Value)> {
    let calls = answer.choices[0]
        .message
        .tool_calls()
        .and_then(Value::as_array);
    let calls = calls.into_iter().flatten().map(|call| {
        let arguments = call["function"]["arguments"].as_str().unwrap();
        let arguments = serde_json::from_str(arguments).unwrap();
        (
            call["id"].clone(),
            call["function"]["name"].clone(),
            arguments,
        )
    });
    calls.collect()
}

/// The same without what stands between two blocks of a kind.
fn joined(text: Option<&Value>) -> String {
    let text = text.and_then(Value::as_str).unwrap_or_default();
    text.replace("\n\n", "")
}

#[test]
fn no_empty_text_block_stands_beside_a_call_which_is_the_end_and_no_end_turn() {
    let deltas = [
        Delta::content(""),
        piece(0, "f", ""),
        Delta::content(""),
        piece(0, "", "{}"),
        Delta::content(""),
        Delta::finish("stop"),
    ];
    let told = |client| streamed(client, &deltas, &Ending::default());
    let found = grammar::anthropic::read(&told(ANTHROPIC)).unwrap();
    assert_eq!(found.blocks.len(), 1, "{found:?}");
    assert_eq!(
        found.end,
        grammar::anthropic::End::Whole("tool_use".to_owned())
    );
    let found = grammar::responses::read(&told(RESPONSES)).unwrap();
    assert_eq!(found.items.len(), 1, "{found:?}");
    let found = grammar::gemini::read(&told(GEMINI)).unwrap();
    assert_eq!(found.joined().len(), 1, "{found:?}");
    for client in [ANTHROPIC, GEMINI, RESPONSES] {
        let reason = &put_together(client, &deltas).choices[0].finish_reason;
        assert_eq!(reason.as_deref(), Some("tool_calls"), "{client:?}");
    }
}

#[test]
fn what_was_thought_is_seen_whether_its_server_calls_it_reasoning_or_reasoning_content() {
    for name in ["reasoning", "reasoning_content"] {
        let choice = |of: &str, said: Value| json!({"choices": [{"index": 0, of: said}]});
        let thought = choice("delta", json!({ name: "Hmm." }));
        let said = choice("delta", json!({"content": "Hi"}));
        let stream = format!("data: {thought}\n\ndata: {said}\n\ndata: [DONE]\n\n");
        let read = events(CHAT, [stream.as_bytes()]);
        let all = chunks(read).into_iter().flat_map(|chunk| chunk.choices);
        let deltas: Vec<Delta> = all.map(|choice| choice.delta).collect();
        let mut body = choice("message", json!({"content": "Hi", name: "Hmm."}));
        body["choices"][0]["finish_reason"] = "stop".into();
        let answer = codec(CHAT)
            .decode_answer(body.to_string().as_bytes(), &source())
            .unwrap();
        for client in [ANTHROPIC, GEMINI, RESPONSES] {
            let whole = codec(client).encode_answer(&answer, &frame(client));
            for told in [streamed(client, &deltas, &Ending::default()), whole] {
                assert!(told.contains(r#""Hmm.""#), "{name} to {client:?}: {told}");
            }
        }
    }
}

/// The last event of an upstream's stream, which has failed.
pub(crate) fn failure(dialect: Dialect, text: &str) -> ErrorReply {
    match events(dialect, [text.as_bytes()]).pop() {
        Some(Event::Failed(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// Asserts that clients of every dialect are told of `error` in mid-stream, and of no end.
pub(crate) fn assert_no_end(error: &ErrorReply) {
    for client in Dialect::ALL {
        let mut encoder = codec(client).stream_encoder(frame(client));
        let mut text = encoder.begin() + &encoder.delta(0, &Delta::content("Hel"));
        text += &encoder.fail(error);
        text += &encoder.end(&Ending::default());
        assert!(text.contains(&*error.message), "{client:?}: {text}");
        for end in [
            "end_turn",
            "message_stop",
            "response.completed",
            "finishReason",
            r#""finish_reason":"stop""#,
            "[DONE]",
        ] {
            assert!(!text.contains(end), "{client:?}: {text}");
        }
        assert!(
            collected(events(client, [text.as_bytes()])).is_none(),
            "{text}"
        );
    }
}

proptest! {
    #[test]
    fn the_first_token_of_a_new_block_is_lost_for_no_client(
        said in prop::collection::vec(("content|reasoning_content", "[a-c]{1,3}"), 1..12),
    ) {
        let mut deltas: Vec<Delta> =
            said.iter().map(|(name, text)| Delta::field(name, text.as_str())).collect();
        deltas.push(Delta::finish("stop"));
        for client in Dialect::ALL {
            let answer = put_together(client, &deltas);
            for name in ["content", "reasoning_content"] {
                let of = said.iter().filter(|(of, _)| of == name);
                let all: String = of.map(|(_, text)| text.as_str()).collect();
                let found = joined(answer.choices[0].message.get(name));
                prop_assert_eq!(found, all, "{:?}: {}", client, name);
            }
        }
    }

    #[test]
    fn no_arguments_of_a_call_are_missing_only_when_streaming(
        told in prop::collection::vec("[a-c{}\"é]{0,8}", 1..4), size in 1_usize..6,
    ) {
        let arguments: Vec<Vec<char>> =
            told.iter().map(|text| json!({"a": text}).to_string().chars().collect()).collect();
        let longest = arguments.iter().map(Vec::len).max().unwrap();
        let mut deltas: Vec<Delta> =
            (0..arguments.len()).map(|index| piece(index, "f", "")).collect();
        // A piece of each in turn.
        for at in 0..longest.div_ceil(size) {
            for (index, arguments) in arguments.iter().enumerate() {
                if let Some(more) = arguments.chunks(size).nth(at) {
                    deltas.push(piece(index, "", &more.iter().collect::<String>()));
                }
            }
        }
        deltas.push(Delta::finish("tool_calls"));
        let whole = |(at, arguments): (usize, &Vec<char>)| {
            let arguments: String = arguments.iter().collect();
            json!({"id": format!("call_{at}"), "type": "function",
                "function": {"name": "f", "arguments": arguments}})
        };
        let all: Vec<Value> = arguments.iter().enumerate().map(whole).collect();
        let message = Message::assistant("").with("tool_calls", all);
        let answer = Completion {
            choices: vec![Choice::new(message, "tool_calls")],
            ..Completion::default()
        };
        for client in Dialect::ALL {
            let body = codec(client).encode_answer(&answer, &frame(client));
            let whole = codec(client).decode_answer(body.as_bytes(), &source()).unwrap();
            prop_assert_eq!(calls(&whole).len(), told.len(), "{:?}: {}", client, body);
            prop_assert_eq!(calls(&put_together(client, &deltas)), calls(&whole), "{:?}", client);
        }
    }
}
