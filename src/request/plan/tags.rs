//! Approach tags in message texts: `<optillm_approach>bon</optillm_approach>`.
//!
//! Off by default, because a pasted text must not start a run of many calls. When on, a tag counts
//! in system and developer messages and in the last user message only; every tag, wherever it
//! stands, is taken out of what goes upstream.

use bytes::Bytes;
use memchr::{memchr2, memmem};

use crate::request::envelope::{EnvelopeError, elements, members};

const OPEN: &[u8] = b"<optillm_approach>";
const CLOSE: &[u8] = b"</optillm_approach>";
/// What every tag has in it that is written out, and what every other one.
const MARKS: [&[u8]; 2] = [b"optillm_approach", b"\\u00"];

/// The approach that the last counting tag of a chat request names, trimmed.
pub fn find(body: &[u8]) -> Option<String> {
    if !may_hold(body) {
        return None;
    }
    let mut tags = Tags::default();
    let mut messages = None;
    members(std::str::from_utf8(body).ok()?, |member| {
        if member.name() == "messages" {
            messages = Some(member.value);
        }
        Ok(())
    })
    .ok()?;
    let mut index = 0;
    elements(messages?, |message| {
        tags.message(index, message)?;
        index += 1;
        Ok(())
    })
    .ok()?;
    tags.last()
}

/// The tags that count, of the messages so far, with the places of their messages.
#[derive(Default)]
struct Tags {
    /// Of the system and the developer.
    operator: Option<(usize, String)>,
    /// Of the last user message.
    user: Option<(usize, String)>,
}

impl Tags {
    /// Only what may count is decoded, a message at a time: a conversation is a stranger's text,
    /// and nobody has made room for more of it.
    fn message(&mut self, index: usize, message: &str) -> Result<(), EnvelopeError> {
        let (mut role, mut content) = (None, None);
        members(message, |member| {
            match &*member.name() {
                "role" => role = Some(decoded(member.value).ok_or(EnvelopeError::NotAnObject)?),
                "content" => content = Some(member.value),
                _ => {}
            }
            Ok(())
        })?;
        let tag = || Some((index, last_tag(content?)?));
        match role.as_deref() {
            Some("system" | "developer") => self.operator = tag().or(self.operator.take()),
            Some("user") => self.user = tag(),
            _ => {}
        }
        Ok(())
    }

    fn last(self) -> Option<String> {
        let last = match (self.operator, self.user) {
            (Some(operator), Some(user)) if operator.0 > user.0 => Some(operator),
            (operator, user) => user.or(operator),
        };
        last.map(|(_, tag)| tag)
    }
}

/// The last tag of a message's content: of a text, or of the texts of its parts.
fn last_tag(content: &str) -> Option<String> {
    if content.starts_with('"') {
        return tag_in(&decoded(content)?);
    }
    let mut last = None;
    // What is no list has no parts.
    let _ended = elements(content, |part| {
        let mut text = None;
        let _ended = members(part, |member| {
            if member.name() == "text" {
                text = decoded(member.value);
            }
            Ok(())
        });
        last = text.and_then(|text| tag_in(&text)).or(last.take());
        Ok(())
    });
    last
}

/// The text that a JSON string stands for.
fn decoded(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

/// The body without any tag, however JSON spells it. What becomes a tag when another is taken out
/// of it goes, too.
pub fn strip(body: &Bytes) -> Bytes {
    if !may_hold(body) {
        return body.clone();
    }
    let mut kept = Kept::default();
    let (mut at, mut unclosed) = (0, 0);
    while let Some(rest) = body.get(at..).filter(|rest| !rest.is_empty()) {
        if kept.open.is_empty() {
            let plain = memchr2(b'<', b'\\', rest).unwrap_or(rest.len());
            let (plain, _) = rest.split_at(plain);
            kept.bytes.extend_from_slice(plain);
            at += plain.len();
            if plain.len() == rest.len() {
                break;
            }
        }
        let unit = unit(body.get(at..).unwrap_or_default());
        at += unit.spelling.len();
        if kept.push(&unit) && at > unclosed {
            match close(body, at) {
                Ok(end) => at = end,
                Err(quote) => unclosed = quote,
            }
        }
    }
    if kept.bytes.len() == body.len() {
        return body.clone();
    }
    kept.bytes.into()
}

fn may_hold(body: &[u8]) -> bool {
    MARKS.iter().any(|mark| memmem::find(body, mark).is_some())
}

/// A character of JSON text, or a byte of one, as it is spelled.
struct Unit<'a> {
    /// What it is, if a tag could have it.
    byte: Option<u8>,
    spelling: &'a [u8],
}

