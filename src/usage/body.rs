//! The token use of a JSON response.

use std::sync::LazyLock;

use bytes::{Bytes, BytesMut};
use hone_strategies::chat::{
    Usage, UsageReport, Written, is_possible, text_bytes, tokens_of_bytes,
};
use memchr::memmem::FinderRev;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::passing::Passing;
use super::{Api, Observed};

/// An answer is kept up to this, in bytes; a larger one is read as it passes. A client that reads
/// slowly would else have hone hold its answer twice.
const KEPT: usize = 64 * 1024;

/// Reads a response that is being passed on, at its end if it is small.
#[derive(Debug)]
pub struct BodyReader {
    api: Api,
    max_bytes: usize,
    /// Choices that the request asked for.
    choices: u64,
    body: Body,
    /// Bytes of the response.
    seen: u64,
}

/// What is known of the response so far.
#[derive(Debug)]
enum Body {
    Kept(BytesMut),
    Passing(Box<Passing>),
    /// Larger than `max_bytes`: nothing.
    Unknown,
}

/// The members of a response that matter here.
#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    usage: Option<&'a RawValue>,
    /// Of chat completions and completions.
    #[serde(borrow)]
    choices: Option<&'a RawValue>,
    /// Of messages.
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    /// Of responses.
    #[serde(borrow)]
    output: Option<&'a RawValue>,
}

impl BodyReader {
    /// A reader of at most `max_bytes`; of a larger response nothing is known. The text of a
    /// response to a request for one choice is counted only if no use is reported.
    pub(crate) fn new(api: Api, max_bytes: usize, choices: u64) -> Self {
        Self {
            api,
            max_bytes,
            choices,
            body: match api {
                Api::Gemini => Body::Passing(Box::new(Passing::of_google())),
                _ => Body::Kept(BytesMut::new()),
            },
            seen: 0,
        }
    }

    /// Reads the next bytes of the response.
    pub(crate) fn observe(&mut self, chunk: &Bytes) {
        self.seen = self.seen.saturating_add(chunk.len() as u64);
        // Of Google's answers, which may have pictures in them, nothing is kept.
        if self.seen > self.max_bytes as u64 && self.api != Api::Gemini {
            self.body = Body::Unknown;
        }
        match &mut self.body {
            Body::Kept(kept) if kept.len().saturating_add(chunk.len()) <= KEPT => {
                kept.extend_from_slice(chunk);
            }
            Body::Kept(kept) => {
                let mut passing = Passing::new(self.api.text_member());
                passing.read(kept);
                passing.read(chunk);
                self.body = Body::Passing(Box::new(passing));
            }
            Body::Passing(passing) => passing.read(chunk),
            Body::Unknown => {}
        }
    }

    /// What an element must be preceded by that is put into the response here, if one can be.
    pub(crate) fn gap(&self) -> Option<&'static str> {
        match &self.body {
            Body::Passing(passing) => passing.gap(),
            Body::Kept(_) | Body::Unknown => None,
        }
    }

    /// What the response told, if it is complete.
    pub(crate) fn finish(self) -> Observed {
        let Self {
            api, choices, seen, ..
        } = self;
        let kept = match self.body {
            Body::Kept(kept) => kept,
            Body::Passing(passing) if api == Api::Gemini => return super::google::told(&passing),
            Body::Passing(passing) => return passed(api, *passing, seen),
            Body::Unknown if api == Api::Any => return of_any_api(None, seen),
            Body::Unknown => return Observed::default(),
        };
        if api == Api::Any {
            return of_any_api(reported_anywhere(&kept), seen);
        }
        if choices <= 1
            && let Some(reported) = reported_at_the_end(&kept).filter(|usage| stands(api, usage))
        {
            return Observed {
                reported: Some(reported),
                ..Observed::default()
            };
        }
        let Ok(answer) = serde_json::from_slice::<Answer<'_>>(&kept) else {
            return Observed::default();
        };
        let written = match api {
            Api::ChatCompletions | Api::Completions => answer.choices.map(of_choices),
            Api::Any | Api::Embeddings | Api::Gemini => None,
            Api::Messages => answer.content.map(of_one),
            Api::Responses => answer.output.map(of_one),
        };
        Observed {
            reported: answer.usage.and_then(super::parse),
            counted: Some(written.unwrap_or_default()),
            ..Observed::default()
        }
    }
}

