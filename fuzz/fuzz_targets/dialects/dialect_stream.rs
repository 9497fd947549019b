//! An upstream's stream in any dialect, for a client of every dialect: however it is cut, the same
//! events; one end and nothing behind it; and what a client is told is whole or a failure.
#![no_main]

use hone_dialects::stops::Guard;
use hone_dialects::{Dialect, Ending, Event, codec};
use hone_fuzz::dialect::{frame, named, source};
use hone_strategies::chat::{Assembler, Completion};
use libfuzzer_sys::fuzz_target;

/// What no input says.
const UNSAID: &str = "\u{10ffff}\u{10ffff}";

fuzz_target!(|input: &[u8]| {
    let Some((upstream, stream)) = named(input) else {
        return;
    };
    let events = read(upstream, stream, usize::MAX);
    for size in [1, stream.len() % 16 + 2] {
        assert_eq!(read(upstream, stream, size), events, "pieces of {size}");
    }
    let (end, before) = events.split_last().expect("every stream has an end");
    assert!(!matches!(end, Event::Chunk(_)));
    assert!(before.iter().all(|event| matches!(event, Event::Chunk(_))));
    for client in Dialect::ALL {
        write(client, &events);
    }
    if !String::from_utf8_lossy(stream).contains('\u{10ffff}') {
        let mut guard = Guard::new(vec![UNSAID.to_owned()], 1).expect("something to watch for");
        let watched = guard.push(events.clone());
        assert_eq!(texts(watched), texts(events), "text in is text out");
    }
});

fn read(upstream: Dialect, stream: &[u8], size: usize) -> Vec<Event> {
    let mut decoder = codec(upstream).stream_decoder(source());
    let mut events = Vec::new();
    for piece in stream.chunks(size) {
        events.extend(decoder.push(piece));
    }
    events.extend(decoder.finish());
    assert!(decoder.push(stream).is_empty() && decoder.finish().is_empty());
    events
}

fn write(client: Dialect, events: &[Event]) {
    let mut encoder = codec(client).stream_encoder(frame(client));
    let mut text = encoder.begin();
    for event in events {
        text += &match event {
            Event::Chunk(chunk) => {
                let choices = chunk.choices.iter();
                choices
                    .map(|choice| encoder.delta(choice.index, &choice.delta))
                    .collect()
            }
            Event::Failed(error) => encoder.fail(error),
            Event::Done => encoder.end(&Ending::default()),
        };
    }
    assert!(!text.is_empty(), "every end is told");
    let ending = Ending::default();
    assert_eq!(
        encoder.beat() + &encoder.end(&ending),
        "",
        "nothing behind the end"
    );
}

fn texts(events: Vec<Event>) -> Vec<String> {
    let mut assembler = Assembler::new();
    for event in events {
        if let Event::Chunk(chunk) = event {
            assembler.push(chunk);
        }
    }
    let Completion { choices, .. } = assembler.finish();
    let text = |choice: &hone_strategies::chat::Choice| choice.message.text().into_owned();
    choices.iter().map(text).collect()
}