/// The first of `json`, which is not empty.
fn unit(json: &[u8]) -> Unit<'_> {
    let (byte, length) = match json {
        [b'\\', b'u', _, _, _, _, ..] => (escaped(json), 6),
        [b'\\', b'/', ..] => (Some(b'/'), 2),
        [b'\\', _, ..] => (None, 2),
        [byte, ..] => (Some(*byte), 1),
        [] => (None, 0),
    };
    Unit {
        byte,
        spelling: json.get(..length).unwrap_or_default(),
    }
}

/// The character of ASCII that `\u` and four digits stand for. A quote so spelled ends no string.
fn escaped(json: &[u8]) -> Option<u8> {
    let digits = std::str::from_utf8(json.get(2..6)?).ok()?;
    let byte = u8::from_str_radix(digits.strip_prefix("00")?, 16).ok()?;
    (byte.is_ascii() && byte != b'"').then_some(byte)
}

/// What of a pattern has been read after `byte`, if `read` bytes of it had been. Its first byte
/// stands nowhere else in it.
fn advance(pattern: &[u8], read: usize, byte: Option<u8>) -> usize {
    if byte.is_some() && byte.as_ref() == pattern.get(read) {
        read + 1
    } else {
        usize::from(byte.is_some() && byte.as_ref() == pattern.first())
    }
}

/// Where the tag's end behind `from` ends, if it stands in the same string; else where that string
/// ends.
fn close(body: &[u8], from: usize) -> Result<usize, usize> {
    let (mut at, mut read) = (from, 0);
    while let Some(rest) = body.get(at..).filter(|rest| !rest.is_empty()) {
        let unit = unit(rest);
        if unit.byte == Some(b'"') {
            return Err(at);
        }
        at += unit.spelling.len();
        read = advance(CLOSE, read, unit.byte);
        if read == CLOSE.len() {
            return Ok(at);
        }
    }
    Err(at)
}

/// What is kept of a body.
#[derive(Default)]
struct Kept {
    bytes: Vec<u8>,
    /// Of the last characters that may become a tag's beginning: how much of one stands there up to
    /// each, and the length of its spelling. Those before an inner beginning wait for its end.
    open: Vec<(usize, usize)>,
}

impl Kept {
    /// Keeps one more character. If a tag's beginning ends with it, takes that out and says so.
    fn push(&mut self, unit: &Unit<'_>) -> bool {
        let before = self.open.last().map_or(0, |(read, _)| *read);
        let read = advance(OPEN, before, unit.byte);
        self.bytes.extend_from_slice(unit.spelling);
        if read == 0 {
            self.open.clear();
            return false;
        }
        self.open.push((read, unit.spelling.len()));
        if read < OPEN.len() {
            return false;
        }
        let tag = self.open.len().saturating_sub(OPEN.len());
        let length: usize = self.open.drain(tag..).map(|(_, length)| length).sum();
        self.bytes.truncate(self.bytes.len().saturating_sub(length));
        true
    }
}

