//! Counting the tokens of a prompt: by its upstream's own counter, else by its bytes.
//!
//! No approach runs for it, it is charged no tokens, and it takes no place of what generates any.

use bytes::Bytes;
use hone_dialects::marks::envelope;
use hone_dialects::{Dialect, Encoded, Target, codec};
use hone_strategies::{ChatRequest, ModelError, StrategyError};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, StatusCode, Uri};

use super::{Peeked, size};
use crate::admission::{Entry, Estimate, FirstWave, PlanBound};
use crate::answer::encode::{self, Reply};
use crate::answer::error::ProxyError;
use crate::answer::relay::{Relay, Relayed};
use crate::api::headers;
use crate::flow::RequestFlow;
use crate::request::asking::Asking;
use crate::request::head::RequestHead;
use crate::request::intake::IntakeError;
use crate::request::plan::Route;
use crate::tenant::{Credential, Share};
use crate::upstream::Payload;
use crate::upstream::model::rejection;
use crate::workers;

/// No answer of a counter is longer.
const LONGEST: usize = 64 * 1024;

impl RequestFlow<'_> {
    /// Counts the tokens of a prompt.
    pub(super) async fn count(
        &mut self,
        head: RequestHead<'_>,
        entry: Entry,
        peeked: Peeked<'_>,
        target: (&Route, &Credential),
    ) -> Result<Reply, ProxyError> {
        let (client, upstream) = (head.dialect, &target.0.upstream.config);
        let bytes = peeked.bytes.clone();
        let is_sealed = envelope::is_in(client, &bytes);
        if !is_sealed && upstream.may_speak(client) {
            let reply = self.relay_json(head, entry, peeked, target).await;
            // A server that has no counter of this dialect, though nobody says what it speaks.
            if upstream.dialect == client || !is_unknown(&reply) {
                return reply;
            }
            let (request, _share) = self.decoded(head, &bytes, target.0).await?;
            return Ok(self.estimated(client, &request));
        }
        let (request, _share) = self.decoded(head, &bytes, target.0).await?;
        if let Some(encoded) = encoded(&request, target.0)? {
            return self.ask_counter(head, entry, encoded, target).await;
        }
        let shared = target.0.upstream.shared_gates(target.1);
        entry.reserve(FirstWave::default(), PlanBound::default(), &shared)?;
        Ok(self.estimated(client, &request))
    }

    /// The request in the middle form, and its memory.
    async fn decoded(
        &self,
        head: RequestHead<'_>,
        body: &Bytes,
        route: &Route,
    ) -> Result<(ChatRequest, Share), ProxyError> {
        let mut share = Share::new(&self.proxy.memory, head.principal);
        let held = share.grow(Asking::weight(body), &self.snapshot.config.bounds);
        held.map_err(IntakeError::from)?;
        let asking = Asking::of(head.parts).for_a_count();
        let mut request = workers::offload(body, move |body| asking.decode(body)).await?;
        if let Some(model) = &route.model {
            request.set_model(model);
        }
        Ok((request, share))
    }

    /// What the prompt comes to by its bytes: no less than it is.
    fn estimated(&mut self, client: Dialect, request: &ChatRequest) -> Reply {
        self.notes.set_word(encode::APPROACH, "none");
        self.notes.set_word(encode::ESTIMATE, "bytes");
        let tokens = size::tokens(request);
        Reply::json(codec(client).encode_count_answer(tokens))
    }

    /// Asks the counter of an upstream of another dialect.
    async fn ask_counter(
        &mut self,
        head: RequestHead<'_>,
        entry: Entry,
        encoded: Encoded,
        (route, credential): (&Route, &Credential),
    ) -> Result<Reply, ProxyError> {
        let client = head.dialect;
        let dialect = route.upstream.config.dialect;
        let (parts, own) = (question(head.parts), own(&encoded));
        let mut relay = Relay {
            parts: &parts,
            path: encoded.path.trim_start_matches('/'),
            own: &own,
            ..Relay::new(head, route, credential, &self.snapshot.config.bounds).uncompressed()
        };
        let body = Payload::Buffered(Bytes::from(encoded.body));
        let reply = self.relay(&mut relay, entry, body, Estimate::default());
        let Reply::Relayed(answer) = reply.await? else {
            return Err(ProxyError::Unreachable("a relay without its answer"));
        };
        let Relayed {
            status, headers, ..
        } = &*answer;
        let (status, headers) = (*status, headers.clone());
        let body = answer.whole(LONGEST).await?;
        if !status.is_success() {
            let retry_after = headers::retry_after(&headers);
            let told = rejection::told(dialect, (status, headers), body, false);
            let told = Box::new(told.asking_to_wait(retry_after));
            return Err(StrategyError::Model(ModelError::Rejected(told)).into());
        }
        match codec(dialect).decode_count(&body) {
            Some(tokens) => Ok(Reply::json(codec(client).encode_count_answer(tokens))),
            None => Err(StrategyError::Model(ModelError::Malformed {
                detail: "its answer tells no count of tokens".to_owned(),
            })
            .into()),
        }
    }
}

/// The request for the counter of the upstream, if its dialect has one.
fn encoded(request: &ChatRequest, route: &Route) -> Result<Option<Encoded>, ProxyError> {
    let upstream = &route.upstream;
    let target = Target {
        upstream: upstream.name().to_owned(),
        model: request.model().to_owned(),
        is_asked: true,
        stream: false,
        settings: upstream.config.settings.clone(),
    };
    Ok(codec(upstream.config.dialect).encode_count(request, &target)?)
}

/// The head of a question that crosses dialects, from the client's.
fn question(client: &Parts) -> Parts {
    let mut parts = client.clone();
    parts.method = Method::POST;
    parts.uri = Uri::from_static("/");
    headers::drop_dialects(&mut parts.headers);
    parts
}

fn own(encoded: &Encoded) -> Vec<(HeaderName, HeaderValue)> {
    let json = HeaderValue::from_static("application/json");
    let told = encoded.headers.iter().filter_map(|(name, value)| {
        let value = HeaderValue::try_from(value).ok()?;
        Some((HeaderName::from_static(name), value))
    });
    told.chain([(CONTENT_TYPE, json)]).collect()
}

/// Whether the upstream has nothing at such a path.
fn is_unknown(reply: &Result<Reply, ProxyError>) -> bool {
    let status = match reply {
        Ok(reply) => Some(reply.status()),
        Err(error) => error.upstream_status(),
    };
    matches!(
        status,
        Some(StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED)
    )
}