impl Api {
    /// The member that holds what a model wrote.
    fn text_member(self) -> &'static str {
        match self {
            Self::ChatCompletions | Self::Completions => "choices",
            Self::Messages => "content",
            Self::Responses => "output",
            Self::Any | Self::Embeddings | Self::Gemini => "",
        }
    }
}

/// What a large answer told while it passed.
fn passed(api: Api, passing: Passing, seen: u64) -> Observed {
    let whole = passing.finish();
    let report = |member: Vec<u8>| {
        let json = member.trim_ascii_start().strip_prefix(b":")?;
        serde_json::from_slice::<UsageReport>(json).ok()?.usage()
    };
    let (reported, written, bytes) = match whole {
        Some((json, written, bytes)) => (json.and_then(report), written, bytes),
        None if api == Api::Any => return of_any_api(None, seen),
        None => return Observed::default(),
    };
    if api == Api::Any {
        return of_any_api(reported, seen);
    }
    let written = match api {
        Api::Messages | Api::Responses => Some(Written::one(tokens_of_bytes(bytes))),
        _ => written,
    };
    Observed {
        reported,
        counted: Some(written.unwrap_or_default()),
        ..Observed::default()
    }
}

fn of_any_api(reported: Option<Usage>, seen: u64) -> Observed {
    super::of_any(reported, true, tokens_of_bytes(seen))
}

/// The use that a whole answer reports, wherever in its outermost object.
fn reported_anywhere(json: &[u8]) -> Option<Usage> {
    let answer = serde_json::from_slice::<Answer<'_>>(json).ok()?;
    answer.usage.and_then(super::parse)
}

/// Whether a report needs no look at the text: none of its parts is zero that may not be, and any
/// call can have used as much.
fn stands(api: Api, usage: &Usage) -> bool {
    usage.prompt > 0
        && (usage.completion > 0 || api == Api::Embeddings)
        && is_possible(usage, Written::default(), 0)
}

/// What each of `choices` has written.
fn of_choices(choices: &RawValue) -> Written {
    let Ok(choices) = serde_json::from_str::<Vec<&RawValue>>(choices.get()) else {
        return Written::default();
    };
    let mut counts = choices.into_iter().map(raw_tokens);
    let first = counts.next().unwrap_or(0);
    Written {
        first,
        all: counts.fold(first, u64::saturating_add),
    }
}

fn of_one(text: &RawValue) -> Written {
    Written::one(raw_tokens(text))
}

fn raw_tokens(text: &RawValue) -> u64 {
    tokens_of_bytes(text_bytes(&mut serde_json::Deserializer::from_str(
        text.get(),
    )))
}

/// Furthest from the end of a response that its `usage` is looked for without reading what stands
/// before it.
const TAIL_BYTES: usize = 4096;

/// The `usage` of an object that has it among its last members, as chat completions do, found
/// without reading the whole. What is not clearly so is `None`.
fn reported_at_the_end(json: &[u8]) -> Option<Usage> {
    const NAME: &[u8] = b"\"usage\"";
    // To make a searcher takes longer than the search.
    static FIND: LazyLock<FinderRev<'_>> = LazyLock::new(|| FinderRev::new(NAME));
    let tail = json.get(json.len().saturating_sub(TAIL_BYTES)..)?;
    let at = FIND.rfind(tail)?;
    let (before, from_name) = tail.split_at_checked(at)?;
    // Within a string the quote would be escaped.
    if before.last() == Some(&b'\\') {
        return None;
    }
    let value = from_name
        .get(NAME.len()..)?
        .trim_ascii_start()
        .strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(value).into_iter::<UsageReport>();
    let usage = values.next()?.ok()?;
    let rest = value.get(values.byte_offset()..)?.trim_ascii();
    // Only members of the outermost object may follow.
    let is_outermost = rest == b"}" || rest.strip_prefix(b",").is_some_and(are_members);
    if is_outermost { usage.usage() } else { None }
}

