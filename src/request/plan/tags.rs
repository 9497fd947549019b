//! Approach tags in message texts: `<optillm_approach>bon</optillm_approach>`.
//!
//! Off by default, because a pasted text must not start a run of many calls. When on, a tag counts
//! in system and developer messages and in the last user message only; every tag, wherever it
//! stands, is taken out of what goes upstream.

use bytes::{Bytes, BytesMut};
use memchr::memmem;

use crate::request::envelope::{EnvelopeError, elements, members};

/// The tag's two ends, as they stand in JSON text: plain, and as encoders write them that escape
/// angle brackets for HTML.
const SPELLINGS: [(&str, &str); 3] = [
    ("<optillm_approach>", "</optillm_approach>"),
    (
        "\\u003coptillm_approach\\u003e",
        "\\u003c/optillm_approach\\u003e",
    ),
    (
        "\\u003Coptillm_approach\\u003E",
        "\\u003C/optillm_approach\\u003E",
    ),
];

/// The approach that the last counting tag of a chat request names, trimmed.
pub fn find(body: &[u8]) -> Option<String> {
    if !SPELLINGS
        .iter()
        .any(|(open, _)| memmem::find(body, open.as_bytes()).is_some())
    {
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

/// The body without any tag.
pub fn strip(body: &Bytes) -> Bytes {
    let mut body = body.clone();
    for (open, close) in SPELLINGS {
        body = strip_spelling(&body, open.as_bytes(), close.as_bytes());
    }
    body
}

fn tag_in(text: &str) -> Option<String> {
    let (_, after) = text.split_once("<optillm_approach>")?;
    let (inside, _) = after.split_once("</optillm_approach>")?;
    (!inside.contains('\n')).then(|| inside.trim().to_owned())
}

fn strip_spelling(body: &Bytes, open: &[u8], close: &[u8]) -> Bytes {
    let mut kept = BytesMut::new();
    let mut rest: &[u8] = body;
    while let Some(start) = memmem::find(rest, open) {
        let (before, tagged) = rest.split_at(start);
        kept.extend_from_slice(before);
        if is_escaped(before) {
            kept.extend_from_slice(open);
            rest = tagged.get(open.len()..).unwrap_or_default();
            continue;
        }
        // A tag ends in the same JSON string; a quote in between means that it was never closed.
        let end = memmem::find(tagged, close).filter(|end| {
            let inside = tagged.get(..*end).unwrap_or_default();
            !inside.contains(&b'"') && !is_escaped(inside)
        });
        let length = end.map_or(open.len(), |end| end + close.len());
        rest = tagged.get(length..).unwrap_or_default();
    }
    if kept.is_empty() && rest.len() == body.len() {
        return body.clone();
    }
    kept.extend_from_slice(rest);
    kept.freeze()
}

/// Whether what comes after `before` is escaped: `\\u003c` in JSON is a backslash and five more
/// characters, and no `<`.
fn is_escaped(before: &[u8]) -> bool {
    before
        .iter()
        .rev()
        .take_while(|byte| **byte == b'\\')
        .count()
        % 2
        == 1
}

#[cfg(test)]
mod tests {
    use serde_json::json;

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
}
