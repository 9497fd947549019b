//! The relay: bytes in, the same bytes out.
//!
//! Nothing is re-serialised in either direction. Token use is read beside the response, after each
//! frame has been handed on; what cannot be read is charged as the estimate that was reserved, and
//! never changes what the client receives.

use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_util::poll;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::admission::{Admitted, Estimate, QueueError, QueuePermit};
use crate::answer::error::ProxyError;
use crate::api::headers::{self, Coding};
use crate::config::Bounds;
use crate::request::head::RequestHead;
use crate::request::plan::Route;
use crate::sse::Splitter;
use crate::tenant::{Credential, Principal};
use crate::upstream::body::BodyError;
use crate::upstream::{AdmittedCall, Outgoing, Payload};
use crate::usage::{Api, UsageReader};

mod ask;
pub(crate) mod changes;
pub(crate) mod fallback;
pub(crate) mod meter;
mod opened;
mod rejection;
mod tries;
mod usage_probe;

use ask::UpstreamAnswer;
pub(crate) use changes::Changes;
pub(crate) use meter::Metered;
use meter::{Filter, Settlement, Wanted};
use tries::Tries;
pub(crate) use usage_probe::UsageProbe;

/// One request to forward.
#[derive(Debug)]
pub(crate) struct Relay<'a> {
    /// Where it goes.
    pub(crate) route: &'a Route,
    /// Who asks.
    pub(crate) principal: &'a Principal,
    /// Who pays.
    pub(crate) credential: &'a Credential,
    /// The client's head.
    pub(crate) parts: &'a Parts,
    /// Path below `/v1`.
    pub(crate) path: &'a str,
    /// What its answer is worth reading for; `None` leaves it unread.
    pub(crate) kind: Option<Api>,
    /// Whether the upstream is asked not to compress its answer.
    pub(crate) coding: Coding,
    /// hone's own question for the usage of a stream, if the request holds it.
    pub(crate) question: Option<UsageProbe<'a>>,
    /// Choices that the request asks for.
    pub(crate) choices: u64,
    /// Whether it asks for a stream.
    pub(crate) streams: bool,
    /// Whether it asks for an answer that is made after it has ended.
    pub(crate) outlives: bool,
    /// How long the client waits for the response's head.
    pub(crate) deadline: Option<Duration>,
    /// Headers of hone's own, where the upstream is asked in another dialect than the client's.
    pub(crate) own: &'a [(HeaderName, HeaderValue)],
    /// The bounds that hold.
    pub(crate) bounds: &'a Bounds,
}

/// What becomes of the usage-only event at the end of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UsageEvent {
    /// hone asked for it; the client did not.
    Remove,
    /// It is the client's.
    Keep,
}

/// The upstream's answer, with everything that must live as long as its body.
#[derive(Debug)]
pub struct Relayed {
    /// The upstream's status.
    pub(crate) status: StatusCode,
    /// The upstream's headers, without those that stay with its connection.
    pub(crate) headers: HeaderMap,
    /// Whether it says, in its body, that it does not know the key.
    pub(crate) rejects_key: bool,
    /// From sending the request to the response's head.
    pub(crate) upstream_time: Duration,
    /// The upstream's bytes, as they arrive.
    pub(crate) body: Metered,
}

impl Relayed {
    /// The body, which is at most `most` bytes long.
    ///
    /// # Errors
    ///
    /// When it breaks off, or is longer.
    pub(crate) async fn whole(self, most: usize) -> Result<Bytes, ProxyError> {
        let (mut body, mut bytes) = (self.body, BytesMut::new());
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(ProxyError::Cut)?.into_data() {
                if bytes.len() + data.len() > most {
                    return Err(ProxyError::Cut(BodyError::TooLarge(most)));
                }
                bytes.extend_from_slice(&data);
            }
        }
        Ok(bytes.freeze())
    }
}

