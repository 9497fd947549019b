//! Frames, targets and sources for whatever dialect. All that stands here goes over
//! [`Dialect::ALL`], so that a dialect joins as soon as it has a codec.

use std::sync::Arc;

use hone_dialects::{Dialect, Frame, Settings, Source, Target};
use hone_strategies::ChatRequest;
use hone_strategies::chat::Origin;

use crate::first_line_of_bytes;

/// The dialect that the first line names, and the rest.
pub fn named(input: &[u8]) -> Option<(Dialect, &[u8])> {
    let (name, rest) = first_line_of_bytes(input);
    let dialect = Dialect::parse(std::str::from_utf8(name).ok()?)?;
    Some((dialect, rest))
}

/// A model of an upstream.
pub fn target() -> Target {
    Target {
        upstream: "up".to_owned(),
        model: "m".to_owned(),
        is_asked: true,
        stream: false,
        settings: Settings::default(),
    }
}

/// Whose answer is read.
pub fn source() -> Source {
    Source {
        maker: target().maker(),
        seed: "s".to_owned(),
        max_event_bytes: 1 << 16,
        ..Source::default()
    }
}

/// For a client of `dialect` that wants to see everything.
pub fn frame(dialect: Dialect) -> Frame {
    let mut origin = Origin::new(dialect);
    origin.wishes.reasoning = true;
    origin.wishes.encrypted = true;
    Frame {
        seed: "r".to_owned(),
        model: "asked".to_owned(),
        created: 1,
        request: ChatRequest::new("asked", []).with_origin(Some(Arc::new(origin))),
        max_held_bytes: 1 << 20,
    }
}
