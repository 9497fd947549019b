//! Providers: the pooled client of each, what crosses to it, and what is shared by all tenants of
//! it.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures_util::poll;
use hone_dialects::Dialect;
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version};
use tokio::time::Instant;

use crate::admission::{
    Admitted, CallGuard, CallRefused, Estimate, FairQueue, Gate, QueueError, QueuePermit, Scope,
};
use crate::api::endpoint::BETA;
use crate::api::headers::{self, Between, Coding};
use crate::api::hops;
use crate::config::{Bounds, Switch, UpstreamConfig, reach};
use crate::tenant::{Credential, Principal};
use crate::transport::RequestBody;
use crate::upstream::body::AnswerBody;
use crate::upstream::out_body::{OutBody, Outbound};

pub(crate) mod body;
pub(crate) mod breaker;
pub(crate) mod cause;
mod certificates;
pub(crate) mod client;
mod connect;
pub(crate) mod error;
pub(crate) mod facts;
pub(crate) mod failure;
mod framing;
mod http1;
mod http2;
pub(crate) mod model;
mod negotiated;
mod no_proxy;
pub(crate) mod out_body;
mod turns;
pub(crate) mod upload;

pub(crate) use breaker::{Breaker, Standing};
use client::Client;
pub(crate) use error::{UpstreamError, no_place};
use failure::{Failed, Failure};
pub(crate) use http2::STREAM_WINDOW;
use upload::Progress;
pub(crate) use upload::Upload;

/// One provider, with its live state. A reload keeps the live state of an upstream whose name and
/// address stay.
#[derive(Debug)]
pub struct Upstream {
    /// What the operator said of it.
    pub(crate) config: Arc<UpstreamConfig>,
    /// Limits over all tenants.
    pub(crate) gate: Arc<Gate>,
    /// Limits over all use of its fallback key.
    pub(crate) fallback_gate: Arc<Gate>,
    /// Slots that tenants wait for in turn, if the operator or its connections bound them. It
    /// counts them if not, for a limit that a reload may bring.
    pub(crate) queue: Arc<FairQueue>,
    /// The same for counts of tokens, which take no slot of an answer.
    counters: Arc<FairQueue>,
    breaker: Arc<Breaker>,
    client: Client,
    /// The path of `base_url`, without a slash at its end.
    prefix: String,
    /// What is odd about `base_url`, until the operator was told of what comes of it.
    odd_path: Option<(&'static str, AtomicBool)>,
    /// This hone's name, if the upstream could be a hone or lead to one.
    signature: Option<hops::Name>,
    head_timeout: Duration,
    body_idle: Duration,
}

/// The right to make one call now.
#[derive(Debug)]
pub(crate) struct AdmittedCall {
    /// Settles what the call uses.
    pub(crate) guard: CallGuard,
    /// Its place at the upstream, if places are limited.
    pub(crate) slot: Option<Arc<QueuePermit>>,
}

/// A request on its way to an upstream.
#[derive(Debug)]
pub(crate) struct Outgoing<'a> {
    /// The client's method.
    pub(crate) method: Method,
    /// Path below `/v1`, or `v1beta/…`.
    pub(crate) path: &'a str,
    /// The query, if there is one.
    pub(crate) query: Option<&'a str>,
    /// Already filtered, with the credential in its slot.
    pub(crate) headers: HeaderMap,
    /// The body.
    pub(crate) body: Payload,
    /// The caller's turn at the upstream, which lasts until the upstream has let the request go.
    pub(crate) slot: Option<Arc<QueuePermit>>,
}

/// A request body that can be sent again, or one that cannot.
#[derive(Debug)]
pub(crate) enum Payload {
    /// Held in memory.
    Buffered(Bytes),
    /// Held in memory in pieces, which other requests may share.
    Pieces(Vec<Bytes>),
    /// Streamed from the client.
    Streamed(RequestBody),
}

