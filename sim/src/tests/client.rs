//! A client for these tests.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::{Value, json};

use crate::SimHandle;

pub(super) fn question() -> Value {
    json!({"model": "sim-small", "messages": [{"role": "user", "content": "What is seven?"}]})
}

/// The text of a stream's first choice.
pub(super) fn contents(chunks: &[Value]) -> String {
    chunks
        .iter()
        .filter_map(|chunk| {
            chunk
                .pointer("/choices/0/delta/content")
                .and_then(Value::as_str)
        })
        .collect()
}

/// The data of every event that is JSON.
pub(super) fn events(stream: &[u8]) -> Vec<Value> {
    let lines = std::str::from_utf8(stream).unwrap().lines();
    lines
        .filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok())
        .collect()
}

#[derive(Clone)]
pub(super) struct Client {
    address: SocketAddr,
    headers: Vec<(String, String)>,
    inner: legacy::Client<HttpConnector, Full<Bytes>>,
}

/// A response that has been read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn events(&self) -> Vec<String> {
        let text = std::str::from_utf8(&self.body).unwrap();
        text.split_terminator("\n\n")
            .map(|event| event.strip_prefix("data: ").unwrap().to_owned())
            .collect()
    }
}

impl Client {
    pub(super) fn http1(sim: &SimHandle) -> Self {
        Self::of(sim, false)
    }

    pub(super) fn http2(sim: &SimHandle) -> Self {
        Self::of(sim, true)
    }

    fn of(sim: &SimHandle, http2: bool) -> Self {
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .http2_only(http2)
            .build_http();
        Self {
            address: sim.addr(),
            headers: Vec::new(),
            inner,
        }
    }

    pub(super) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    async fn send(
        &self,
        method: Method,
        target: &str,
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, legacy::Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{target}", self.address));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        self.inner
            .request(request.body(Full::from(body)).unwrap())
            .await
    }

    pub(super) async fn try_open(
        &self,
        target: &str,
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, legacy::Error> {
        self.send(Method::POST, target, body).await
    }

    pub(super) async fn open(&self, target: &str, body: Vec<u8>) -> Response<Incoming> {
        self.try_open(target, body).await.unwrap()
    }

    pub(super) async fn post(&self, target: &str, body: Vec<u8>) -> Answer {
        whole(self.open(target, body).await).await
    }

    pub(super) async fn get(&self, target: &str) -> Answer {
        whole(self.send(Method::GET, target, Vec::new()).await.unwrap()).await
    }

    pub(super) async fn chat(&self, body: &Value) -> Answer {
        self.post("/v1/chat/completions", body.to_string().into_bytes())
            .await
    }
}

async fn whole(response: Response<Incoming>) -> Answer {
    let (head, body) = response.into_parts();
    Answer {
        status: head.status,
        headers: head.headers,
        body: body.collect().await.unwrap().to_bytes(),
    }
}

/// What arrives of the body, and whether it ended properly.
pub(super) async fn read(response: Response<Incoming>) -> (Vec<u8>, bool) {
    let mut body = response.into_body();
    let mut received = Vec::new();
    loop {
        match body.frame().await {
            Some(Ok(frame)) => received.extend(
                frame
                    .data_ref()
                    .map(|data| data.to_vec())
                    .unwrap_or_default(),
            ),
            Some(Err(_)) => return (received, false),
            None => return (received, true),
        }
    }
}
