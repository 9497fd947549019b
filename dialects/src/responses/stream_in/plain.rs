//! The event that nearly all of a stream are, read without a tree: a piece of a text.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::responses::stream_item::{Kind, Mark, Part};

/// Any other member makes it another event.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plain<'a> {
    #[serde(rename = "type")]
    kind: Of,
    #[serde(borrow, default)]
    item_id: Option<Cow<'a, str>>,
    #[serde(default)]
    output_index: Option<u64>,
    #[serde(default)]
    content_index: Option<u64>,
    #[serde(default)]
    summary_index: Option<u64>,
    /// The piece.
    #[serde(borrow)]
    pub(super) delta: Cow<'a, str>,
    /// None of them, or null.
    #[serde(rename = "logprobs", default)]
    _logprobs: Option<[(); 0]>,
    #[serde(rename = "sequence_number", default)]
    _sequence_number: Option<IgnoredAny>,
    /// What hides the length of the piece from who sees only that.
    #[serde(rename = "obfuscation", default)]
    _obfuscation: Option<IgnoredAny>,
}

#[derive(Clone, Copy, Deserialize)]
enum Of {
    #[serde(rename = "response.output_text.delta")]
    Text,
    #[serde(rename = "response.reasoning_text.delta")]
    Thought,
    #[serde(rename = "response.reasoning_summary_text.delta")]
    Summary,
}

impl<'a> Plain<'a> {
    /// The event that `data` is, if it is a plain one.
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        serde_json::from_str(str::from_utf8(data).ok()?).ok()
    }

    /// What it is about.
    pub(super) fn mark(&self) -> Mark<'_> {
        Mark {
            output_index: self.output_index,
            item_id: self.item_id.as_deref().unwrap_or_default(),
        }
    }

    /// The part that it is a piece of.
    pub(super) fn part(&self) -> Part {
        let kind = match self.kind {
            Of::Text => Kind::Text,
            Of::Thought => Kind::Thought,
            Of::Summary => Kind::Summary,
        };
        let index = self.summary_index.or(self.content_index).unwrap_or(0);
        Part { kind, index }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::responses::stream_item::text_of;

    fn event(more: &Value) -> Value {
        let mut event = json!({"type": "response.output_text.delta", "delta": "é\n\"a"});
        let (Some(fields), Some(more)) = (event.as_object_mut(), more.as_object()) else {
            panic!("objects");
        };
        fields.extend(more.clone());
        event
    }

    #[test]
    fn a_piece_is_read_as_in_a_tree() {
        for more in [
            json!({}),
            json!({"item_id": "m\n", "output_index": 2, "content_index": 1, "logprobs": [],
                "sequence_number": 9, "obfuscation": "x"}),
            json!({"item_id": null, "output_index": null, "logprobs": null}),
            json!({"type": "response.reasoning_text.delta", "content_index": 4}),
            json!({"type": "response.reasoning_summary_text.delta", "summary_index": 3}),
        ] {
            let event = event(&more);
            let data = event.to_string();
            let plain = Plain::read(data.as_bytes()).unwrap_or_else(|| panic!("{event}"));
            let name = event["type"].as_str().unwrap();
            let (part, text, is_whole) = text_of(name, &event).unwrap();
            assert_eq!((plain.part(), &*plain.delta), (part, text), "{event}");
            assert_eq!(plain.mark(), Mark::of(&event), "{event}");
            assert!(!is_whole);
        }
    }

    #[test]
    fn what_says_anything_else_is_no_piece() {
        for more in [
            json!({"type": "response.output_text.done", "text": "a"}),
            json!({"type": "response.refusal.delta"}),
            json!({"logprobs": [{"token": "a"}]}),
            json!({"error": {}}),
            json!({"delta": null}),
            json!({"output_index": -1}),
            json!({"output_index": "1"}),
        ] {
            let event = event(&more);
            assert!(
                Plain::read(event.to_string().as_bytes()).is_none(),
                "{event}"
            );
        }
    }
}