impl Upstream {
    /// Makes the live upstream of `config`, keeping the counters of `earlier` if there was one of
    /// that name.
    ///
    /// # Errors
    ///
    /// When its CA file cannot be used.
    pub(crate) fn new(
        config: Arc<UpstreamConfig>,
        fallback_gate: Arc<Gate>,
        bounds: &Bounds,
        (proxy, name): (Switch, &hops::Name),
        earlier: Option<&Self>,
    ) -> io::Result<Self> {
        // What is known of one address says nothing of another.
        let breaker = earlier
            .filter(|earlier| earlier.config.base_url == config.base_url)
            .map_or_else(
                || Arc::new(Breaker::new(&config.name, reach::address(&config.base_url))),
                |upstream| Arc::clone(&upstream.breaker),
            );
        let gate = earlier.map_or_else(
            || {
                let sharing = turns::sharing(&config, bounds);
                Arc::new(Gate::shared(Scope::Upstream, &config.limits, &sharing))
            },
            |upstream| Arc::clone(&upstream.gate),
        );
        let queue = earlier.map_or_else(
            || turns::queue(&config, bounds),
            |upstream| Arc::clone(&upstream.queue),
        );
        let counters = earlier.map_or_else(
            || turns::counters(&config, bounds),
            |upstream| Arc::clone(&upstream.counters),
        );
        let client = Client::new(
            &config,
            (bounds.connect, proxy),
            Arc::clone(&breaker),
            Arc::clone(&queue),
        )?;
        let prefix = config.base_url.path().trim_end_matches('/').to_owned();
        let odd_path = reach::odd_path(config.dialect, &config.base_url)
            .map(|odd| (odd, AtomicBool::new(false)));
        let signature = reach::is_private(&config.base_url).then(|| name.clone());
        Ok(Self {
            gate,
            fallback_gate,
            queue,
            counters,
            breaker,
            client,
            prefix,
            odd_path,
            signature,
            head_timeout: bounds.upstream_head,
            body_idle: bounds.body_idle,
            config,
        })
    }

    /// Waits until one call of `admitted` may start: the tenant's own permits and tokens first,
    /// then its turn at this upstream if that is limited.
    ///
    /// # Cancel safety
    ///
    /// Dropped while it waits, it has taken nothing.
    pub(crate) async fn turn(
        &self,
        admitted: &Admitted,
        estimate: Estimate,
        principal: &Principal,
    ) -> Result<AdmittedCall, CallRefused> {
        let mut turn = pin!(self.next_turn(admitted, estimate, principal));
        if let Poll::Ready(turn) = poll!(turn.as_mut()) {
            // As a rule there is nothing to wait for, and no clock to look at.
            return turn;
        }
        let _waiting = admitted.account().wait();
        turn.await
    }

    async fn next_turn(
        &self,
        admitted: &Admitted,
        estimate: Estimate,
        principal: &Principal,
    ) -> Result<AdmittedCall, CallRefused> {
        let mut guard = admitted.call(estimate).await?;
        guard.wait(true);
        let slot = self.place(admitted, principal).await?;
        guard.wait(false);
        Ok(AdmittedCall { guard, slot })
    }

    /// Waits for the turn of a call of `admitted` at this upstream, if that is limited.
    pub(crate) async fn place(
        &self,
        admitted: &Admitted,
        principal: &Principal,
    ) -> Result<Option<Arc<QueuePermit>>, QueueError> {
        let queue = if admitted.is_aside() {
            &self.counters
        } else {
            &self.queue
        };
        queue
            .acquire(principal.tenant_key(), principal.weight())
            .await
            .map(|slot| Some(Arc::new(slot)))
    }

    /// The limits that all tenants share here, for a request that `credential` pays for.
    pub(crate) fn shared_gates(&self, credential: &Credential) -> Vec<Arc<Gate>> {
        let mut gates = vec![Arc::clone(&self.gate)];
        if credential.is_operators() {
            gates.push(Arc::clone(&self.fallback_gate));
        }
        gates
    }

