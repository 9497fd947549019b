//! What of a client's JSON may differ upstream, and nothing else may.

use bytes::Bytes;

use super::UsageEvent;
use crate::admission::Estimate;
use crate::config::StreamUsage;
use crate::endpoint::Endpoint;
use crate::envelope::{Edit, Envelope, attachments};
use crate::plan::Route;
use crate::tenant::Principal;

/// The edits of one relayed request.
#[derive(Debug)]
pub struct Changes<'a> {
    /// To splice into the client's bytes. Usually none.
    pub edits: Vec<Edit<'a>>,
    /// What follows from them for the answer.
    pub usage_event: UsageEvent,
}

impl<'a> Changes<'a> {
    /// Decides what must change: a model name that stands for another, hone's own fields, and, for a tenant with a token limit on a chat stream that does not ask
    /// for its usage, the question for it.
    pub fn new(envelope: &Envelope<'_>, route: &'a Route, endpoint: Endpoint, principal: &Principal) -> Self {
        let mut edits = Vec::new();
        if let Some(model) = route.model.as_deref().filter(|_| route.renamed) {
            edits.push(Edit::ReplaceModel(model));
        }
        if envelope.approach.is_some() {
            edits.push(Edit::RemoveField("optillm_approach"));
        }
        let silent = envelope.stream == Some(true) && envelope.include_usage != Some(true);
        let ask =
            endpoint == Endpoint::Chat && silent && principal.counts_tokens() && route.upstream.config.stream_usage == StreamUsage::Ask;
        if ask {
            edits.push(Edit::SetIncludeUsage);
        }
        Self { edits, usage_event: if ask { UsageEvent::Remove } else { UsageEvent::Keep } }
    }

    /// Tokens to reserve for the request: its input, and the smaller of what the client allows and what such answers have needed.
    pub fn estimate(&self, body: &Bytes, envelope: &Envelope<'_>, principal: &Principal) -> Estimate {
        let expected = principal.expected_output();
        let output = envelope.output_limit().map_or(expected, |limit| limit.min(expected));
        Estimate { input: attachments::input_tokens(body), output: output * envelope.n.unwrap_or(1).clamp(1, 128) }
    }
}
