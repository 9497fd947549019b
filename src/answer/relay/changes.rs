//! What of a client's JSON may differ upstream, and nothing else may.

use bytes::Bytes;

use hone_strategies::model::Fact;

use super::UsageProbe;
use crate::admission::Estimate;
use crate::api::endpoint::{Endpoint, Kind};
use crate::config::StreamUsage;
use crate::request::envelope::{self, Edit, Envelope, EnvelopeError, attachments, splice};
use crate::request::plan::Route;
use crate::tenant::Principal;
use crate::upstream::facts::{Facts, Subject};
use crate::workers;

/// The changes of one relayed request.
#[derive(Debug, Clone)]
pub(crate) struct Changes {
    /// The model's name for its upstream, if that is another.
    model: Option<String>,
    /// Whether hone's own field is taken out.
    has_approach: bool,
    /// What a refusal of hone's own question would teach, if it is asked.
    asks: Option<Subject>,
}

impl Changes {
    /// Decides what must change: a model name that stands for another, hone's own fields, and, for
    /// a tenant with a token limit on a stream that does not ask for its usage, the question for
    /// it, unless the upstream is known to refuse it.
    pub(crate) fn new(
        envelope: &Envelope<'_>,
        route: &Route,
        endpoint: Endpoint,
        principal: &Principal,
        facts: &Facts,
    ) -> Self {
        let silent = envelope.stream == Some(true) && envelope.include_usage != Some(true);
        let ask = silent
            && principal.counts_tokens()
            && route.upstream.config.stream_usage == StreamUsage::Ask;
        // What the one endpoint of a server refuses the other one may take.
        let question = match endpoint.kind() {
            Kind::Chat => Some("stream_options"),
            Kind::Completions => Some("completions/stream_options"),
            _ => None,
        };
        let model = route.model.as_deref().unwrap_or_default();
        let subject = question.filter(|_| ask).map(|name| {
            let upstream = route.upstream.name();
            Subject::new(principal, upstream, model, Fact::Accepts(name))
        });
        let asks = subject.filter(|subject| facts.get(subject) != Some(false));
        Self {
            // Google's clients name it in the path.
            model: route
                .model
                .clone()
                .filter(|_| route.renamed && !endpoint.kind().is_google()),
            has_approach: envelope.approach.is_some(),
            asks,
        }
    }

    /// What to splice into the client's bytes. Usually nothing.
    fn edits(&self) -> Vec<Edit<'_>> {
        let model = self.model.as_deref().map(Edit::ReplaceModel);
        let approach = self
            .has_approach
            .then_some(Edit::RemoveField("optillm_approach"));
        let question = self.asks.is_some().then_some(Edit::SetIncludeUsage);
        [model, approach, question].into_iter().flatten().collect()
    }

    /// Whether there is anything to change.
    pub(crate) fn are_some(&self) -> bool {
        self.model.is_some() || self.has_approach || self.asks.is_some()
    }

    /// `body` with these changes made.
    pub(crate) async fn apply(&self, body: &Bytes) -> Result<Bytes, EnvelopeError> {
        if self.edits().is_empty() {
            return Ok(body.clone());
        }
        let changes = self.clone();
        workers::offload(body, move |body| splice(body, &changes.edits())).await
    }

    /// hone's question for the usage of the request with this `body`, if these changes hold one.
    pub(crate) fn question<'a>(
        &self,
        body: impl FnOnce() -> Bytes,
        facts: &'a Facts,
    ) -> Option<UsageProbe<'a>> {
        let subject = self.asks.clone()?;
        Some(UsageProbe {
            body: body(),
            others: Self {
                asks: None,
                ..self.clone()
            },
            subject,
            facts,
        })
    }

    /// Tokens to reserve for the request: its input, and for each choice what the client allows
    /// or, if it sets no bound, what such answers have needed.
    pub(crate) async fn estimate(
        body: &Bytes,
        envelope: &Envelope<'_>,
        endpoint: Endpoint,
        principal: &Principal,
    ) -> Estimate {
        let kind = endpoint.kind();
        let each = match kind {
            Kind::Embeddings => 0,
            kind => envelope.most_output(kind, || principal.expected_output()),
        };
        let (input, prompts) = workers::offload(body, move |body| {
            let prompts = match kind {
                Kind::Completions => envelope::prompts(body),
                _ => 1,
            };
            (attachments::input_tokens(body), prompts)
        })
        .await;
        let choices = match kind {
            Kind::Chat
            | Kind::Completions
            | Kind::GenerateContent
            | Kind::StreamGenerateContent => envelope.choices_made(),
            _ => 1,
        };
        Estimate::answers(input, each, choices.saturating_mul(prompts))
    }
}
