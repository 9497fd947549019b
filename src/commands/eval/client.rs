//! Asks the endpoint, as any OpenAI SDK would.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::refusal;
use crate::admission::FairQueue;
use crate::answer::encode::{DEGRADED, UPSTREAM_CALLS};
use crate::config::{Config, Switch};
use crate::request::headers::DETAIL;
use crate::upstream::Breaker;
use crate::upstream::client;
use crate::upstream::failure::Failure as Connection;
use crate::upstream::out_body::OutBody;
use hone_eval::{Failure, FailureKind, ModelUse, Reply};
use hone_strategies::Sureness;
use hone_strategies::chat::{Choice, Message};

/// Chat requests to one endpoint. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct EvalClient {
    uri: Uri,
    headers: HeaderMap,
    inner: client::Client,
    timeout: Duration,
}

impl EvalClient {
    /// A client of the first upstream of `config`, which sends `headers`.
    ///
    /// # Errors
    ///
    /// When the upstream's address or the system's certificates cannot be used.
    pub(super) fn new(config: &Config, headers: HeaderMap, timeout: Duration) -> io::Result<Self> {
        let upstream = config
            .upstreams
            .first()
            .ok_or_else(|| io::Error::other("no endpoint"))?;
        let uri = format!(
            "{}/chat/completions",
            upstream.base_url.to_string().trim_end_matches('/')
        );
        let inner = client::Client::new(
            upstream,
            (config.bounds.connect, Switch::Off),
            Arc::new(Breaker::default()),
            // The run's own bound on what it asks at once is what counts.
            Arc::new(FairQueue::new(None, 1.0, 0, Duration::ZERO)),
        )?;
        Ok(Self {
            uri: uri.parse().map_err(io::Error::other)?,
            headers: asking_for_trace(headers),
            inner,
            timeout,
        })
    }

    /// Asks once.
    ///
    /// # Errors
    ///
    /// What went wrong, and what follows from it.
    pub(super) async fn chat(&self, body: &Value) -> Result<Reply, Failure> {
        let asking = tokio::time::timeout(self.timeout, self.send(body));
        asking.await.map_err(|_elapsed| {
            let message = format!("no answer within {:?}", self.timeout);
            Failure::new(FailureKind::Final, message)
        })?
    }

    async fn send(&self, body: &Value) -> Result<Reply, Failure> {
        let mut request = Request::new(OutBody::buffered(Bytes::from(body.to_string())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let response = self.inner.send(Box::new(request)).await.map_err(|failed| {
            let kind = match failed.failure {
                Connection::Connect(_) => FailureKind::Unreachable,
                _ => FailureKind::Passing,
            };
            Failure::new(kind, failed.failure.to_string())
        })?;
        let (head, body) = response.into_parts();
        let body = body.collect().await;
        let body = body
            .map_err(|error| Failure::new(FailureKind::Passing, error.to_string()))?
            .to_bytes();
        if head.status.is_success() {
            reply(&head.headers, &body)
        } else {
            Err(refusal::read(head.status, &head.headers, &body))
        }
    }
}

/// The headers that ask a hone to tell which model made which call.
fn asking_for_trace(mut headers: HeaderMap) -> HeaderMap {
    headers.insert(&DETAIL, HeaderValue::from_static("trace"));
    headers
}

/// A chat completion, with what it took.
fn reply(headers: &HeaderMap, body: &[u8]) -> Result<Reply, Failure> {
    let malformed = |why: String| {
        let message = format!("not a chat completion: {why}");
        Failure::new(FailureKind::Passing, message)
    };
    let answer: Value =
        serde_json::from_slice(body).map_err(|error| malformed(error.to_string()))?;
    let text = answer
        .pointer("/choices/0/message/content")
        .ok_or_else(|| malformed("no message".to_owned()))?;
    let header = |name: &http::HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let count = |pointer: &str| answer.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    let calls = answer
        .pointer("/hone/trace/calls")
        .and_then(Value::as_array);
    let calls = calls.map_or(&[][..], Vec::as_slice);
    let is_limited = |call: &&Value| call["outcome"] == "rate_limited";
    let limited_calls = calls.iter().filter(is_limited).count() as u64;
    // A relayed answer carries no count: it is one call.
    let made = header(&UPSTREAM_CALLS).and_then(|calls| calls.parse().ok());
    Ok(Reply {
        text: text.as_str().unwrap_or_default().to_owned(),
        input_tokens: count("/usage/prompt_tokens"),
        cached_tokens: count("/usage/prompt_tokens_details/cached_tokens"),
        output_tokens: count("/usage/completion_tokens"),
        calls: made.unwrap_or(1_u64).saturating_sub(limited_calls),
        uses: uses(calls),
        limited_calls,
        degraded: header(&DEGRADED).unwrap_or_default().to_owned(),
        finish: finish(&answer).to_owned(),
        sure: sure(&answer),
    })
}

/// Why the first choice ended.
fn finish(answer: &Value) -> &str {
    let finish = answer.pointer("/choices/0/finish_reason");
    finish.and_then(Value::as_str).unwrap_or_default()
}

/// How sure the model was of the first choice, where it told log probabilities.
fn sure(answer: &Value) -> Sureness {
    let told = answer.pointer("/choices/0/logprobs");
    let Some(logprobs) = told.filter(|logprobs| !logprobs.is_null()) else {
        return Sureness::default();
    };
    let text = answer.pointer("/choices/0/message/content").cloned();
    Sureness::of(&Choice {
        logprobs: Some(logprobs.clone().into()),
        ..Choice::new(Message::new("assistant", text), finish(answer))
    })
}

/// What each model used in a run's calls.
fn uses(calls: &[Value]) -> Vec<ModelUse> {
    let mut uses: Vec<ModelUse> = Vec::new();
    for call in calls {
        let Some(model) = call.get("model").and_then(Value::as_str) else {
            continue;
        };
        let count = |pointer: &str| call.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        let (input, output) = (count("/usage/prompt"), count("/usage/completion"));
        let cached = count("/usage/cached");
        match uses.iter_mut().find(|each| each.model == model) {
            Some(each) => {
                each.input_tokens = each.input_tokens.saturating_add(input);
                each.cached_tokens = each.cached_tokens.saturating_add(cached);
                each.output_tokens = each.output_tokens.saturating_add(output);
            }
            None => uses.push(ModelUse {
                model: model.to_owned(),
                input_tokens: input,
                cached_tokens: cached,
                output_tokens: output,
            }),
        }
    }
    uses
}
