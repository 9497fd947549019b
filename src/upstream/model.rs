//! The `Model` port over HTTP: what a strategy's sub-calls become.
//!
//! Each sub-call takes its tokens from the tenant, waits for its turn at the upstream, and is
//! settled by a guard whatever becomes of it.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::TryFutureExt;
use futures_util::future::BoxFuture;
use hone_dialects::{Dialect, Losses, Source};
use hone_strategies::chat::{ChatError, Memory, Usage, Written, settle};
use hone_strategies::model::{Allowance, Call, ChunkStream, Fact, Rejection};
use hone_strategies::{ChatRequest, Completion, Model, ModelError};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue, SERVER};
use http::{HeaderMap, Method, Response};
use serde_json::json;

use super::facts::{Facts, Subject};
use super::{AdmittedCall, Outgoing, Payload, Upstream, UpstreamError, no_place};
use crate::admission::{Admitted, CallGuard, CallRefused, Dimension, Estimate, QueuePermit};
use crate::api::headers;
use crate::config::Bounds;
use crate::tenant::{Credential, Full, Principal, Prompts, Room, Taken, charged};
use crate::upstream::body::{AnswerBody, BodyError, Idle};

mod coded;
mod growth;
pub(crate) mod learnt;
mod reader;
pub(crate) mod rejection;
mod seen;
mod speech;

use growth::Growth;
use learnt::Lesson;
use reader::Reader;
use speech::{Foreign, Place, Speech};

/// Bytes of an answer that may wait until they are read, over either version of HTTP.
const UNREAD: usize = super::STREAM_WINDOW as usize;

/// An upstream, as one request's strategy sees it.
#[derive(Debug)]
pub(crate) struct HttpModel {
    /// Who serves the calls.
    pub(crate) upstream: Arc<Upstream>,
    /// On whose behalf.
    pub(crate) principal: Principal,
    /// Whose key pays.
    pub(crate) credential: Credential,
    /// The headers of every call, credential included.
    pub(crate) headers: HeaderMap,
    /// What the request was admitted with.
    pub(crate) admitted: Arc<Admitted>,
    /// What is known of upstreams.
    pub(crate) facts: Arc<Facts>,
    /// The model that the client asked for, if it is asked here.
    pub(crate) asked: Option<String>,
    /// What ids are made from in dialects whose upstreams give none, and the calls made so far.
    pub(crate) seed: (String, AtomicU32),
    /// What the calls had to do without in the upstream's dialect.
    pub(crate) losses: Arc<Mutex<Losses>>,
    /// The bounds that hold.
    pub(crate) bounds: Bounds,
    /// Whether the client has left, and so ends the calls under way.
    pub(crate) left: Arc<AtomicBool>,
    /// What the run may hold.
    pub(crate) room: Arc<Room>,
    /// What this request's refusals have taught, as long as nobody knows whether it helps.
    pub(crate) lessons: Mutex<Vec<Lesson>>,
    /// The last refusal of one of hone's own limits, for an answer that tells it exactly.
    pub(crate) refusal: Mutex<Option<CallRefused>>,
}

/// One call under way: what it holds until it has ended.
struct OpenCall {
    principal: Principal,
    guard: CallGuard,
    slot: Option<Arc<QueuePermit>>,
    /// The memory of what comes before it is read.
    _unread: Taken,
    /// How its answer is read, if that is not chat's own way.
    foreign: Option<Box<Foreign>>,
    input: u64,
}

impl OpenCall {
    /// Closes the account of a call that failed after it had reached the upstream.
    fn failed(self, error: ModelError) -> ModelError {
        self.guard.cut(Usage::default());
        error
    }

    /// Closes the call's account: its answer is whole.
    fn settle(self, reported: Option<Usage>, written: Written, choices: usize) {
        let is_told = reported.is_some_and(|usage| usage.total > 0) || written.all > 0;
        if !is_told {
            // Neither a report nor a text says what was made.
            return self.guard.cut(Usage::default());
        }
        let usage = settle(reported, written, self.input);
        self.principal
            .observe_output(usage.completion / (choices as u64).max(1));
        self.guard.settle(usage);
    }
}

