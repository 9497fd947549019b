//! The document that nearly all of a stream are, read without a tree: one candidate, and a piece of
//! its text.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Bytes of the counters that are kept unread.
const MOST_COUNTERS: usize = 4096;

/// Any other member, or one in `snake_case`, makes it another document.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Plain<'a> {
    #[serde(borrow)]
    candidates: [Candidate<'a>; 1],
    /// The counters so far. Those of the end count.
    #[serde(borrow, default)]
    pub(super) usage_metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) model_version: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) response_id: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Candidate<'a> {
    #[serde(borrow)]
    content: Content<'a>,
    #[serde(default)]
    index: Option<u32>,
    #[serde(rename = "finishReason", default)]
    _finish_reason: (),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Content<'a> {
    #[serde(borrow)]
    parts: [Part<'a>; 1],
    #[serde(rename = "role", default)]
    _role: Option<IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
    #[serde(default)]
    thought: Option<bool>,
}

impl<'a> Plain<'a> {
    /// The document that `data` is, if it is a plain one.
    pub(super) fn read(data: &'a [u8]) -> Option<Self> {
        serde_json::from_str(str::from_utf8(data).ok()?).ok()
    }

    /// Whether so little stands beside the text that it may be kept.
    pub(super) fn is_small(&self) -> bool {
        let counters = self
            .usage_metadata
            .map_or(0, |counters| counters.get().len());
        counters <= MOST_COUNTERS
    }

    /// Puts the answer's model and its id into what stands beside the candidates.
    pub(super) fn name(&self, rest: &mut Map<String, Value>) {
        for (name, told) in [("id", &self.response_id), ("model", &self.model_version)] {
            // Two members are found sooner than a name is hashed.
            let known = rest.iter().find(|(known, _)| *known == name);
            let known = known.and_then(|(_, value)| value.as_str());
            if let Some(told) = told.as_deref().filter(|told| known != Some(told)) {
                rest.insert(name.to_owned(), told.into());
            }
        }
    }

    /// The candidate's number, the piece, and whether the model thought it.
    pub(super) fn piece(&self) -> (u32, &str, bool) {
        let [
            Candidate {
                content:
                    Content {
                        parts: [Part { text, thought }],
                        ..
                    },
                index,
                ..
            },
        ] = &self.candidates;
        (index.unwrap_or(0), text, thought.unwrap_or(false))
    }
}