    /// Lets the configured limits and queue hold, with the counters that there are.
    pub(crate) fn apply_limits(&self, bounds: &Bounds) {
        let sharing = turns::sharing(&self.config, bounds);
        self.gate.relimit_shared(&self.config.limits, &sharing);
        let share = self.config.tenant_share;
        let (length, wait) = (bounds.queue_length, bounds.queue_wait);
        self.queue
            .resize(self.config.concurrency, share, length, wait);
        self.counters.resize(turns::COUNTERS, share, length, wait);
        if !client::may_speak_http2(&self.config) {
            self.queue.bound(None);
        }
    }

    /// The headers of a client, which speaks a dialect, that go to this upstream, before a
    /// credential stands in its slot.
    pub(crate) fn headers(&self, from: (&HeaderMap, Dialect), coding: Coding) -> HeaderMap {
        self.headers_between(from.0, self.config.between(from.1), coding)
    }

    /// The same `between` these dialects.
    pub(crate) fn headers_between(
        &self,
        client: &HeaderMap,
        between: Between,
        coding: Coding,
    ) -> HeaderMap {
        let extra = &self.config.forward_headers;
        let mut headers = headers::towards_upstream(client, between, extra, coding);
        if let Some(name) = &self.signature {
            name.sign(client, &mut headers);
        }
        headers
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    /// Whether it could be reached when that was last tried.
    pub(crate) fn standing(&self) -> Standing {
        self.breaker.standing()
    }

    /// Sends a request and waits for the response's head.
    ///
    /// A request held in memory that never reached the upstream is tried once more.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future, or the response's body, closes the HTTP/1 connection or resets the
    /// HTTP/2 stream.
    pub(crate) async fn send(
        &self,
        outgoing: Outgoing<'_>,
    ) -> Result<Response<AnswerBody>, UpstreamError> {
        let Outgoing {
            method,
            path,
            query,
            mut headers,
            body,
            slot,
        } = outgoing;
        let uri = self.uri(path, query)?;
        let body = match body {
            Payload::Buffered(bytes) => {
                if bytes.is_empty() {
                    say_empty(&method, &mut headers);
                }
                OutBody::buffered(bytes).in_turn(slot)
            }
            Payload::Pieces(pieces) => OutBody::pieces(pieces).in_turn(slot),
            Payload::Streamed(body) => {
                if http_body::Body::is_end_stream(&body) {
                    say_empty(&method, &mut headers);
                }
                let (upload, progress) = Upload::new(body, self.body_idle);
                let upload = OutBody::streamed(upload).in_turn(slot);
                let request = self.request(method, uri, headers, upload);
                return Box::pin(self.attempt_upload(request, &progress)).await;
            }
        };
        match self
            .attempt(self.request(method, uri, headers, body))
            .await?
        {
            Ok(response) => Ok(response),
            Err(Failed {
                unsent: Some(request),
                ..
            }) => self
                .attempt(request)
                .await?
                .map_err(|failed| self.failed(failed.failure)),
            Err(Failed {
                failure,
                unsent: None,
            }) => Err(self.failed(failure)),
        }
    }

    async fn attempt(
        &self,
        request: Outbound,
    ) -> Result<Result<Response<AnswerBody>, Failed>, UpstreamError> {
        self.check()?;
        // Pinned where it stands: moving it into the timer would copy kilobytes.
        let sending = pin!(self.client.send(request));
        match tokio::time::timeout(self.head_timeout, sending).await {
            Ok(result) => Ok(self.heard(result)),
            Err(_elapsed) => Err(self.head_timed_out()),
        }
    }

    /// Like [`Self::attempt`], where the upstream's time does not run while the client is waited
    /// for.
    async fn attempt_upload(
        &self,
        request: Outbound,
        progress: &Progress,
    ) -> Result<Response<AnswerBody>, UpstreamError> {
        self.check()?;
        let mut sending = pin!(self.client.send(request));
        loop {
            if let Ok(result) =
                tokio::time::timeout_at(progress.due(self.head_timeout), &mut sending).await
            {
                let stalled = progress.is_stalled() && result.is_err();
                return if stalled {
                    Err(self.stalled())
                } else {
                    self.heard(result)
                        .map_err(|failed| self.failed(failed.failure))
                };
            }
            if progress.due(self.head_timeout) <= Instant::now() {
                return Err(self.head_timed_out());
            }
        }
    }

    fn check(&self) -> Result<(), UpstreamError> {
        let opened = |retry_after| UpstreamError::open(self.name(), retry_after);
        self.breaker.check().map_err(opened)
    }

    fn head_timed_out(&self) -> UpstreamError {
        UpstreamError::HeadTimeout {
            upstream: self.config.name.clone(),
            limit: self.head_timeout,
        }
    }

    fn stalled(&self) -> UpstreamError {
        UpstreamError::Stalled {
            upstream: self.config.name.clone(),
            limit: self.body_idle,
        }
    }

    /// Tells the breaker what a result says of the upstream.
    fn heard(
        &self,
        result: Result<Response<AnswerBody>, Failed>,
    ) -> Result<Response<AnswerBody>, Failed> {
        match &result {
            Ok(response) => {
                self.breaker.reached();
                self.explain(response.status());
            }
            Err(failed) => {
                if let Failure::Connect(cause) = &failed.failure {
                    self.breaker.unreachable(cause);
                }
            }
        }
        result
    }

    /// Tells the operator once what a 404 most likely comes from.
    fn explain(&self, status: StatusCode) {
        if let Some((odd, told)) = &self.odd_path
            && status == StatusCode::NOT_FOUND
            && !told.swap(true, Ordering::Relaxed)
        {
            let (upstream, base_url) = (self.name(), &self.config.base_url);
            tracing::warn!(
                upstream, %base_url,
                "upstream {upstream} answers 404, and its base_url {base_url} {odd}"
            );
        }
    }

    fn failed(&self, source: Failure) -> UpstreamError {
        let upstream = self.config.name.clone();
        match source {
            Failure::Connect(_) => UpstreamError::Unreachable { upstream, source },
            Failure::NoPlace => UpstreamError::NoPlace { upstream },
            Failure::Refused(_) => UpstreamError::Refused { upstream, source },
            Failure::Broken(_) | Failure::LargeHead | Failure::Malformed(_) => {
                UpstreamError::Broken { upstream, source }
            }
        }
    }

    fn uri(&self, path: &str, query: Option<&str>) -> Result<Uri, UpstreamError> {
        let refused = |source| UpstreamError::Request {
            upstream: self.config.name.clone(),
            source,
        };
        let (mark, query) = query.map_or(("", ""), |query| ("?", query));
        // Only Google's base URLs name no version.
        let is_missing = self.config.dialect == Dialect::Gemini && !path.starts_with(BETA);
        let version = if is_missing { "/v1/" } else { "/" };
        let path = Bytes::from([&self.prefix, version, path, mark, query].concat());
        let mut uri = self.config.base_url.clone().into_parts();
        uri.path_and_query =
            Some(PathAndQuery::from_maybe_shared(path).map_err(|source| refused(source.into()))?);
        Uri::from_parts(uri).map_err(|source| refused(source.into()))
    }

    fn request(&self, method: Method, uri: Uri, mut headers: HeaderMap, body: OutBody) -> Outbound {
        if body.is_endless() {
            // Without it hyper would send a GET's or HEAD's body of unknown length as none.
            headers.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.version_mut() = if self.config.http2_prior_knowledge {
            Version::HTTP_2
        } else {
            Version::HTTP_11
        };
        *request.headers_mut() = headers;
        Box::new(request)
    }

    /// Closes connections that have not been used for long. Called now and then.
    pub(crate) fn tidy(&self) {
        self.client.tidy();
    }
}

/// Says that there is no body where one is expected: some servers answer 411 otherwise (RFC 9110
/// §8.6).
fn say_empty(method: &Method, headers: &mut HeaderMap) {
    if matches!(*method, Method::PATCH | Method::POST | Method::PUT) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
}

#[cfg(test)]
mod tests;