impl HttpModel {
    /// The headers that every sub-call carries: the client's, without what belongs to the request
    /// as a whole.
    pub(crate) fn call_headers(
        client: (&HeaderMap, Dialect),
        upstream: &Upstream,
        credential: &Credential,
    ) -> HeaderMap {
        let between = upstream.config.crossing(client.1);
        let mut headers = upstream.headers_between(client.0, between, headers::Coding::Identity);
        headers.remove("idempotency-key");
        headers.remove(CONTENT_ENCODING);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.remove(http::header::ACCEPT);
        if credential.is_operators() {
            headers::drop_client_account(&mut headers);
        }
        credential.apply(&mut headers);
        headers
    }

    /// Takes what the call needs, sends it, and gives back its response if that is a success.
    async fn send(
        &self,
        request: &ChatRequest,
        call: Call,
    ) -> Result<(OpenCall, Response<AnswerBody>), ModelError> {
        let estimate = self.estimate(request);
        let input = estimate.input;
        let Speech {
            pieces,
            taken,
            place,
            headers,
            foreign,
        } = self.say(request)?;
        let sent = Arc::new((request.clone(), taken));
        let pieces = pieces.into_iter();
        let pieces = pieces
            .map(|piece| charged(piece, &sent))
            .collect::<Vec<_>>();
        let AdmittedCall { mut guard, slot } = self
            .upstream
            .turn(&self.admitted, estimate, &self.principal)
            .await
            .map_err(|no_turn| self.limited(no_turn))?;
        let unread = match self.room.take(UNREAD) {
            Ok(unread) => unread,
            Err(full) => {
                guard.never_sent();
                return Err(no_room(full));
            }
        };
        guard.tell(call.bill);
        guard.may_be_given_up(self.expected(request).completion, Arc::clone(&self.left));
        let flight = OpenCall {
            principal: self.principal.clone(),
            guard,
            slot,
            _unread: unread,
            foreign,
            input,
        };
        let what = (&*pieces, &place, &*headers);
        let response = match self.ask(what, flight.slot.as_ref()).await {
            Ok(response) => response,
            Err(error) => return Err(self.unanswered(flight, &error)),
        };
        // Only an answer to the caller's own key says anything of it.
        if matches!(self.credential, Credential::Client(_)) {
            self.principal
                .vouch(&self.upstream.config, response.status());
        }
        if response.status().is_success() {
            self.note_server(request.model(), response.headers());
            if flight.foreign.is_some() {
                self.keep_lessons();
            }
            return Ok((flight, response));
        }
        Err(self.refused(request, flight, response).await)
    }

    /// Ends a call that its upstream gave no response to.
    fn unanswered(&self, flight: OpenCall, error: &UpstreamError) -> ModelError {
        if let UpstreamError::NoPlace { .. } = error {
            flight.guard.never_sent();
            return self.limited(no_place().into());
        }
        let told = unavailable(error);
        if error.never_sent() {
            flight.guard.never_sent();
            return told;
        }
        flight.failed(told)
    }

    /// Sends a body in these pieces; once more, if nobody has looked at it: that is the same call
    /// still.
    async fn ask(
        &self,
        (pieces, place, more): (&[Bytes], &Place, &[(HeaderName, HeaderValue)]),
        slot: Option<&Arc<QueuePermit>>,
    ) -> Result<Response<AnswerBody>, UpstreamError> {
        let (path, query) = place.parts();
        let outgoing = || {
            let mut headers = self.headers.clone();
            for (name, value) in more {
                headers.insert(name.clone(), value.clone());
            }
            Outgoing {
                method: Method::POST,
                path,
                query,
                headers,
                body: Payload::Pieces(pieces.to_vec()),
                slot: slot.cloned(),
            }
        };
        match self.upstream.send(outgoing()).await {
            Err(UpstreamError::Refused { .. }) => self.upstream.send(outgoing()).await,
            sent => sent,
        }
    }

    /// What is reserved: the request's input, and for each choice what the request allows, else
    /// what the caller's answers have needed.
    fn estimate(&self, request: &ChatRequest) -> Estimate {
        let each = request.most_output(|| self.principal.expected_output());
        Estimate::answers(request.estimated_prompt_tokens(), each, request.n().into())
    }

    fn limited(&self, no_turn: CallRefused) -> ModelError {
        let reason = no_turn.to_string();
        *self.refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(no_turn);
        ModelError::Limited { reason }
    }

