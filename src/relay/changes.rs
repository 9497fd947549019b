//! What of a client's JSON may differ upstream, and nothing else may.

use bytes::Bytes;

use hone_strategies::model::Fact;

use super::Question;
use crate::admission::Estimate;
use crate::config::StreamUsage;
use crate::endpoint::Endpoint;
use crate::envelope::{Edit, Envelope, attachments};
use crate::plan::Route;
use crate::tenant::Principal;
use crate::upstream::facts::{Facts, Subject};

/// The edits of one relayed request.
#[derive(Debug)]
pub struct Changes<'a> {
    /// To splice into the client's bytes. Usually none.
    pub edits: Vec<Edit<'a>>,
    /// What a refusal of the last of them would teach, if that is hone's own question.
    asks: Option<Subject>,
}

impl<'a> Changes<'a> {
    /// Decides what must change: a model name that stands for another, hone's own fields, and, for a tenant with a token limit on a chat stream that does not ask
    /// for its usage, the question for it, unless the upstream is known to refuse it.
    pub fn new(envelope: &Envelope<'_>, route: &'a Route, endpoint: Endpoint, principal: &Principal, facts: &Facts) -> Self {
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
        let model = route.model.as_deref().unwrap_or_default();
        let subject = ask.then(|| Subject::new(principal, route.upstream.name(), model, Fact::Accepts("stream_options")));
        let asks = subject.filter(|subject| facts.get(subject) != Some(false));
        if asks.is_some() {
            edits.push(Edit::SetIncludeUsage);
        }
        Self { edits, asks }
    }

    /// hone's question for the usage of the request with this `body`, if these changes hold one.
    pub fn question(&self, body: &Bytes, facts: &'a Facts) -> Option<Question<'a>> {
        let subject = self.asks.clone()?;
        let (_asking, edits) = self.edits.split_last()?;
        Some(Question { body: body.clone(), edits: edits.to_vec(), subject, facts })
    }

    /// Tokens to reserve for the request: its input, and the smaller of what the client allows and what such answers have needed.
    pub fn estimate(&self, body: &Bytes, envelope: &Envelope<'_>, principal: &Principal) -> Estimate {
        let expected = principal.expected_output();
        let output = envelope.output_limit().map_or(expected, |limit| limit.min(expected));
        Estimate { input: attachments::input_tokens(body), output: output * envelope.n.unwrap_or(1).clamp(1, 128) }
    }
}
