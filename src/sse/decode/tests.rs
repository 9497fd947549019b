use proptest::prelude::*;

use super::*;

/// What a reader sees: the data of every event that has some, and whether an event was above the
/// bound.
fn read<'a>(
    chunks: impl IntoIterator<Item = &'a [u8]>,
    max: usize,
) -> (Vec<String>, Vec<RawEvent>) {
    let mut splitter = Splitter::new(max);
    let mut pieces: Vec<_> = Vec::new();
    for chunk in chunks {
        pieces.extend(splitter.push(Bytes::copy_from_slice(chunk)));
    }
    pieces.extend(splitter.finish());
    let data = pieces
        .iter()
        .filter_map(RawEvent::data)
        .map(|data| String::from_utf8(data.into_owned()).unwrap());
    (data.collect(), pieces)
}

fn data(text: &str) -> Vec<String> {
    read([text.as_bytes()], 1024).0
}

fn raw(pieces: &[RawEvent]) -> Vec<u8> {
    pieces
        .iter()
        .flat_map(|piece| piece.bytes.to_vec())
        .collect()
}

#[test]
fn all_three_line_ends_end_lines() {
    for text in [
        "data: a\n\ndata: b\n\n",
        "data: a\r\n\r\ndata: b\r\n\r\n",
        "data: a\r\rdata: b\r\r",
        "data: a\r\n\ndata: b\n\r\n",
    ] {
        assert_eq!(data(text), ["a", "b"], "{text:?}");
    }
}

#[test]
fn only_one_space_after_the_colon_is_not_data() {
    assert_eq!(
        data("data:a\n\ndata:  b\n\ndata\n\ndata:\n\n"),
        ["a", " b", "", ""]
    );
}

#[test]
fn several_data_fields_are_joined() {
    assert_eq!(
        data("data: a\nid: 1\ndata:\n: note\ndata: b\n\n"),
        ["a\n\nb"]
    );
}

#[test]
fn comments_and_other_fields_have_no_data() {
    assert!(data(": ping\n\nevent: x\nid: 1\n\ndatas: 1\n\n data: 1\n\n").is_empty());
}

#[test]
fn a_byte_order_mark_is_skipped_once() {
    assert_eq!(data("\u{feff}data: a\n\n\u{feff}data: b\n\n"), ["a"]);
    assert_eq!(
        read([&b"\xef"[..], b"\xbb", b"\xbfdata: a\n", b"\n"], 1024).0,
        ["a"]
    );
    assert_eq!(data("\u{feff}\ndata: a\n\n"), ["a"]);
}

#[test]
fn an_event_is_given_with_its_last_byte() {
    for text in ["data: a\n\n", "data: a\r\r", "data: a\r\n\r"] {
        let mut splitter = Splitter::new(1024);
        let given: Vec<_> = text
            .bytes()
            .map(|byte| splitter.push(Bytes::copy_from_slice(&[byte])).count())
            .collect();
        assert_eq!(given.iter().sum::<usize>(), 1);
        assert_eq!(given.last(), Some(&1), "{text:?}");
    }
}

#[test]
fn a_late_line_feed_is_not_held_back() {
    let mut splitter = Splitter::new(1024);
    assert_eq!(splitter.push(Bytes::from("data: a\r\n\r")).count(), 1);
    assert_eq!(splitter.push(Bytes::from("\n")).next().unwrap().bytes, "\n");
}

#[test]
fn an_event_keeps_its_terminator() {
    let (_, pieces) = read([&b"data: a\r\n\r\ndata: b\n\n"[..]], 1024);
    assert_eq!(
        pieces
            .iter()
            .map(|piece| piece.bytes.len())
            .collect::<Vec<_>>(),
        [11, 9]
    );
}

