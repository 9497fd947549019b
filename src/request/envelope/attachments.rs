//! How many tokens a body may have as a prompt: text by its bytes, and what is attached as base64
//! by what it is.
//!
//! One more linear search beside the peek, and only for callers whose tokens are counted. It is an
//! estimate, so it looks for the two forms in which providers take bytes (a `data:` URL, and a
//! member `data` beside its media type or format) and does not parse. Most of a large body is
//! inside of attachments, so what one search has found to be a string, the next leaves out.

use std::ops::Range;
use std::sync::LazyLock;

use hone_strategies::chat::Attachment;
use memchr::memmem::{self, Finder};
use memchr::{memchr, memrchr};

/// Text bytes to a token.
const BYTES_PER_TOKEN: u64 = 4;
/// Longest `data:` URL up to its payload.
const LONGEST_PREFIX: usize = 160;
/// How far from its data an attachment's media type or format is looked for.
const NEAR: usize = 160;
/// Anything shorter may as well count as text.
const SHORTEST: usize = 256;

const MARK: &[u8] = b";base64,";
const NAME: &[u8] = b"\"data\"";
// To make a searcher takes longer than to search a usual body.
static FIND_MARK: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(MARK));
static FIND_NAME: LazyLock<Finder<'_>> = LazyLock::new(|| Finder::new(NAME));

/// Tokens that `body` is estimated to have as a prompt.
pub fn input_tokens(body: &[u8]) -> u64 {
    let mut sum = Sum::default();
    let mut seen = 0_usize;
    while let Some(Url { payload, kind }) = next_url(body, seen) {
        data_members(body, seen..payload.start, &mut sum);
        if let Some(kind) = kind {
            sum.add(kind, payload.len());
        }
        seen = payload.end;
    }
    data_members(body, seen..body.len(), &mut sum);
    let text = (body.len() as u64).saturating_sub(sum.bytes);
    text.div_ceil(BYTES_PER_TOKEN).saturating_add(sum.tokens)
}

/// What was found that is not text.
#[derive(Default)]
struct Sum {
    bytes: u64,
    tokens: u64,
}

impl Sum {
    fn add(&mut self, what: Attachment, bytes: usize) {
        let bytes = bytes as u64;
        self.bytes = self.bytes.saturating_add(bytes);
        self.tokens = self.tokens.saturating_add(what.tokens(bytes));
    }
}

/// A `data:` URL's payload: what stands between its mark and the next quote, and so has none in it.
struct Url {
    payload: Range<usize>,
    /// `None` if it is no attachment after all.
    kind: Option<Attachment>,
}

/// The first `"data:image/png;base64,…"` from `from` on.
fn next_url(body: &[u8], from: usize) -> Option<Url> {
    let mark = from + FIND_MARK.find(body.get(from..)?)?;
    let start = mark + MARK.len();
    // No quote to its end: no string, and nothing more to find.
    let payload = string_from(body, start)?;
    let kind = media_type(
        body.get(mark.saturating_sub(LONGEST_PREFIX)..mark)
            .unwrap_or_default(),
    )
    .filter(|_| is_attachment(payload))
    .map(Attachment::of_media_type);
    Some(Url {
        payload: start..start + payload.len(),
        kind,
    })
}

/// The media type of a `data:` URL of which `before` is the end of what stands in front of its
/// mark.
fn media_type(before: &[u8]) -> Option<&str> {
    let quote = memrchr(b'"', before)?;
    let url = std::str::from_utf8(before.get(quote + 1..)?).ok()?;
    url.strip_prefix("data:")
}

/// Every `"data": "…"` whose name stands within `range`.
fn data_members(body: &[u8], range: Range<usize>, sum: &mut Sum) {
    let mut seen = range.start;
    while let Some(at) = body
        .get(seen..range.end)
        .and_then(|rest| FIND_NAME.find(rest))
    {
        let name = seen + at;
        seen = name + NAME.len();
        let Some(start) = value_after(body, seen) else {
            continue;
        };
        let Some(payload) = string_from(body, start) else {
            return;
        };
        if is_attachment(payload) {
            let end = start + payload.len();
            let before = body
                .get(name.saturating_sub(NEAR)..name)
                .unwrap_or_default();
            let after = body
                .get(end..body.len().min(end + NEAR))
                .unwrap_or_default();
            sum.add(kind_near(before, after), payload.len());
            seen = end;
        }
    }
}

/// Where the text of a string begins that is the value of the name that ends at `at`.
fn value_after(body: &[u8], at: usize) -> Option<usize> {
    let mut wanted = [b':', b'"'].into_iter().peekable();
    for (index, byte) in body.get(at..)?.iter().enumerate() {
        match wanted.peek() {
            Some(next) if next == byte => {
                wanted.next();
                if wanted.peek().is_none() {
                    return Some(at + index + 1);
                }
            }
            _ if byte.is_ascii_whitespace() => {}
            _ => return None,
        }
    }
    None
}

/// What is said beside the data: a media type, or the format of a sound.
fn kind_near(before: &[u8], after: &[u8]) -> Attachment {
    for near in [before, after] {
        for (word, kind) in [
            (&b"\"image/"[..], Attachment::Image),
            (b"\"image\\/", Attachment::Image),
            (b"\"audio/", Attachment::Audio),
            (b"\"audio\\/", Attachment::Audio),
            (b"\"text/", Attachment::Text),
            (b"\"format\"", Attachment::Audio),
        ] {
            if memmem::find(near, word).is_some() {
                return kind;
            }
        }
    }
    Attachment::File
}

/// From `start` to the next quote.
fn string_from(body: &[u8], start: usize) -> Option<&[u8]> {
    let rest = body.get(start..)?;
    rest.get(..memchr(b'"', rest)?)
}