/// Whether `json` is the rest of an object, its closing brace included.
fn are_members(json: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(&[b"{", json].concat()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(json: &str, choices: u64) -> Observed {
        let mut reader = BodyReader::new(Api::ChatCompletions, 100_000, choices);
        reader.observe(&Bytes::copy_from_slice(json.as_bytes()));
        reader.finish()
    }

    const USAGE: &str = r#"{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}"#;

    #[test]
    fn use_is_found_wherever_it_stands() {
        let choices = r#""choices":[{"message":{"content":"well done"}}]"#;
        let long = format!(
            r#""choices":[{{"message":{{"content":"{}"}}}}]"#,
            "word ".repeat(2000)
        );
        for json in [
            format!("{{{choices},\"usage\":{USAGE}}}"),
            format!(
                "{{{choices}, \"usage\" : {USAGE} , \"system_fingerprint\":\"f\", \"x\":{{}} }}\n"
            ),
            format!("{{\"usage\":{USAGE},{choices}}}"),
            format!("{{\"usage\":{USAGE},{long}}}"),
            format!("{{{long},\"usage\":{USAGE}}}"),
        ] {
            assert_eq!(
                observed(&json, 1).reported,
                Some(Usage::new(3, 4)),
                "{json}"
            );
        }
    }

    #[test]
    fn what_only_looks_like_a_report_is_none() {
        let text = r#"{"choices":[{"message":
            {"content":"say \"usage\":{\"prompt_tokens\":9,\"completion_tokens\":9}"}}]}"#;
        assert_eq!(
            observed(text, 1),
            Observed {
                reported: None,
                counted: Some(Written::one(14)),
                ..Observed::default()
            }
        );
        let nested =
            format!(r#"{{"choices":[{{"message":{{"content":"four"}},"usage":{USAGE}}}]}}"#);
        assert_eq!(observed(&nested, 1).reported, None);
        let between = format!(r#"{{"a":{{"usage":{USAGE},"b":1}},"c":2}}"#);
        assert_eq!(observed(&between, 1).reported, None);
        let odd_name = format!(r#"{{"my \"usage":{USAGE}}}"#);
        assert_eq!(observed(&odd_name, 1).reported, None);
    }

    #[test]
    fn of_several_choices_the_text_is_counted_too() {
        let json =
            format!(r#"{{"choices":[{{"message":{{"content":"eight by"}}}}],"usage":{USAGE}}}"#);
        assert_eq!(observed(&json, 2).counted, Some(Written::one(2)));
        assert_eq!(observed(&json, 1).counted, None);
    }

    /// What is told of an answer that is read in pieces of so many bytes.
    fn in_pieces(api: Api, json: &str, size: usize) -> Observed {
        let mut reader = BodyReader::new(api, 10_000_000, 2);
        for piece in json.as_bytes().chunks(size) {
            reader.observe(&Bytes::copy_from_slice(piece));
        }
        reader.finish()
    }

    #[test]
    fn a_large_answer_tells_the_same_as_a_small_one_and_is_not_kept() {
        const TEXT: &str = r#"{"role":"assistant","content":"a\u00e9\ud83d\ude00 \"usage\":{",
            "x":["y",{"logprobs":{"z":["no"]},"arguments":"{\\}"}],"id":"none","n":[1,{}]}"#;
        for (api, member) in [
            (Api::ChatCompletions, "choices"),
            (Api::Messages, "content"),
            (Api::Responses, "output"),
            (Api::Embeddings, "data"),
        ] {
            let list = format!(r#""{member}":[{TEXT}, {TEXT},"text",{TEXT}]"#);
            for json in [
                format!(r#"{{"usage":{USAGE},"id":"i",{list}}}"#),
                format!(r#"{{{list},"usage" : {USAGE} }}"#),
                format!(r#"{{{list},"object":"usage","u":{{"usage":1}}}}"#),
            ] {
                let small = in_pieces(api, &json, 7);
                let space = " ".repeat(KEPT);
                let (brace, rest) = json.split_at(1);
                let large = format!("{brace}{space}{rest}");
                for size in [1, 3, 1000, 100_000] {
                    assert_eq!(in_pieces(api, &large, size), small, "{api:?} {size} {json}");
                }
            }
        }
        for cut in ["", "}}", "{\"a\":\"", "[1]", "x"] {
            let large = format!("{}{cut}", " ".repeat(KEPT + 1));
            assert_eq!(
                in_pieces(Api::ChatCompletions, &large, 999).reported,
                None,
                "{cut}"
            );
        }
        let mut reader = BodyReader::new(Api::Embeddings, 10_000_000, 1);
        reader.observe(&Bytes::from(vec![b' '; 8_000_000]));
        assert!(matches!(reader.body, Body::Passing(_)));
    }
}