fn tag_in(text: &str) -> Option<String> {
    let (_, after) = text.split_once("<optillm_approach>")?;
    let (inside, _) = after.split_once("</optillm_approach>")?;
    (!inside.contains('\n')).then(|| inside.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_tag_counts_in_system_messages_and_in_the_last_user_message_only() {
        let tagged = |role: &str| {
            let content = "<optillm_approach>bon</optillm_approach>hi";
            let messages = json!([
                {"role": role, "content": content},
                {"role": "user", "content": "x"},
            ]);
            json!({"messages": messages}).to_string()
        };
        assert_eq!(find(tagged("system").as_bytes()), Some("bon".into()));
        assert_eq!(find(tagged("developer").as_bytes()), Some("bon".into()));
        assert_eq!(
            find(tagged("user").as_bytes()),
            None,
            "an earlier user message"
        );
        assert_eq!(find(tagged("tool").as_bytes()), None);
        let parts = br#"{"messages":[{"role":"user","content":[{"type":"text","text":
            "\u003coptillm_approach\u003e moa \u003c/optillm_approach\u003e"}]}]}"#;
        assert_eq!(find(parts), Some("moa".into()));
    }

    #[test]
    fn every_tag_is_taken_out_and_nothing_else() {
        let body = Bytes::from_static(
            concat!(
                r#"{"a":"x<optillm_approach>bon</optillm_approach>y","#,
                r#""b":"\u003coptillm_approach\u003emoa\u003c/optillm_approach\u003e","c":1e400}"#
            )
            .as_bytes(),
        );
        assert_eq!(strip(&body), r#"{"a":"xy","b":"","c":1e400}"#);
        let open =
            Bytes::from_static(br#"{"a":"<optillm_approach>bon","b":"</optillm_approach>"}"#);
        assert_eq!(strip(&open), r#"{"a":"bon","b":"</optillm_approach>"}"#);
        let plain = Bytes::from_static(b"{}");
        assert_eq!(strip(&plain), plain);
        // JSON that quotes JSON: the backslash before the tag is text.
        let quoted = Bytes::from_static(
            br#"{"a":"\\u003coptillm_approach\u003ebon\u003c/optillm_approach\u003e"}"#,
        );
        assert_eq!(strip(&quoted), quoted);
        let quoted = Bytes::from_static(
            br#"{"a":"\u003coptillm_approach\u003ebon\\u003c/optillm_approach\u003e"}"#,
        );
        assert_eq!(
            strip(&quoted),
            r#"{"a":"bon\\u003c/optillm_approach\u003e"}"#
        );
    }

    #[test]
    fn a_tag_is_taken_out_in_every_spelling() {
        for tag in [
            r"<optillm_approach>bon<\/optillm_approach>",
            r"<optillm_approach\u003ebon\u003C/optillm_approach>",
            r#"\u003C\u006fptillm_approach>b\"on\u003c\u002foptillm_approach>"#,
        ] {
            let body = Bytes::from(format!(r#"{{"a":"x{tag}y"}}"#));
            assert_eq!(strip(&body), r#"{"a":"xy"}"#, "{tag}");
        }
        let tag = r"<optillm_approach\u003emoa<\/optillm_approach>";
        let mixed = format!(r#"{{"messages":[{{"role":"user","content":"{tag}"}}]}}"#);
        assert_eq!(find(mixed.as_bytes()), Some("moa".into()));
    }

    #[test]
    fn what_becomes_a_tag_is_taken_out_too() {
        let tag = "<optillm_approach>x</optillm_approach>";
        for (nested, left) in [
            (format!("<optillm_{tag}approach>bon</optillm_approach>"), ""),
            (
                format!("<opt{}illm_approach>bon", "<optillm_approach>"),
                "bon",
            ),
            (format!("<<optillm_<o{tag}ptillm_approach>approach>b"), "<b"),
            (format!("{tag}{tag}"), ""),
            ("<optillm_<optillm_<b".to_owned(), "<optillm_<optillm_<b"),
        ] {
            let body = Bytes::from(json!({"a": nested}).to_string());
            assert_eq!(strip(&body), json!({"a": left}).to_string(), "{nested}");
        }
    }

    #[test]
    fn many_beginnings_without_an_end_take_no_longer_than_their_length() {
        let tags = "<optillm_approach>".repeat(200_000);
        let halves = "<optillm_".repeat(200_000) + &"approach>".repeat(200_000);
        // Were each searched for an end, this would take minutes.
        for text in [tags, halves] {
            let body = Bytes::from(json!({"a": text}).to_string());
            assert_eq!(strip(&body), r#"{"a":""}"#);
        }
    }

    /// A part of a text as a JSON encoder may spell it.
    fn spelled() -> impl Strategy<Value = String> {
        let part = prop::sample::select(vec![
            "<optillm_approach>",
            "</optillm_approach>",
            "<optillm_",
            "approach>",
            "<",
            "/",
            ">",
            "optillm_approach",
            "bon",
            "é",
            "\\",
            "\"",
            "\n",
            " ",
        ]);
        (part, prop::collection::vec(0_u8..4, 24)).prop_map(|(part, how)| {
            let units = part.chars().zip(how).map(|(char, how)| match how {
                0 => format!("\\u{:04x}", u32::from(char)),
                1 => format!("\\u{:04X}", u32::from(char)),
                2 if char == '/' => "\\/".to_owned(),
                _ if char == '"' => r#"\""#.to_owned(),
                _ if char == '\\' => r"\\".to_owned(),
                _ if char == '\n' => r"\n".to_owned(),
                _ => char.to_string(),
            });
            units.collect()
        })
    }

    proptest! {
        #[test]
        fn nothing_is_left_that_a_reader_takes_for_a_tag(
            parts in prop::collection::vec(spelled(), 0..12),
        ) {
            let body = Bytes::from(format!(r#"{{"a":"{}","b":"<optillm_"}}"#, parts.concat()));
            let before: Value = serde_json::from_slice(&body).unwrap();
            let stripped = strip(&body);
            let after: Value = serde_json::from_slice(&stripped).unwrap();
            let (before, after) = (before["a"].as_str().unwrap(), after["a"].as_str().unwrap());
            prop_assert!(!after.contains("<optillm_approach>"), "{before} {after}");
            prop_assert_eq!(&strip(&stripped), &stripped);
            if !before.contains("<optillm_approach>") {
                prop_assert_eq!(&stripped, &body);
            }
        }
    }
}