/// Whether this is base64 of some length, with or without escaped slashes: prose has spaces, and is
/// counted as text.
fn is_attachment(payload: &[u8]) -> bool {
    /// So many bytes are looked at before the first that does not fit ends the search, because a
    /// loop without an exit is done many bytes at a time.
    const STRIDE: usize = 128;
    let is_base64 = |byte: &u8| {
        byte.is_ascii_alphanumeric() | matches!(byte, b'+' | b'/' | b'=' | b'-' | b'_' | b'\\')
    };
    payload.len() >= SHORTEST
        && payload
            .chunks(STRIDE)
            .all(|chunk| chunk.iter().fold(true, |all, byte| all & is_base64(byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn estimate(body: &serde_json::Value) -> u64 {
        input_tokens(body.to_string().as_bytes())
    }

    #[test]
    fn text_counts_by_its_bytes() {
        assert_eq!(input_tokens(b""), 0);
        assert_eq!(input_tokens(&[b'x'; 4001]), 1001);
        let talk = json!({"content": "a data:image/png;base64, URL is written \
            like \"data:image/png;base64,AAAA\" "});
        assert_eq!(estimate(&talk), (talk.to_string().len() as u64).div_ceil(4));
    }

    #[test]
    fn a_picture_of_five_megabytes_counts_as_a_picture() {
        let data = "iVBORw0KGgo/".repeat(5_000_000 / 12);
        let url = format!("data:image/png;base64,{data}");
        let shapes = [
            json!({"content": [{"type": "image_url", "image_url": {"url": url}}]}),
            json!({"input": [{"type": "input_image", "image_url": url}]}),
            json!({"content": [{"type": "image", "source": {"type": "base64",
                "media_type": "image/png", "data": data}}]}),
            json!({"content": [{"type": "image", "source": {"data": data, "media_type": "image/png",
                "type": "base64"}}]}),
        ];
        for shape in &shapes {
            let tokens = estimate(shape);
            assert!((1000..1100).contains(&tokens), "{tokens}");
        }
        let escaped = shapes
            .first()
            .map(|shape| shape.to_string().replace('/', "\\/"))
            .unwrap();
        assert!(
            input_tokens(escaped.as_bytes()) < 1100,
            "slashes may be escaped"
        );
    }

    #[test]
    fn every_attachment_counts_and_the_text_between_them() {
        let picture = format!("data:image/png;base64,{}", "A".repeat(10_000));
        let body = json!([picture, "x".repeat(40_000), picture]).to_string();
        let tokens = input_tokens(body.as_bytes());
        assert!((12_000..12_100).contains(&tokens), "{tokens}");
    }

    #[test]
    fn sound_and_documents_count_by_their_length() {
        let data = "A".repeat(512_000);
        let sound = json!({"type": "input_audio", "input_audio": {"data": data, "format": "wav"}});
        assert!((1000..1100).contains(&estimate(&sound)));
        let document = json!({"type": "file",
            "file": {"file_data": format!("data:application/pdf;base64,{data}")}});
        assert!((8000..8100).contains(&estimate(&document)));
    }

    #[test]
    fn prose_in_an_attachments_place_is_text() {
        let prose = "word ".repeat(10_000);
        for body in [
            json!({"data": prose}),
            json!({"url": format!("data:image/png;base64,{prose}")}),
        ] {
            assert!(estimate(&body) >= 12_500);
        }
    }

    #[test]
    fn a_string_that_one_byte_keeps_from_being_base64_is_text_wherever_that_byte_stands() {
        for length in [SHORTEST, 1000, 1024] {
            for at in 0..length {
                let (before, after) = ("A".repeat(at), "A".repeat(length - at - 1));
                let body = format!("{{\"url\":\"data:image/png;base64,{before} {after}\"}}");
                assert_eq!(
                    input_tokens(body.as_bytes()),
                    (body.len() as u64).div_ceil(4),
                    "{length}, {at}"
                );
            }
        }
    }

    /// What both forms come to if each is looked for in all of the body.
    fn in_two_searches(body: &[u8]) -> u64 {
        let mut sum = Sum::default();
        let mut seen = 0;
        while let Some(Url { payload, kind }) = next_url(body, seen) {
            seen = payload.end;
            if let Some(kind) = kind {
                sum.add(kind, payload.len());
            }
        }
        data_members(body, 0..body.len(), &mut sum);
        (body.len() as u64 - sum.bytes).div_ceil(BYTES_PER_TOKEN) + sum.tokens
    }

    proptest! {
        #[test]
        fn what_the_first_search_leaves_out_holds_nothing_for_the_second(
            parts in prop::collection::vec((0..10_usize, 0..3_usize), 0..40)
        ) {
            let long = "QUJD".repeat(SHORTEST / 4);
            let words = ["\"data\"", ":", "\"", ";base64,", "\"data:image/png", " ", &long,
                "\"data\":\"", "\"format\"", ","];
            let body = parts.iter().map(|&(word, times)| words[word].repeat(times))
                .collect::<String>();
            prop_assert_eq!(input_tokens(body.as_bytes()), in_two_searches(body.as_bytes()));
        }

        #[test]
        fn no_bytes_make_it_panic_and_attachments_are_all_that_may_cost_more_than_text(
            parts in prop::collection::vec(prop::sample::select(vec!["\"data\"", ":", "\"",
                ";base64,", "data:image/png", " ", "QUJD", "é", "\"format\""]), 0..40)
        ) {
            let body = parts.concat();
            prop_assert_eq!(input_tokens(body.as_bytes()), (body.len() as u64).div_ceil(4));
        }

        #[test]
        fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(input_tokens(&bytes) <= bytes.len() as u64 + 1000);
        }
    }
}