impl<'a> Relay<'a> {
    /// Forwards what `head` asks for to `route`, with `credential`. Its answer is not read.
    pub(crate) fn new(
        head: RequestHead<'a>,
        route: &'a Route,
        credential: &'a Credential,
        bounds: &'a Bounds,
    ) -> Self {
        Self {
            route,
            principal: head.principal,
            credential,
            parts: head.parts,
            path: head.path,
            kind: None,
            coding: Coding::PassThrough,
            question: None,
            choices: 1,
            streams: false,
            outlives: false,
            deadline: head.hone.deadline,
            own: &[],
            bounds,
        }
    }

    /// The same, where hone reads the answer: the upstream is asked not to compress it.
    #[must_use]
    pub(crate) fn uncompressed(self) -> Self {
        Self {
            coding: Coding::Identity,
            ..self
        }
    }
}

impl Relay<'_> {
    /// Forwards the request with `body` and waits for the response's head. `calls` is kept at the
    /// number of calls made.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future cancels the upstream call; what it has cost by then is settled by its
    /// guards.
    pub(crate) async fn forward(
        &mut self,
        body: Payload,
        estimate: Estimate,
        admitted: Arc<Admitted>,
        calls: &mut u32,
    ) -> Result<Relayed, ProxyError> {
        let Some(deadline) = self.deadline else {
            return self.send(body, estimate, admitted, calls).await;
        };
        // Pinned where it stands: moving it into the timer would copy kilobytes.
        let sending = pin!(self.send(body, estimate, admitted, calls));
        tokio::time::timeout(deadline, sending)
            .await
            .map_err(|_elapsed| ProxyError::Deadline(deadline))?
    }

    async fn send(
        &mut self,
        body: Payload,
        estimate: Estimate,
        admitted: Arc<Admitted>,
        calls: &mut u32,
    ) -> Result<Relayed, ProxyError> {
        let question = self.question.take();
        let relay = &*self;
        let until = self.deadline.map(|deadline| Instant::now() + deadline);
        let turn = self.turn(&admitted, estimate).await?;
        let sent_at = Instant::now();
        let mut tries = Tries {
            relay,
            admitted: &admitted,
            turn,
            calls,
            until,
        };
        let asked = self.begin(body, question, &mut tries).await;
        let turn = tries.turn;
        let answer = match asked {
            Ok(answer) => answer,
            Err(error) => {
                close(turn, &error);
                return Err(error);
            }
        };
        let UpstreamAnswer {
            mut head,
            mut body,
            is_stream,
            usage_event,
            is_silenced,
        } = answer;
        let upstream_time = sent_at.elapsed();
        let upstream = &self.route.upstream;
        if self.kind.is_some_and(|api| api != Api::Any) {
            // Lists and the like are served by some providers without a look at the key.
            self.principal.vouch(&upstream.config, head.status);
        }
        let rejects_key = rejection::of_google(upstream, head.status, &mut body).await?;
        let operators_key = self.credential.is_operators();
        if operators_key && (head.status.is_client_error() || head.status.is_server_error()) {
            turn.guard.refused();
            return Err(fallback::refusal(upstream.name(), self.credential, head, body).await);
        }
        headers::towards_client(&mut head.headers, operators_key);
        let is_stream = if operators_key {
            let hidden = fallback::hide(self.credential, &mut head.headers, &mut body).await;
            hidden.map_err(ProxyError::Cut)?
        } else {
            is_stream
        };
        let is_unasked = is_silenced || (is_stream && self.is_unasked_stream());
        let usage = self.reader(&head.headers, is_stream);
        let filter = self.filter(&mut head.headers, is_stream, usage_event);
        let wanted = self.wanted(estimate, is_unasked, head.status);
        let parting = Settlement::new(turn, admitted, self.principal.clone(), usage, wanted);
        let body = Metered::new(body, filter, parting);
        Ok(Relayed {
            status: head.status,
            headers: head.headers,
            rejects_key,
            upstream_time,
            body,
        })
    }

    /// What the request is charged by, with an answer of this `status`.
    fn wanted(&self, estimate: Estimate, is_unasked: bool, status: StatusCode) -> Wanted {
        Wanted {
            input: estimate.input,
            choices: self.choices,
            at_least_reserved: is_unasked || self.outlives,
            refused: !status.is_success(),
        }
    }

    /// Reads the token use of an answer with these `headers`. hone has no decoder: what it cannot
    /// read it charges as it was estimated.
    fn reader(&self, headers: &HeaderMap, is_stream: bool) -> Option<UsageReader> {
        let api = self.kind.filter(|_| headers::coding(headers).is_none())?;
        Some(if is_stream {
            UsageReader::stream(api, self.bounds.sse_event_bytes, self.choices)
        } else {
            UsageReader::body(api, self.bounds.answer_bytes, self.choices)
        })
    }

    /// Whether a stream was not asked for, so that nobody has asked for its usage either.
    fn is_unasked_stream(&self) -> bool {
        let tells_if_asked = matches!(self.kind, Some(Api::ChatCompletions | Api::Completions));
        tells_if_asked && !self.streams
    }

    /// What is done with the events of an answer with these `headers`, if anything.
    fn filter(
        &self,
        headers: &mut HeaderMap,
        is_stream: bool,
        usage_event: UsageEvent,
    ) -> Option<Filter> {
        let is_operators = self.credential.is_operators() && is_stream;
        let hides = is_operators.then(|| self.credential.clone());
        let is_kept = usage_event == UsageEvent::Keep && hides.is_none();
        if is_kept || headers::coding(headers).is_some() {
            return None;
        }
        headers.remove(http::header::CONTENT_LENGTH);
        let unread = self.kind.is_none();
        let splitter = unread.then(|| Splitter::new(self.bounds.sse_event_bytes));
        Some(Filter::new(usage_event, hides, splitter))
    }

    /// Waits until the call may start, for as long as the operator allows.
    async fn turn(
        &self,
        admitted: &Admitted,
        estimate: Estimate,
    ) -> Result<AdmittedCall, ProxyError> {
        let mut turn = pin!(self.route.upstream.turn(admitted, estimate, self.principal));
        if let Poll::Ready(turn) = poll!(turn.as_mut()) {
            // As a rule there is nothing to wait for, and no timer is needed.
            return Ok(turn?);
        }
        let waited = tokio::time::timeout(self.bounds.queue_wait, turn).await;
        Ok(waited.map_err(|_elapsed| QueueError::TimedOut {
            retry_after: Duration::from_secs(1),
        })??)
    }

    fn outgoing(&self, body: Payload, slot: Option<Arc<QueuePermit>>) -> Outgoing<'_> {
        let upstream = &self.route.upstream;
        // What the operator's account tells is looked for in its answers.
        let coding = if self.credential.is_operators() {
            Coding::Identity
        } else {
            self.coding
        };
        let dialect = self.principal.dialect();
        let mut headers = upstream.headers((&self.parts.headers, dialect), coding);
        if self.credential.is_operators() {
            headers::drop_client_account(&mut headers);
            headers::keep_apart(&mut headers, self.principal.tag());
        }
        for (name, value) in self.own {
            headers.insert(name.clone(), value.clone());
        }
        self.credential.apply(&mut headers);
        Outgoing {
            method: self.parts.method.clone(),
            path: self.path,
            query: self.parts.uri.query(),
            headers,
            body,
            slot,
        }
    }
}

/// Closes the account of a call that has no answer.
fn close(turn: AdmittedCall, error: &ProxyError) {
    match error {
        ProxyError::Upstream(error) if error.never_sent() => turn.guard.never_sent(),
        // The upstream refused hone's question, and a limit the request without it: nothing was
        // billed.
        ProxyError::Refused(_) => turn.guard.refused(),
        _ => drop(turn),
    }
}
