//! Asks the endpoint, as any OpenAI SDK would.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request, Uri};
use http_body_util::BodyExt as _;
use serde_json::Value;

use crate::admission::FairQueue;
use crate::answer::encode::{DEGRADED, UPSTREAM_CALLS};
use crate::config::{Config, Switch};
use crate::upstream::Breaker;
use crate::upstream::client;
use crate::upstream::out_body::OutBody;
use hone_eval::Reply;

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
            headers,
            inner,
            timeout,
        })
    }

    /// Asks once.
    ///
    /// # Errors
    ///
    /// What went wrong, in words for a report.
    pub(super) async fn chat(&self, body: &Value) -> Result<Reply, String> {
        let asking = tokio::time::timeout(self.timeout, self.send(body));
        asking
            .await
            .map_err(|_elapsed| format!("no answer within {:?}", self.timeout))?
    }

    async fn send(&self, body: &Value) -> Result<Reply, String> {
        let mut request = Request::new(OutBody::buffered(Bytes::from(body.to_string())));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let response = self
            .inner
            .send(request)
            .await
            .map_err(|failed| failed.failure.to_string())?;
        let (head, body) = response.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| error.to_string())?
            .to_bytes();
        if !head.status.is_success() {
            return Err(format!("{}: {}", head.status, error_text(&body)));
        }
        let answer: Value = serde_json::from_slice(&body)
            .map_err(|error| format!("not a chat completion: {error}"))?;
        let text = answer
            .pointer("/choices/0/message/content")
            .ok_or("not a chat completion: no message")?;
        let header =
            |name: &http::HeaderName| head.headers.get(name).and_then(|value| value.to_str().ok());
        let count = |pointer: &str| answer.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
        Ok(Reply {
            text: text.as_str().unwrap_or_default().to_owned(),
            input_tokens: count("/usage/prompt_tokens"),
            output_tokens: count("/usage/completion_tokens"),
            // A relayed answer carries no count: it is one call.
            calls: header(&UPSTREAM_CALLS)
                .and_then(|calls| calls.parse().ok())
                .unwrap_or(1),
            degraded: header(&DEGRADED).unwrap_or_default().to_owned(),
        })
    }
}

/// What an error's body says, kept short.
fn error_text(body: &[u8]) -> String {
    const MOST: usize = 300;
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let message = value
        .pointer("/error/message")
        .and_then(Value::as_str)
        .map(str::to_owned);
    let text = message.unwrap_or_else(|| String::from_utf8_lossy(body).into_owned());
    text.chars().take(MOST).collect()
}