    /// The reader of an answer. hone has no decoder: a few bytes could become any size.
    fn reader(
        &self,
        flight: OpenCall,
        response: Response<AnswerBody>,
    ) -> Result<Reader, ModelError> {
        if let Err(error) = refuse_compressed(response.headers()) {
            return Err(flight.failed(error));
        }
        let body = Idle::new(response.into_body(), self.bounds.stream_idle);
        let growth = Growth::new(Some(&self.room), self.bounds.answer_bytes);
        let mut flight = flight;
        let foreign = flight.foreign.take();
        let call = (Some(flight), self.credential.is_operators());
        Ok(Reader::new(body, self.bounds.sse_event_bytes, call, growth).of(foreign))
    }

    /// Remembers what a call had to do without.
    fn note_losses(&self, losses: &Losses) {
        let mut all = self.losses.lock().unwrap_or_else(PoisonError::into_inner);
        losses.degraded.iter().for_each(|path| all.degrade(path));
        losses.quiet.iter().for_each(|path| all.quiet(path));
    }

    /// What the ids of the next call's answer are made from.
    fn next_seed(&self) -> String {
        let (seed, calls) = &self.seed;
        format!("{seed}-{}", calls.fetch_add(1, Ordering::Relaxed))
    }

    /// The request as a stream, where only that lets the upstream stop when it is left.
    fn as_stream(&self, request: &ChatRequest) -> Option<ChatRequest> {
        let learned = || self.knows(request.model(), Fact::StopsStreamsOnly);
        let wanted = self.upstream.config.stream_calls.or_else(learned);
        let wanted = wanted.unwrap_or_else(|| self.is_long(request));
        // llama.cpp has no log probabilities for a stream of tool calls.
        let has_both = request.get("logprobs").is_some() && request.get("tools").is_some();
        if !wanted || has_both {
            return None;
        }
        let mut streamed = request.clone();
        streamed.set("stream", true);
        streamed.set("stream_options", json!({"include_usage": true}));
        Some(streamed)
    }

    /// Whether the answer may take so long that Anthropic wants to be asked for a stream.
    fn is_long(&self, request: &ChatRequest) -> bool {
        const LONG: u64 = 21_000;
        self.upstream.config.dialect == Dialect::Anthropic
            && request.output_limit().is_some_and(|limit| limit > LONG)
    }

    /// Remembers what the name of the upstream's server tells.
    fn note_server(&self, model: &str, headers: &HeaderMap) {
        let is_llama = headers.get(SERVER).map(HeaderValue::as_bytes) == Some(b"llama.cpp");
        if is_llama && self.knows(model, Fact::StopsStreamsOnly).is_none() {
            self.learn(model, Fact::StopsStreamsOnly, true);
        }
    }

    fn subject(&self, model: &str, fact: Fact) -> Subject {
        Subject::new(&self.principal, self.upstream.name(), model, fact)
    }
}

/// Reads an upstream's answer as strategies read it, for the operator: nobody is charged. One in
/// another dialect than chat is read as `foreign` says. Tells whether it came as events, too.
pub(crate) async fn read(
    response: Response<AnswerBody>,
    bounds: &Bounds,
    foreign: Option<(Dialect, Source)>,
) -> (Result<Completion, ModelError>, bool) {
    if let Err(error) = refuse_compressed(response.headers()) {
        return (Err(error), false);
    }
    let body = Idle::new(response.into_body(), bounds.stream_idle);
    let growth = Growth::new(None, bounds.answer_bytes);
    let foreign = foreign.map(|(dialect, source)| {
        Box::new(Foreign {
            dialect,
            source,
            guard: None,
        })
    });
    Reader::new(body, bounds.sse_event_bytes, (None, false), growth)
        .of(foreign)
        .told()
        .await
}

/// hone has no decoder, whatever comes compressed.
fn refuse_compressed(head: &HeaderMap) -> Result<(), ModelError> {
    let Some(coding) = headers::coding(head) else {
        return Ok(());
    };
    Err(malformed(format!(
        "it is compressed ({coding}), although `identity` was asked for"
    )))
}

