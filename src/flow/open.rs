//! Upstreams of which the operator does not say what they speak.
//!
//! OpenAI's own server, llama.cpp and others answer in more than one dialect. So a client is
//! forwarded as it asks. Where the provider has no such endpoint, the same request is asked in
//! chat, and so are the caller's next ones for that model.

use hone_dialects::Dialect;
use hone_strategies::model::Fact;
use http::StatusCode;

use super::json::Peeked;
use super::{RequestFlow, enter};
use crate::admission::Entry;
use crate::answer::encode::Reply;
use crate::answer::error::ProxyError;
use crate::request::head::RequestHead;
use crate::request::plan::{Route, StrategyPlan};
use crate::tenant::{Credential, Share};
use crate::upstream::facts::Subject;

/// What is to be learnt of an upstream that a request is forwarded to, if anything is.
pub(super) fn question(head: RequestHead<'_>, route: &Route) -> Option<Subject> {
    let dialect = head.endpoint.asks_in()?;
    let config = &route.upstream.config;
    if dialect == Dialect::OpenAiChat || !config.is_dialect_open {
        return None;
    }
    let model = route.model.as_deref().unwrap_or_default();
    let (upstream, fact) = (route.upstream.name(), Fact::Speaks(dialect));
    Some(Subject::new(head.principal, upstream, model, fact))
}

impl RequestFlow<'_> {
    /// Forwards a request, and has it translated if the upstream turns out not to speak its
    /// dialect.
    pub(super) async fn forward_openly(
        &mut self,
        head: RequestHead<'_>,
        entry: Entry,
        peeked: Peeked<'_>,
        (route, credential, subject): (&Route, &Credential, Subject),
    ) -> Result<Reply, ProxyError> {
        let (body, envelope) = (peeked.bytes, peeked.envelope);
        let forwarded = self
            .relay_json(head, entry, peeked, (route, credential))
            .await?;
        if !is_no_endpoint(forwarded.status()) {
            return Ok(forwarded);
        }
        // It may be the model that there is not. Then nothing is better said in chat, either.
        let Ok(entry) = enter(head.endpoint, head.principal) else {
            return Ok(forwarded);
        };
        let mut share = Share::new(&self.proxy.memory, head.principal);
        if self.hold(&mut share, body).is_err() {
            return Ok(forwarded);
        }
        let plan = StrategyPlan::unchanged(route.clone());
        let peeked = Peeked {
            bytes: body,
            envelope,
            share: &mut Some(share),
        };
        let calls = self.record.upstream_calls;
        let run = self.run(head, entry, peeked, (&plan, credential.clone()));
        let Ok(translated) = run.await else {
            return Ok(forwarded);
        };
        self.record.upstream_calls += calls;
        self.proxy.facts.learn(subject, false);
        Ok(translated)
    }
}

fn is_no_endpoint(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
    )
}
