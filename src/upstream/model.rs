//! The `Model` port over HTTP: what a strategy's sub-calls become.
//!
//! Each sub-call takes its tokens from the tenant, waits for its turn at the upstream, and is
//! settled by a guard whatever becomes of it.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use hone_strategies::chat::{ChatError, Failure, Memory, Usage, Written, settle};
use hone_strategies::model::{Allowance, Call, ChunkStream, Fact, Rejection};
use hone_strategies::{ChatRequest, Completion, Model, ModelError};
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue, SERVER};
use http::{HeaderMap, Method, Response};
use http_body_util::BodyExt;
use serde_json::json;

use super::facts::{Facts, Subject};
use super::{AdmittedCall, Outgoing, Payload, Upstream, UpstreamError, no_place};
use crate::admission::{Admitted, CallGuard, CallRefused, Dimension, Estimate, QueuePermit};
use crate::api::{account, headers};
use crate::config::Bounds;
use crate::tenant::{Credential, Full, Principal, Prompts, Room, Taken, charged};
use crate::upstream::body::{AnswerBody, BodyError, Idle};

mod growth;
mod reader;

use growth::Growth;
use reader::Reader;

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
    /// The bounds that hold.
    pub(crate) bounds: Bounds,
    /// Whether the client has left, and so ends the calls under way.
    pub(crate) left: Arc<AtomicBool>,
    /// What the run may hold.
    pub(crate) room: Arc<Room>,
    /// The last refusal of one of hone's own limits, for an answer that tells it exactly.
    pub(crate) refusal: Mutex<Option<CallRefused>>,
}

/// One call under way: what it holds until it has ended.
struct OpenCall {
    principal: Principal,
    guard: CallGuard,
    slot: Option<Arc<QueuePermit>>,
    /// The memory of its body: of the messages, and of what it has beside them.
    _sent: Arc<(ChatRequest, Taken)>,
    /// The memory of what comes before it is read.
    _unread: Taken,
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
        client: &HeaderMap,
        upstream: &Upstream,
        credential: &Credential,
    ) -> HeaderMap {
        let mut headers = upstream.headers(client, headers::Coding::Identity);
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
        let segments = request.to_segments();
        let fields = self.room.take(segments.own).map_err(no_room)?;
        let sent = Arc::new((request.clone(), fields));
        let pieces = segments.pieces.into_iter();
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
            _sent: sent,
            _unread: unread,
            input,
        };
        let response = match self.ask(&pieces, flight.slot.as_ref()).await {
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
            return Ok((flight, response));
        }
        let rejection = match self.rejection(response).await {
            Ok(rejection) => rejection,
            Err(error) => return Err(flight.failed(error)),
        };
        flight.guard.refused();
        Err(if rejection.status == 429 {
            ModelError::RateLimited(Box::new(rejection))
        } else {
            ModelError::Rejected(Box::new(rejection))
        })
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
        pieces: &[Bytes],
        slot: Option<&Arc<QueuePermit>>,
    ) -> Result<Response<AnswerBody>, UpstreamError> {
        let outgoing = || Outgoing {
            method: Method::POST,
            path: "chat/completions",
            query: None,
            headers: self.headers.clone(),
            body: Payload::Pieces(pieces.to_vec()),
            slot: slot.cloned(),
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

    async fn rejection(&self, response: Response<AnswerBody>) -> Result<Rejection, ModelError> {
        let (mut parts, body) = response.into_parts();
        let retry_after = headers::retry_after(&parts.headers);
        let operators_key = self.credential.is_operators();
        headers::towards_client(&mut parts.headers, operators_key);
        let (mut body, taken) = self.collect(body).await?;
        // The run may hold it to its end, and give it to the client.
        if let Some(taken) = taken {
            taken.keep();
        }
        if operators_key {
            body = account::rewrite(&mut parts.headers, &body);
        }
        let lines = headers::lines(&parts.headers);
        Ok(Rejection::new(parts.status.as_u16(), lines, body).asking_to_wait(retry_after))
    }

    /// An error's bytes, with their memory.
    async fn collect(&self, body: AnswerBody) -> Result<(Bytes, Option<Taken>), ModelError> {
        let mut body = Idle::new(body, self.bounds.stream_idle);
        let mut document = Growth::new(Some(&self.room), self.bounds.answer_bytes).document()?;
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame.map_err(|error| broken(&error))?.into_data() {
                document.push(&data)?;
            }
        }
        Ok(document.finish())
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
        let call = (Some(flight), self.credential.is_operators());
        Ok(Reader::new(body, self.bounds.sse_event_bytes, call, growth))
    }

    /// The request as a stream, where only that lets the upstream stop when it is left.
    fn as_stream(&self, request: &ChatRequest) -> Option<ChatRequest> {
        let learned = || self.knows(request.model(), Fact::StopsStreamsOnly);
        let wanted = self.upstream.config.stream_calls.or_else(learned)?;
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

/// Reads an upstream's answer as strategies read it, for the operator: nobody is charged. Tells
/// whether it came as events, too.
pub(crate) async fn read(
    response: Response<AnswerBody>,
    bounds: &Bounds,
) -> (Result<Completion, ModelError>, bool) {
    if let Err(error) = refuse_compressed(response.headers()) {
        return (Err(error), false);
    }
    let body = Idle::new(response.into_body(), bounds.stream_idle);
    let growth = Growth::new(None, bounds.answer_bytes);
    Reader::new(body, bounds.sse_event_bytes, (None, false), growth)
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
        Box::pin(async move {
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
        })
    }

    fn stream<'a>(
        &'a self,
        request: &'a ChatRequest,
        call: Call,
    ) -> BoxFuture<'a, Result<ChunkStream, ModelError>> {
        Box::pin(async move {
            let (flight, response) = self.send(request, call).await?;
            let is_stream = headers::is_event_stream(response.headers());
            let reader = self.reader(flight, response)?;
            if is_stream {
                return Ok(Box::pin(reader) as ChunkStream);
            }
            // It may be a failure, whose status the client can still be told.
            reader.begun().await
        })
    }

    fn knows(&self, model: &str, fact: Fact) -> Option<bool> {
        self.facts.get(&self.subject(model, fact))
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

/// Whether an upstream refuses to stream its answer.
fn refuses_streams(rejection: &Rejection) -> bool {
    matches!(rejection.status, 400 | 422)
        && (rejection.blames("stream") || rejection.blames("stream_options"))
}

/// What a failure is that an upstream tells in place of an answer.
fn failed(failure: Failure, is_operators: bool) -> ModelError {
    let Failure { status, mut body } = failure;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if is_operators {
        body = account::rewrite(&mut headers, &body);
    }
    let rejection = Box::new(Rejection::new(status, headers::lines(&headers), body));
    if status == 429 {
        ModelError::RateLimited(rejection)
    } else {
        ModelError::Rejected(rejection)
    }
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
