//! The token use of a JSON response.

use bytes::{Bytes, BytesMut};
use hone_strategies::chat::{Usage, Written, text_bytes, tokens_of_bytes};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{Api, Observed, Report};

/// Keeps the bytes of a response that is being passed on, up to a bound, and reads them at its end.
#[derive(Debug)]
pub struct BodyReader {
    api: Api,
    max_bytes: usize,
    /// Choices that the request asked for.
    choices: u64,
    /// `None` once the response is larger than `max_bytes`.
    kept: Option<BytesMut>,
    /// Bytes of the response.
    seen: u64,
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
            kept: Some(BytesMut::new()),
            seen: 0,
        }
    }

    /// Reads the next bytes of the response.
    pub(crate) fn observe(&mut self, chunk: &Bytes) {
        self.seen = self.seen.saturating_add(chunk.len() as u64);
        let Some(kept) = &mut self.kept else { return };
        if kept.len().saturating_add(chunk.len()) > self.max_bytes {
            self.kept = None;
        } else {
            kept.extend_from_slice(chunk);
        }
    }

    /// What the response told, if it is complete.
    pub(crate) fn finish(self) -> Observed {
        if self.api == Api::Any {
            return super::of_any(self.reported_anywhere(), true, tokens_of_bytes(self.seen));
        }
        let Some(kept) = self.kept.as_deref() else {
            return Observed::default();
        };
        if self.choices <= 1
            && let Some(reported) = reported_at_the_end(kept).filter(|usage| self.stands(usage))
        {
            return Observed {
                reported: Some(reported),
                ..Observed::default()
            };
        }
        let Ok(answer) = serde_json::from_slice::<Answer<'_>>(kept) else {
            return Observed::default();
        };
        let written = match self.api {
            Api::ChatCompletions | Api::Completions => answer.choices.map(of_choices),
            Api::Any | Api::Embeddings => None,
            Api::Messages => answer.content.map(of_one),
            Api::Responses => answer.output.map(of_one),
        };
        Observed {
            reported: answer.usage.and_then(super::parse),
            counted: Some(written.unwrap_or_default()),
            ..Observed::default()
        }
    }

    /// The use that a whole answer reports, wherever in its outermost object.
    fn reported_anywhere(&self) -> Option<Usage> {
        let answer = serde_json::from_slice::<Answer<'_>>(self.kept.as_deref()?).ok()?;
        answer.usage.and_then(super::parse)
    }

    /// Whether a report needs no look at the text: none of its parts is zero that may not be.
    fn stands(&self, usage: &Usage) -> bool {
        usage.prompt > 0 && (usage.completion > 0 || self.api == Api::Embeddings)
    }
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
    let tail = json.get(json.len().saturating_sub(TAIL_BYTES)..)?;
    let at = memchr::memmem::rfind(tail, NAME)?;
    let (before, from_name) = tail.split_at_checked(at)?;
    // Within a string the quote would be escaped.
    if before.last() == Some(&b'\\') {
        return None;
    }
    let value = from_name
        .get(NAME.len()..)?
        .trim_ascii_start()
        .strip_prefix(b":")?;
    let mut values = serde_json::Deserializer::from_slice(value).into_iter::<Report>();
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
}
