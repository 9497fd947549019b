//! A piece of a block's text: what nearly all events of a stream are, so it is read without a tree.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::Value;

use crate::wire::json::str_of;

/// Which of a block's texts a piece belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Kind {
    /// A call's arguments.
    #[serde(rename = "input_json_delta")]
    Input,
    #[serde(rename = "signature_delta")]
    Signature,
    #[serde(rename = "text_delta")]
    Text,
    #[serde(rename = "thinking_delta")]
    Thinking,
}

impl Kind {
    /// The field that holds the piece.
    pub(super) fn field(self) -> &'static str {
        match self {
            Self::Input => "partial_json",
            Self::Signature => "signature",
            Self::Text => "text",
            Self::Thinking => "thinking",
        }
    }
}

/// The piece that a delta is, if it is one.
pub(super) fn of(delta: &Value) -> Option<(Kind, &str)> {
    let kind = Kind::deserialize(delta.get("type")?).ok()?;
    Some((kind, str_of(delta, kind.field())))
}

/// Any other member makes it another event.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'a> {
    #[serde(rename = "type")]
    _kind: OfBlock,
    index: u64,
    #[serde(borrow)]
    delta: Piece<'a>,
}

#[derive(Deserialize)]
enum OfBlock {
    #[serde(rename = "content_block_delta")]
    Delta,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Piece<'a> {
    #[serde(rename = "type")]
    kind: Kind,
    #[serde(borrow, default)]
    partial_json: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    signature: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    text: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    thinking: Option<Cow<'a, str>>,
}

/// The number of the block, the kind and the text of the event `data`, if it is a piece and no
/// more.
pub(super) fn read(data: &[u8]) -> Option<(u64, Kind, Cow<'_, str>)> {
    let Plain { index, delta, .. } = serde_json::from_str(str::from_utf8(data).ok()?).ok()?;
    let texts = [
        (Kind::Input, delta.partial_json),
        (Kind::Signature, delta.signature),
        (Kind::Text, delta.text),
        (Kind::Thinking, delta.thinking),
    ];
    let mut told = texts
        .into_iter()
        .filter_map(|(kind, text)| Some((kind, text?)));
    let (kind, text) = told.next()?;
    (kind == delta.kind && told.next().is_none()).then_some((index, kind, text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_piece_is_read_as_in_a_tree() {
        for kind in [Kind::Input, Kind::Signature, Kind::Text, Kind::Thinking] {
            for text in ["", "a", "é\n\"\u{1f600}"] {
                let kind_name = match kind {
                    Kind::Input => "input_json_delta",
                    Kind::Signature => "signature_delta",
                    Kind::Text => "text_delta",
                    Kind::Thinking => "thinking_delta",
                };
                let delta = json!({"type": kind_name, kind.field(): text});
                let event = json!({"type": "content_block_delta", "index": 3, "delta": delta});
                let data = event.to_string();
                assert_eq!(read(data.as_bytes()), Some((3, kind, text.into())));
                assert_eq!(of(&delta), Some((kind, text)));
            }
        }
    }

    #[test]
    fn what_says_anything_else_is_no_piece() {
        for event in [
            json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "citations_delta", "citation": {}}}),
            json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "text_delta", "text": "a", "thinking": "b"}}),
            json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "text_delta", "thinking": "b"}}),
            json!({"type": "content_block_delta", "index": 0, "error": {},
                "delta": {"type": "text_delta", "text": "a"}}),
            json!({"type": "content_block_delta", "index": 0,
                "delta": {"type": "text_delta", "text": null}}),
            json!({"type": "content_block_start", "index": 0,
                "delta": {"type": "text_delta", "text": "a"}}),
            json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "a"}}),
        ] {
            assert_eq!(read(event.to_string().as_bytes()), None, "{event}");
        }
    }
}
