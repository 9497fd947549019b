//! Streamed answers: however the stream is cut, the same answer comes out, with every text in it.
#![no_main]

use std::collections::BTreeMap;

use bytes::Bytes;
use hone::sse::Splitter;
use hone_strategies::Completion;
use hone_strategies::chat::{Assembler, Chunk};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Larger than any input.
const BOUND: usize = 1 << 20;

fuzz_target!(|stream: &[u8]| {
    let chunks = read(stream, usize::MAX);
    let whole = assembled(&chunks);
    assert_eq!(assembled(&read(stream, stream.len() % 16 + 1)), whole);
    assert!(
        whole
            .choices
            .is_sorted_by(|left, right| left.index < right.index),
        "each choice once, in order"
    );
    for (index, text) in spoken(&chunks) {
        let choice = whole
            .choices
            .iter()
            .find(|choice| choice.index == index)
            .expect("what was begun is there");
        assert_eq!(text.is_none_or(|text| text == choice.message.text()), true);
    }
});

fn read(stream: &[u8], size: usize) -> Vec<Chunk> {
    let mut splitter = Splitter::new(BOUND);
    let mut events = Vec::new();
    for piece in stream.chunks(size) {
        events.extend(splitter.push(Bytes::copy_from_slice(piece)));
    }
    events.extend(splitter.finish());
    events
        .iter()
        .filter_map(|event| Chunk::parse(&event.data()?).ok())
        .collect()
}

fn assembled(chunks: &[Chunk]) -> Completion {
    let mut assembler = Assembler::new();
    chunks
        .iter()
        .cloned()
        .for_each(|chunk| assembler.push(chunk));
    let is_complete = assembler.is_complete();
    let completion = assembler.finish();
    assert_eq!(
        is_complete,
        !completion.choices.is_empty()
            && completion
                .choices
                .iter()
                .all(|choice| choice.finish_reason.is_some())
    );
    completion
}

/// The content of each choice; `None` if not all of it is text.
fn spoken(chunks: &[Chunk]) -> BTreeMap<u32, Option<String>> {
    let mut spoken: BTreeMap<u32, Option<String>> = BTreeMap::new();
    for choice in chunks.iter().flat_map(|chunk| &chunk.choices) {
        let text = spoken
            .entry(choice.index)
            .or_insert_with(|| Some(String::new()));
        match (choice.delta.fields.get("content"), text.as_mut()) {
            (None | Some(Value::Null), _) | (_, None) => {}
            (Some(Value::String(more)), Some(text)) => text.push_str(more),
            (Some(_), Some(_)) => *text = None,
        }
    }
    spoken
}
