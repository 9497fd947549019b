//! The token use of a JSON response.

use bytes::{Bytes, BytesMut};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::text::{text_bytes, tokens};
use super::{Api, Observed, TokenUse};

/// Keeps the bytes of a response that is being passed on, up to a bound, and reads them at its end.
#[derive(Debug)]
pub struct BodyReader {
    api: Api,
    max_bytes: usize,
    /// `None` once the response is larger than `max_bytes`.
    kept: Option<BytesMut>,
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
    /// A reader of at most `max_bytes`; of a larger response nothing is known.
    pub fn new(api: Api, max_bytes: usize) -> Self {
        Self { api, max_bytes, kept: Some(BytesMut::new()) }
    }

    /// Reads the next bytes of the response.
    pub fn observe(&mut self, chunk: &Bytes) {
        let Some(kept) = &mut self.kept else { return };
        if kept.len().saturating_add(chunk.len()) > self.max_bytes {
            self.kept = None;
        } else {
            kept.extend_from_slice(chunk);
        }
    }

    /// What the response told, if it is complete.
    pub fn finish(self) -> Observed {
        let Some(answer) = self.kept.as_deref().and_then(|kept| serde_json::from_slice::<Answer<'_>>(kept).ok()) else {
            return Observed::default();
        };
        let text = match self.api {
            Api::ChatCompletions | Api::Completions => answer.choices,
            Api::Embeddings => None,
            Api::Messages => answer.content,
            Api::Responses => answer.output,
        };
        Observed { reported: answer.usage.and_then(TokenUse::parse), counted: Some(text.map_or(0, |text| tokens(text_bytes(text)))) }
    }
}
