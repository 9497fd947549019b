//! Requests, targets, frames and streams for tests.

use std::sync::Arc;

use hone_dialects::{
    Dialect, Encoded, Ending, Event, Frame, Refusal, Route, Settings, Source, StreamEncoder,
    Target, codec,
};
use hone_strategies::chat::{Assembler, ChatRequest, Chunk, Completion, Delta, Origin};
use serde_json::Value;

/// The model `m` of the upstream `up`.
pub(crate) fn target() -> Target {
    Target {
        upstream: "up".to_owned(),
        model: "m".to_owned(),
        is_asked: true,
        stream: false,
        settings: Settings::default(),
    }
}

pub(crate) fn decoded(dialect: Dialect, body: &Value) -> Result<ChatRequest, Refusal> {
    codec(dialect).decode_request(body.to_string().as_bytes(), &Route::default())
}

pub(crate) fn encoded(dialect: Dialect, request: &ChatRequest) -> Encoded {
    let encoded = codec(dialect).encode_request(request, &target());
    encoded.unwrap_or_else(|refusal| panic!("{:?}: {refusal}", refusal.param))
}

/// What an upstream of `to` gets of a `body` that came in `from`.
pub(crate) fn translated(from: Dialect, to: Dialect, body: &Value) -> Value {
    json_of(&encoded(to, &decoded(from, body).unwrap()))
}

pub(crate) fn json_of(encoded: &Encoded) -> Value {
    serde_json::from_slice(&encoded.body).unwrap()
}

/// A frame for a client of `dialect` that wants to see everything.
pub(crate) fn frame(dialect: Dialect) -> Frame {
    let mut origin = Origin::new(dialect);
    origin.wishes.reasoning = true;
    origin.wishes.encrypted = true;
    Frame {
        seed: "r1".to_owned(),
        model: "asked".to_owned(),
        created: 1,
        request: ChatRequest::new("asked", []).with_origin(Some(Arc::new(origin))),
        max_held_bytes: 1 << 20,
    }
}

/// Whose answers the tests read.
pub(crate) fn source() -> Source {
    Source {
        maker: "up/m".to_owned(),
        ..Source::default()
    }
}

/// The events of a stream that comes in pieces.
pub(crate) fn events<'a>(
    dialect: Dialect,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<Event> {
    let mut decoder = codec(dialect).stream_decoder(source());
    let mut events = Vec::new();
    for piece in pieces {
        events.extend(decoder.push(piece));
    }
    events.extend(decoder.finish());
    events
}

/// The answer that the events of a stream add up to, if it is whole.
pub(crate) fn collected(events: Vec<Event>) -> Option<Completion> {
    let mut assembler = Assembler::new();
    for event in events {
        match event {
            Event::Chunk(chunk) => assembler.push(chunk),
            Event::Failed(_) => return None,
            Event::Done => return Some(assembler.finish()),
        }
    }
    None
}

/// The chunks of events.
pub(crate) fn chunks(events: Vec<Event>) -> Vec<Chunk> {
    let chunk = |event| match event {
        Event::Chunk(chunk) => Some(chunk),
        Event::Failed(_) | Event::Done => None,
    };
    events.into_iter().filter_map(chunk).collect()
}

/// The stream that a client of `dialect` gets of these deltas.
pub(crate) fn streamed(dialect: Dialect, deltas: &[Delta], ending: &Ending) -> String {
    let mut encoder = codec(dialect).stream_encoder(frame(dialect));
    let mut text = encoder.begin();
    for delta in deltas {
        text.push_str(&encoder.delta(0, delta));
    }
    text.push_str(&encoder.end(ending));
    text.push_str(&silence(encoder.as_mut()));
    text
}

/// What comes after an end: nothing.
fn silence(encoder: &mut dyn StreamEncoder) -> String {
    encoder.beat() + &encoder.end(&Ending::default())
}
