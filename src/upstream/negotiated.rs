//! Connections to one upstream that speaks what TLS agrees on, or HTTP/2 by prior knowledge.
//!
//! A request takes a place on an HTTP/2 connection, else a kept HTTP/1 connection; only then is
//! another one made, and what it speaks decides where it is kept.

use std::pin::pin;
use std::sync::Arc;

use http::{Request, Uri};
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::Connection as _;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};

use super::failure::{Failed, Failure, Sent};
use super::http1::Connections;
use super::http2::{Http2, Next, Opening};
use crate::upstream::out_body::{OutBody, Outbound};

/// What makes connections, with TLS if their target wants it.
pub(super) type TlsConnector =
    BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

/// How it is known what a new connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreement {
    /// By ALPN.
    Tls,
    /// It is HTTP/2: the operator says so.
    PriorKnowledge,
}

/// The connections of one worker to one upstream, of which those that speak HTTP/2 are shared.
pub(super) struct Negotiated {
    pub(super) connector: TlsConnector,
    pub(super) target: Uri,
    pub(super) agreement: Agreement,
    pub(super) http1: Connections,
    pub(super) http2: Arc<Http2>,
}

impl Negotiated {
    /// Sends one request over an open or new connection and waits for the response's head.
    ///
    /// A connection that turns out to be closed before anything of the request was written is
    /// replaced.
    pub(super) async fn send(&self, mut request: Outbound) -> Sent {
        let mut until = None;
        loop {
            if let Some(place) = self.http2.place() {
                match self.http2.send(place, request).await {
                    Ok(sent) => return sent,
                    Err(unsent) => request = unsent,
                }
            }
            request = match self.http1.send(request).await {
                Ok(sent) => return sent,
                Err(unsent) => unsent,
            };
            let Some(next) = self.next(&request, &mut until).await else {
                return Err(Failure::NoPlace.into());
            };
            let sent = match next {
                Next::Send(place) => self.http2.send(place, request).await,
                // Boxed: every request would have room for what few do.
                Next::Connect(opening) => Box::pin(self.send_over_new(opening, request)).await,
                Next::Wait => Err(request),
            };
            match sent {
                Ok(sent) => return sent,
                Err(unsent) => request = unsent,
            }
        }
    }

    /// What a request can do that found no place. If that is to wait, something has come free
    /// since. Nothing, if nothing has come free for as long as a call may wait for its turn;
    /// `until` is when that is over, what it has waited in the fair queue included.
    ///
    /// The waiter is gone before anything is sent: one that waits for an answer would keep the news
    /// of a place from those that wait for one.
    async fn next(&self, request: &Request<OutBody>, until: &mut Option<Instant>) -> Option<Next> {
        let mut freed = pin!(self.http2.freed());
        // What comes free from here on is not missed.
        freed.as_mut().enable();
        let next = self.http2.next();
        if matches!(next, Next::Wait) {
            let until = *until.get_or_insert_with(|| self.http2.until(request));
            tokio::time::timeout_at(until, freed).await.ok()?;
        }
        Some(next)
    }

    async fn send_over_new(&self, opening: Opening, request: Outbound) -> Result<Sent, Outbound> {
        let connecting = self.connector.clone().oneshot(self.target.clone());
        let stream = match connecting.await {
            Ok(stream) => stream,
            Err(error) => {
                opening.failed();
                return Ok(Err(Failed::unsent(error, request)));
            }
        };
        if self.agreement == Agreement::Tls && !stream.connected().is_negotiated_h2() {
            opening.met_http1();
            return Ok(self.http1.send_over(stream, request).await);
        }
        match opening.http2(stream).await {
            Ok(place) => self.http2.send(place, request).await,
            Err(error) => Ok(Err(Failed::unsent(error, request))),
        }
    }

    /// Closes what has not been used for long.
    pub(super) fn tidy(&self) {
        self.http1.tidy();
        self.http2.tidy();
    }
}
