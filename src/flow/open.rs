//! Upstreams of which the operator does not say what they speak.
//!
//! OpenAI's own server, llama.cpp and others answer in more than one dialect. So a client is
//! forwarded as it asks. Where the provider has no such endpoint, the same request is asked in
//! chat, and so are the caller's next ones for that model.

use std::time::Duration;

use bytes::BytesMut;
use hone_dialects::Dialect;
use hone_strategies::model::Fact;
use http::StatusCode;
use http_body_util::BodyExt;

use super::RequestFlow;
use super::json::Peeked;
use crate::admission::{self, Entry};
use crate::answer::encode::Reply;
use crate::answer::error::ProxyError;
use crate::answer::relay::Relayed;
use crate::request::head::RequestHead;
use crate::request::plan::{Route, StrategyPlan};
use crate::tenant::{Credential, Share};
use crate::upstream::body::BodyError;
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
            .await;
        if !says_no_endpoint(&forwarded) {
            return forwarded;
        }
        // Read whole, it holds none of the caller's permits, which the second call needs.
        let refusal = match forwarded {
            Ok(Reply::Relayed(answer)) => whole(*answer).await,
            other => other,
        };
        // It may be the model that there is not. Then nothing is better said in chat, either.
        let entry = admission::enter_again(head.principal.gates());
        let mut share = Share::new(&self.proxy.memory, head.principal);
        let Some(entry) = entry.ok().filter(|_| self.hold(&mut share, body).is_ok()) else {
            return refusal;
        };
        let entry = entry.of(head.principal.asker());
        let plan = StrategyPlan::unchanged(route.clone());
        let peeked = Peeked {
            bytes: body,
            envelope,
            share: &mut Some(share),
        };
        self.record.earlier_calls = self.record.upstream_calls;
        let run = self.run(head, entry, peeked, (&plan, credential.clone()));
        let translated = run.await;
        if says_no_endpoint(&translated) {
            return refusal;
        }
        let is_heard = match &translated {
            Ok(_) => true,
            Err(error) => error.upstream_status().is_some(),
        };
        if is_heard {
            self.proxy.facts.learn(subject, false);
        }
        translated
    }
}

/// Bytes of the longest refusal.
const LONGEST: usize = 64 * 1024;
/// How long its end is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// An upstream's refusal, read whole.
async fn whole(answer: Relayed) -> Result<Reply, ProxyError> {
    let Relayed {
        status,
        headers,
        mut body,
        ..
    } = answer;
    let reading = async {
        let mut bytes = BytesMut::new();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(ProxyError::Cut)?.into_data() {
                bytes.extend_from_slice(&data);
            }
            if bytes.len() > LONGEST {
                return Err(ProxyError::Cut(BodyError::TooLarge(LONGEST)));
            }
        }
        Ok(bytes.freeze())
    };
    let body = tokio::time::timeout(PATIENCE, reading).await;
    let body = body.map_err(|_elapsed| ProxyError::Cut(BodyError::Idle(PATIENCE)))??;
    Ok(Reply::Verbatim {
        status,
        headers,
        body,
    })
}

/// Whether an upstream has answered that it has no such endpoint, or no such model.
fn says_no_endpoint(answer: &Result<Reply, ProxyError>) -> bool {
    let status = match answer {
        Ok(reply) => Some(reply.status()),
        Err(error) => error.upstream_status(),
    };
    status.is_some_and(is_no_endpoint)
}

fn is_no_endpoint(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED
    )
}