#[test]
fn an_event_within_a_chunk_is_not_copied() {
    let chunk = Bytes::from("data: a\n\ndata: b\n\n");
    let mut splitter = Splitter::new(1024);
    let event = splitter.push(chunk.clone()).nth(1).unwrap();
    assert_eq!(event.bytes.as_ptr().addr(), chunk.as_ptr().addr() + 9);
}

#[test]
fn an_event_above_the_bound_passes_without_data_and_the_next_is_read() {
    let long = format!("data: {}\n\ndata: b\n\n", "x".repeat(100));
    for size in [1, 7, 1000] {
        let (data, pieces) = read(long.as_bytes().chunks(size), 50);
        assert_eq!(data, ["b"], "chunks of {size}");
        assert!(pieces.iter().any(RawEvent::is_oversized));
        assert_eq!(raw(&pieces), long.as_bytes());
    }
}

#[test]
fn no_more_than_the_bound_is_held() {
    let mut splitter = Splitter::new(64);
    for _ in 0..1000 {
        let _pieces = splitter.push(Bytes::from("data: 0123456789")).count();
        assert!(splitter.held.len() <= 64);
    }
}

#[test]
fn the_end_of_the_stream_ends_an_event() {
    assert_eq!(data("data: a\n\ndata: [DONE]"), ["a", "[DONE]"]);
    assert!(Splitter::new(1024).finish().is_none());
}

#[test]
fn events_that_were_not_taken_come_later() {
    let mut splitter = Splitter::new(1024);
    assert!(
        splitter
            .push(Bytes::from("data: a\n\ndata: b\n\nda"))
            .next()
            .is_some()
    );
    let rest: Vec<_> = splitter
        .push(Bytes::from("ta: c\n\n"))
        .map(|event| event.bytes)
        .collect();
    assert_eq!(rest, ["data: b\n\n", "data: c\n\n"]);
}

fn streams() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just("data: "),
        Just("data"),
        Just(":"),
        Just("\n"),
        Just("\r"),
        Just("\r\n"),
        Just("\n\n"),
        Just("\u{feff}"),
        Just("é🦀"),
        Just("event: x\n"),
        Just("abcdefgh"),
    ];
    prop::collection::vec(part, 0..40).prop_map(|parts| parts.concat())
}

/// `bytes` cut at `cuts`.
fn cut<'a>(bytes: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.sort_unstable();
    at.push(bytes.len());
    let mut start = 0;
    at.into_iter()
        .map(|end| &bytes[std::mem::replace(&mut start, end)..end])
        .collect()
}

/// The standard's algorithm, line by line, for a stream of any size.
fn reference(text: &str) -> Vec<String> {
    let text = text
        .strip_prefix('\u{feff}')
        .unwrap_or(text)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let mut events = Vec::new();
    let mut lines: Option<Vec<&str>> = None;
    for line in text.split('\n').chain([""]) {
        if line.is_empty() {
            events.extend(lines.take().map(|lines| lines.join("\n")));
            continue;
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name == "data" {
            lines
                .get_or_insert_default()
                .push(value.strip_prefix(' ').unwrap_or(value));
        }
    }
    events
}

proptest! {
    #[test]
    fn the_standards_algorithm_reads_the_same(text in streams()) {
        prop_assert_eq!(data(&text), reference(&text));
    }

    #[test]
    fn every_split_gives_the_same_events(text in streams(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12), max in 4_usize..60) {
        let whole = read([text.as_bytes()], max).0;
        prop_assert_eq!(read(cut(text.as_bytes(), &cuts), max).0, whole);
    }

    #[test]
    fn the_pieces_are_the_input(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\n'),
        Just(b'\r')], 0..200), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
            max in 0_usize..60) {
        let mut splitter = Splitter::new(max);
        let mut pieces: Vec<_> = Vec::new();
        for chunk in cut(&bytes, &cuts) {
            pieces.extend(splitter.push(Bytes::copy_from_slice(chunk)));
        }
        pieces.extend(splitter.finish());
        prop_assert_eq!(raw(&pieces), bytes);
    }
}
