//! A plain HTTP client that repairs nothing: no redirects, no retries, no decompression.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

/// Nothing that a test waits for takes longer, unless something hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Talks to one server with one set of headers.
#[derive(Clone)]
pub struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    base: String,
    headers: Vec<(String, String)>,
}

/// A whole answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    /// Speaks HTTP/1.1 to `address`, without a key.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            pool: Pool::builder(TokioExecutor::new()).build_http(),
            base: format!("http://{address}"),
            headers: Vec::new(),
        }
    }

    /// Speaks HTTP/2 with prior knowledge.
    pub fn http2(address: SocketAddr) -> Self {
        Self {
            pool: Pool::builder(TokioExecutor::new())
                .http2_only(true)
                .build_http(),
            base: format!("http://{address}"),
            headers: Vec::new(),
        }
    }

    /// Sends `key` as a bearer token.
    pub fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    /// Sends one more header line.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends a request and waits for the response's head.
    pub async fn open(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Response<Incoming> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(body.into()))
            .expect("fixture: a request");
        tokio::time::timeout(PATIENCE, self.pool.request(request))
            .await
            .expect("an answer in time")
            .expect("an answer")
    }

    /// Sends a request and waits for the whole answer.
    pub async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let (head, body) = self.open(method, path, body).await.into_parts();
        let body = tokio::time::timeout(PATIENCE, body.collect())
            .await
            .expect("a whole answer in time")
            .expect("a whole answer");
        Answer {
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// Posts JSON text, byte for byte.
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.clone()
            .header("content-type", "application/json")
            .send(Method::POST, path, body)
            .await
    }

    /// Posts a chat request.
    pub async fn chat(&self, body: &Value) -> Answer {
        self.post("/v1/chat/completions", body.to_string()).await
    }

    /// Posts a chat request and waits for the response's head only.
    pub async fn open_chat(&self, body: &Value) -> Response<Incoming> {
        self.clone()
            .header("content-type", "application/json")
            .open(Method::POST, "/v1/chat/completions", body.to_string())
            .await
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("JSON ({error}): {:?}", self.body))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a plain header"))
    }

    /// OpenAI's `error.code`.
    pub fn code(&self) -> String {
        self.json()["error"]["code"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }
}

/// A chat request of one user message.
pub fn chat_body(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "What is 2 + 3?"}]})
}