impl Model for HttpModel {
    fn complete<'a>(
        &'a self,
        request: &'a ChatRequest,
        call: Call,
    ) -> BoxFuture<'a, Result<Completion, ModelError>> {
        let answer = async move {
            if let Some(streamed) = self.as_stream(request) {
                match self.send(&streamed, call.clone()).await {
                    Err(ModelError::Rejected(refused)) if refuses_streams(&refused) => {
                        self.learn(request.model(), Fact::StopsStreamsOnly, false);
                    }
                    sent => {
                        let (flight, response) = sent?;
                        return self.reader(flight, response)?.completion().await;
                    }
                }
            }
            let (flight, response) = self.send(request, call).await?;
            self.reader(flight, response)?.completion().await
        };
        Box::pin(answer.map_err(|error| self.without_key(error)))
    }

    fn stream<'a>(
        &'a self,
        request: &'a ChatRequest,
        call: Call,
    ) -> BoxFuture<'a, Result<ChunkStream, ModelError>> {
        let answer = async move {
            let (flight, response) = self.send(request, call).await?;
            let is_stream = headers::is_event_stream(response.headers());
            let reader = self.reader(flight, response)?;
            if is_stream {
                return Ok(Box::pin(reader) as ChunkStream);
            }
            // It may be a failure, whose status the client can still be told.
            reader.begun().await
        };
        let hidden = answer.map_err(|error| self.without_key(error));
        Box::pin(hidden.map_ok(|chunks| self.without_keys(chunks)))
    }

    fn knows(&self, model: &str, fact: Fact) -> Option<bool> {
        let known = of_dialect(self.upstream.config.dialect, fact);
        known.or_else(|| self.facts.get(&self.subject(model, fact)))
    }

    fn learn(&self, model: &str, fact: Fact, value: bool) {
        self.facts.learn(self.subject(model, fact), value);
    }

    /// The request's input, and for each choice the smaller of what the client allows and what the
    /// caller's answers have needed.
    fn expected(&self, request: &ChatRequest) -> Usage {
        let usual = self.principal.expected_output();
        let each = request
            .token_limit()
            .map_or(usual, |(_, limit)| limit.min(usual));
        let output = each.saturating_mul(request.n().into());
        Usage::estimate(request.estimated_prompt_tokens(), output)
    }

    fn allowance(&self) -> Allowance {
        let status = self.admitted.status();
        let left = |dimension| {
            status
                .iter()
                .find(|rate| rate.dimension == dimension)
                .map_or(u64::MAX, |rate| rate.remaining)
        };
        let calls =
            left(Dimension::UpstreamCalls).saturating_add(self.admitted.calls_in_hand().into());
        Allowance {
            calls,
            tokens: left(Dimension::Tokens),
        }
    }

    fn memory(&self) -> Option<Arc<dyn Memory>> {
        Some(Arc::new(Prompts(Arc::clone(&self.room))))
    }
}

/// What a dialect has no words for.
fn of_dialect(dialect: Dialect, fact: Fact) -> Option<bool> {
    match (dialect, fact) {
        (Dialect::Anthropic | Dialect::OpenAiResponses, Fact::HonoursN)
        | (Dialect::Anthropic, Fact::TellsAlternatives) => Some(false),
        _ => None,
    }
}

/// Whether an upstream refuses to stream its answer.
fn refuses_streams(rejection: &Rejection) -> bool {
    matches!(rejection.status, 400 | 422)
        && (rejection.blames("stream") || rejection.blames("stream_options"))
}

fn unread(error: ChatError) -> ModelError {
    malformed(error.message)
}

fn malformed(detail: impl Into<String>) -> ModelError {
    ModelError::Malformed {
        detail: detail.into(),
    }
}

fn no_room(full: Full) -> ModelError {
    tracing::debug!(%full, "no memory for a call");
    ModelError::NoRoom
}

fn unavailable(error: &UpstreamError) -> ModelError {
    match error {
        UpstreamError::HeadTimeout { .. } => ModelError::TimedOut,
        _ => ModelError::Unavailable {
            message: error.to_string(),
            reached: !error.never_sent(),
        },
    }
}

fn broken(error: &BodyError) -> ModelError {
    match error {
        BodyError::Idle(_) => ModelError::TimedOut,
        BodyError::Broken(_) | BodyError::Shutdown | BodyError::TooLarge(_) => {
            ModelError::Unavailable {
                message: error.to_string(),
                reached: true,
            }
        }
    }
}
