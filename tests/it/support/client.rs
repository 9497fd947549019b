//! A plain HTTP client that repairs nothing: no redirects, no retries, no decompression.

use std::fmt::{self, Display};
use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::{in_time, text};

/// Where chat requests go.
pub const CHAT: &str = "/v1/chat/completions";

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
    /// The request, for whoever reads of a failure.
    asked: String,
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Client {
    /// Speaks HTTP/1.1 to `address`, without a key.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            pool: Pool::builder(TokioExecutor::new())
                .http1_max_headers(1000)
                .build_http(),
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
        in_time(self.pool.request(request))
            .await
            .expect("an answer")
    }

    /// Sends a request and waits for the whole answer.
    pub async fn send(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Answer {
        let answer = self.try_send(method, path, body).await;
        answer.unwrap_or_else(|cut| panic!("a whole answer: {cut}"))
    }

    /// The same; of an answer that is cut, its status and what the client notices.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: impl Into<Bytes>,
    ) -> Result<Answer, String> {
        let body = body.into();
        let asked = format!("{method} {path} {:?}\n{}", self.headers, cut(&body));
        let (head, body) = self.open(method, path, body).await.into_parts();
        let body = in_time(body.collect())
            .await
            .map_err(|error| format!("{} then {error}", head.status))?;
        Ok(Answer {
            asked,
            status: head.status,
            headers: head.headers,
            body: body.to_bytes(),
        })
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, Bytes::new()).await
    }

    /// What is left of one of this client's rates, by its own account.
    pub async fn left(&self, rate: &str) -> u64 {
        let whoami = self.get("/hone/whoami").await;
        let rates = &whoami.json()["limits"][0]["now"];
        let mut rates = rates.as_array().expect("rates").iter();
        let rate = rates.find(|entry| entry["name"] == rate);
        let left = rate.and_then(|rate| rate["remaining"].as_u64());
        left.unwrap_or_else(|| panic!("the rate: {whoami}"))
    }

    /// Posts JSON text, byte for byte.
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Answer {
        self.json().send(Method::POST, path, body).await
    }

    fn json(&self) -> Self {
        self.clone().header("content-type", "application/json")
    }

    /// Asks `model` a question.
    pub async fn ask(&self, model: &str) -> Answer {
        self.chat(&chat_body(model)).await
    }

    /// Asks `model` a question, with more fields.
    pub async fn ask_with(&self, model: &str, fields: Value) -> Answer {
        self.chat(&chat_with(model, fields)).await
    }

    /// Posts a chat request.
    pub async fn chat(&self, body: &Value) -> Answer {
        self.post(CHAT, body.to_string()).await
    }

    /// Posts a chat request and waits for its answer, which may be cut.
    pub async fn try_chat(&self, body: &Value) -> Result<Answer, String> {
        let client = self.json();
        client.try_send(Method::POST, CHAT, body.to_string()).await
    }

    /// Posts a chat request and waits for the response's head only.
    pub async fn open_chat(&self, body: &Value) -> Response<Incoming> {
        let client = self.json();
        client.open(Method::POST, CHAT, body.to_string()).await
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("JSON ({error}): {self}"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        text(&self.body)
    }

    /// A header's value, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().expect("a plain header"))
    }

    /// OpenAI's `error.code`.
    pub fn code(&self) -> String {
        let code = &self.json()["error"]["code"];
        code.as_str().unwrap_or_default().to_owned()
    }

    /// The approach that ran, by an answer's own word.
    #[track_caller]
    pub fn approach(&self) -> &str {
        self.assert_ok().header("x-hone-approach")
    }

    /// The names in a list of models.
    pub fn model_ids(&self) -> Vec<String> {
        let list = self.json();
        let models = list["data"].as_array().expect("a list").iter();
        let names = models.map(|model| model["id"].as_str().expect("a name").to_owned());
        names.collect()
    }

    #[track_caller]
    pub fn assert_ok(&self) -> &Self {
        self.assert_status(200)
    }

    #[track_caller]
    pub fn assert_status(&self, status: u16) -> &Self {
        assert_eq!(self.status.as_u16(), status, "{self}");
        self
    }

    /// An error with this status and code.
    #[track_caller]
    pub fn assert_refused(&self, status: u16, code: &str) -> &Self {
        let told = (self.status.as_u16(), self.code());
        assert_eq!(told, (status, code.to_owned()), "{self}");
        self
    }

    /// A header with this value; one that is not there has an empty one.
    #[track_caller]
    pub fn assert_header(&self, name: &str, value: &str) -> &Self {
        assert_eq!(self.header(name), value, "{name} of {self}");
        self
    }

    /// The body contains this.
    #[track_caller]
    pub fn assert_says(&self, part: &str) -> &Self {
        assert!(self.text().contains(part), "`{part}` in {self}");
        self
    }

    /// The body does not contain this.
    #[track_caller]
    pub fn assert_hides(&self, part: &str) -> &Self {
        assert!(!self.text().contains(part), "no `{part}` in {self}");
        self
    }

    /// A stream that came to its end.
    #[track_caller]
    pub fn assert_done(&self) -> &Self {
        assert!(self.text().ends_with("data: [DONE]\n\n"), "{self}");
        self
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            asked,
            status,
            headers,
            body,
        } = self;
        write!(f, "{asked}\n=> {status} {headers:#?}\n{}", cut(body))
    }
}

/// As much of a body as helps to understand a failure.
fn cut(body: &[u8]) -> String {
    text(&body[..body.len().min(2000)])
}

/// A chat request of one user message.
pub fn chat_body(model: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": "What is 2 + 3?"}]})
}

/// The same with more fields, or others.
pub fn chat_with(model: &str, fields: Value) -> Value {
    let mut body = chat_body(model);
    let Value::Object(fields) = fields else {
        panic!("fixture: fields, not {fields}")
    };
    for (name, value) in fields {
        body[name] = value;
    }
    body
}
