//! One client: a connection that is kept, and lost when the client leaves.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::fatal::Fatal;

/// What is sent.
#[derive(Debug, Clone)]
pub(crate) struct Ask {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) key: String,
    pub(crate) body: String,
}

impl Ask {
    /// A question without a key.
    pub(crate) fn get(path: &'static str) -> Self {
        Self {
            method: Method::GET,
            path,
            key: String::new(),
            body: String::new(),
        }
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, http::Error> {
        let mut request = Request::builder()
            .method(&self.method)
            .uri(self.path)
            .header(HOST, "soak");
        if !self.key.is_empty() {
            request = request.header(AUTHORIZATION, format!("Bearer {}", self.key));
        }
        if !self.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        request.body(Full::new(Bytes::from(self.body.clone())))
    }
}

/// How an exchange ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The response is whole, by its own framing.
    Whole,
    /// The response broke off.
    Cut,
    /// There was no response.
    NoAnswer(String),
    /// The client did not wait for the end.
    Left,
}

/// One request and what came of it.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) began: Instant,
    pub(crate) took: Duration,
    pub(crate) status: u16,
    /// `x-hone-error`.
    pub(crate) error: String,
    pub(crate) body: Vec<u8>,
    pub(crate) ending: Ending,
}

/// A client with at most one connection.
#[derive(Debug)]
pub(crate) struct Client {
    address: SocketAddr,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    sender: SendRequest<Full<Bytes>>,
    /// Drives the connection, which closes when this is dropped.
    _driver: JoinSet<()>,
}

impl Client {
    pub(crate) const fn new(address: SocketAddr) -> Self {
        Self {
            address,
            open: None,
        }
    }

    /// Sends a request and waits for the end of its answer, but no longer than `patience`; then it
    /// leaves.
    pub(crate) async fn send(&mut self, ask: &Ask, patience: Duration) -> Exchange {
        let mut exchange = Exchange {
            began: Instant::now(),
            took: Duration::ZERO,
            status: 0,
            error: String::new(),
            body: Vec::new(),
            ending: Ending::Left,
        };
        let waited = timeout(patience, self.exchange(ask, &mut exchange)).await;
        match waited {
            Ok(Ok(())) => exchange.ending = Ending::Whole,
            Ok(Err(_)) if exchange.status > 0 => exchange.ending = Ending::Cut,
            Ok(Err(error)) => exchange.ending = Ending::NoAnswer(error.to_string()),
            Err(_elapsed) => {}
        }
        if exchange.ending != Ending::Whole {
            self.open = None;
        }
        exchange.took = exchange.began.elapsed();
        exchange
    }

    async fn exchange(&mut self, ask: &Ask, exchange: &mut Exchange) -> Result<(), Fatal> {
        let sender = self.connected().await?;
        let response = sender.send_request(ask.request()?).await?;
        exchange.status = response.status().as_u16();
        let error = response
            .headers()
            .get("x-hone-error")
            .and_then(|error| error.to_str().ok());
        error.unwrap_or_default().clone_into(&mut exchange.error);
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            if let Ok(data) = frame?.into_data() {
                exchange.body.extend_from_slice(&data);
            }
        }
        Ok(())
    }

    async fn connected(&mut self) -> Result<&mut SendRequest<Full<Bytes>>, Fatal> {
        if let Some(open) = &mut self.open
            && open.sender.ready().await.is_err()
        {
            self.open = None;
        }
        if self.open.is_none() {
            let stream = TcpStream::connect(self.address).await?;
            stream.set_nodelay(true)?;
            let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
            let mut driver = JoinSet::new();
            driver.spawn(async move {
                // How it ended is what its requests tell.
                let _ended = connection.await;
            });
            self.open = Some(Open {
                sender,
                _driver: driver,
            });
        }
        self.open
            .as_mut()
            .map(|open| &mut open.sender)
            .ok_or_else(|| "no connection".into())
    }
}
