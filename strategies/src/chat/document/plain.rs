//! The chunk that nearly all events of a stream are, read without a tree: one choice, and a piece
//! of its text.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Map;

use crate::chat::delta::{Chunk, ChunkChoice, Delta};

/// Any other member makes it another chunk. Values of these types alone are ignored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'a> {
    #[serde(borrow)]
    choices: [Choice<'a>; 1],
    #[serde(rename = "id")]
    _id: Option<IgnoredAny>,
    #[serde(rename = "object")]
    _object: Option<IgnoredAny>,
    #[serde(rename = "created")]
    _created: Option<IgnoredAny>,
    #[serde(rename = "model")]
    _model: Option<IgnoredAny>,
    #[serde(rename = "usage", default)]
    _usage: (),
    #[serde(borrow, default)]
    system_fingerprint: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    service_tier: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice<'a> {
    index: u32,
    #[serde(borrow)]
    delta: Text<'a>,
    #[serde(rename = "finish_reason", default)]
    _finish_reason: (),
    #[serde(rename = "logprobs", default)]
    _logprobs: (),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text<'a> {
    #[serde(borrow)]
    content: Cow<'a, str>,
}

/// The chunk that `data` is, if it is a plain one.
pub(super) fn read(data: &[u8]) -> Option<Chunk> {
    let Plain {
        choices: [Choice { index, delta, .. }],
        system_fingerprint,
        service_tier,
        ..
    } = serde_json::from_str(str::from_utf8(data).ok()?).ok()?;
    let mut rest = Map::new();
    for (name, value) in [
        ("system_fingerprint", system_fingerprint),
        ("service_tier", service_tier),
    ] {
        if let Some(value) = value {
            rest.insert(name.to_owned(), value.into_owned().into());
        }
    }
    Some(Chunk {
        choices: vec![ChunkChoice {
            index,
            delta: Delta::content(delta.content),
        }],
        rest,
        ..Chunk::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::Said;

    fn plain(choice: &str, beside: &str) -> Option<Chunk> {
        let head = r#"{"id":"c","object":"chat.completion.chunk","created":1,"model":"m""#;
        let data = format!(r#"{head}{beside},"choices":[{choice}]}}"#);
        let read = read(data.as_bytes());
        if let Some(plain) = &read {
            // What is said beside the choices by hone itself is told by nobody.
            let Ok(Said::Chunk(mut whole)) = Said::read_whole(data.as_bytes()) else {
                panic!("a chunk: {data}");
            };
            let own = ["id", "object", "created", "model"];
            whole
                .rest
                .retain(|name, value| !own.contains(&name.as_str()) && !value.is_null());
            assert_eq!(*plain, whole, "{data}");
        }
        read
    }

    #[test]
    fn a_piece_of_text_is_read_as_the_whole_reader_reads_it() {
        for text in ["a", "", "é\\n\\u00e9\\ud83d\\ude00\\\""] {
            for end in [
                "",
                r#","finish_reason":null"#,
                r#","logprobs":null,"finish_reason":null"#,
            ] {
                let choice = format!(r#"{{"index":0,"delta":{{"content":"{text}"}}{end}}}"#);
                for beside in [
                    "",
                    r#","usage":null"#,
                    r#","system_fingerprint":"f","service_tier":"default""#,
                    r#","system_fingerprint":null"#,
                ] {
                    assert!(plain(&choice, beside).is_some(), "{choice} {beside}");
                }
            }
        }
        assert_eq!(
            plain(r#"{"index":3,"delta":{"content":"x"}}"#, "")
                .unwrap()
                .choices[0]
                .index,
            3
        );
    }

    #[test]
    fn what_says_anything_else_is_no_plain_chunk() {
        for choice in [
            r#"{"index":0,"delta":{"content":null}}"#,
            r#"{"index":0,"delta":{"role":"assistant","content":"a"}}"#,
            r#"{"index":0,"delta":{"reasoning_content":"a"}}"#,
            r#"{"index":0,"delta":{"content":"a","x":1}}"#,
            r#"{"index":0,"delta":{"content":"a","content":"b"}}"#,
            r#"{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}"#,
            r#"{"index":0,"delta":{"content":"a"},"logprobs":{"content":[]}}"#,
            r#"{"index":0,"delta":{"content":"a"},"error":{"message":"no"}}"#,
            r#"{"delta":{"content":"a"}}"#,
            r#"{"index":0,"delta":{"content":"\ud83d"}}"#,
            r#"{"index":0,"delta":{"content":"a"}},{"index":1,"delta":{"content":"b"}}"#,
        ] {
            assert!(plain(choice, "").is_none(), "{choice}");
        }
        for beside in [
            r#","usage":{"total_tokens":1}"#,
            r#","error":{"message":"no"}"#,
            r#","citations":[]"#,
            r#","system_fingerprint":1"#,
        ] {
            let choice = r#"{"index":0,"delta":{"content":"a"}}"#;
            assert!(plain(choice, beside).is_none(), "{beside}");
        }
    }
}
