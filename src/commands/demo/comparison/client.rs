//! A client of the proxy, as any OpenAI SDK would be.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;

use crate::answer::encode::UPSTREAM_CALLS;

/// Chat requests to one proxy.
#[derive(Debug, Clone)]
pub(super) struct Client {
    uri: Uri,
    inner: legacy::Client<HttpConnector, Full<Bytes>>,
}

/// An answer, and what it took.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) calls: u64,
    pub(super) tokens: u64,
}

impl Client {
    pub(super) fn new(proxy: SocketAddr) -> io::Result<Self> {
        let uri = format!("http://{proxy}/v1/chat/completions")
            .parse()
            .map_err(io::Error::other)?;
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build_http();
        Ok(Self { uri, inner })
    }

    /// Fails if the answer is not a chat completion.
    pub(super) async fn chat(&self, body: &Value) -> io::Result<Answer> {
        let request = Request::post(self.uri.clone())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(body.to_string()));
        let response = self
            .inner
            .request(request.map_err(io::Error::other)?)
            .await
            .map_err(io::Error::other)?;
        let (head, body) = response.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        if head.status != StatusCode::OK {
            return Err(io::Error::other(format!(
                "the proxy answered {}: {}",
                head.status,
                String::from_utf8_lossy(&body)
            )));
        }
        let body: Value = serde_json::from_slice(&body)?;
        let calls = head
            .headers
            .get(UPSTREAM_CALLS)
            .and_then(|calls| calls.to_str().ok()?.parse().ok());
        let text = body
            .pointer("/choices/0/message/content")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned();
        let tokens = body
            .pointer("/usage/total_tokens")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        // A relayed answer carries no count: it is one call.
        Ok(Answer {
            text,
            calls: calls.unwrap_or(1),
            tokens,
        })
    }
}
