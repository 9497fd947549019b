//! The splitter: bytes are kept, and no way of cutting the input changes the events.
#![no_main]

use bytes::Bytes;
use hone::sse::{RawEvent, Splitter};
use libfuzzer_sys::fuzz_target;

/// The data of all events, and all bytes.
fn read<'a>(
    chunks: impl Iterator<Item = &'a [u8]>,
    max_event_bytes: usize,
) -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut splitter = Splitter::new(max_event_bytes);
    let mut pieces: Vec<RawEvent> = Vec::new();
    for chunk in chunks {
        pieces.extend(splitter.push(Bytes::copy_from_slice(chunk)));
    }
    pieces.extend(splitter.finish());
    let data = pieces
        .iter()
        .filter_map(RawEvent::data)
        .map(std::borrow::Cow::into_owned)
        .collect();
    (
        data,
        pieces
            .iter()
            .flat_map(|piece| piece.bytes.to_vec())
            .collect(),
    )
}

fuzz_target!(|input: (u8, u8, &[u8])| {
    let (size, max, stream) = input;
    let max = usize::from(max);
    let (whole, bytes) = read(std::iter::once(stream), max);
    assert_eq!(bytes, stream);
    let (cut, bytes) = read(stream.chunks(usize::from(size % 16) + 1), max);
    assert_eq!(bytes, stream);
    assert_eq!(cut, whole);
});
