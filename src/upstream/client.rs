//! The pooled HTTP client of one upstream.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::Response;
use hyper_rustls::HttpsConnectorBuilder;
use tower::util::BoxCloneSyncService;

use super::Breaker;
use super::connect::{Timed, tcp_connector, tls_config};
use super::failure::Failed;
use super::framing;
use super::http1::{self, Http1};
use super::http2::Http2;
use super::negotiated::{Agreement, Negotiated};
use crate::admission::FairQueue;
use crate::config::{Switch, UpstreamConfig};
use crate::upstream::body::AnswerBody;
use crate::upstream::out_body::Outbound;
use crate::workers;

/// How long an unused connection is kept.
const POOL_IDLE: Duration = Duration::from_secs(50);
/// Bytes of an HTTP/1 answer that may wait in memory before they are handed on.
const READ_BUFFER: usize = 256 * 1024;

/// Pools of connections to one upstream, one for each worker and one for the threads beside them.
/// Cheap to clone; a clone shares the pools.
///
/// # Cancel safety
///
/// Dropping the future of [`Client::send`], or the body that it gave, closes the HTTP/1 connection
/// or resets the HTTP/2 stream.
#[derive(Clone)]
pub(crate) struct Client {
    first: Connections,
    others: Arc<[Connections]>,
}

/// The connections of one worker.
#[derive(Clone)]
enum Connections {
    /// HTTP/1 without TLS.
    Http1(Arc<Http1>),
    /// What TLS agrees on, or HTTP/2 without it.
    Negotiated(Arc<Negotiated>),
}

impl Client {
    /// Makes empty pools; the first request connects, which may take `connect`. `breaker` hears of
    /// connections that were made, and `queue` of how many calls they can take.
    ///
    /// # Errors
    ///
    /// When the upstream's CA file cannot be read or holds no certificate.
    pub(crate) fn new(
        upstream: &UpstreamConfig,
        (connect, proxy_from_env): (Duration, Switch),
        breaker: Arc<Breaker>,
        queue: Arc<FairQueue>,
    ) -> io::Result<Self> {
        let tls = tls_config(upstream.ca_file.as_deref())?;
        let tcp = tcp_connector(&upstream.base_url, connect, proxy_from_env);
        let target = &upstream.base_url;
        if !may_speak_http2(upstream) {
            let connector = BoxCloneSyncService::new(Timed {
                inner: tcp,
                limit: connect,
                breaker,
            });
            return Self::of(|| {
                let http1 = Http1::new(connector.clone(), target.clone(), POOL_IDLE, READ_BUFFER)?;
                Some(Connections::Http1(Arc::new(http1)))
            });
        }
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http();
        let (https, agreement) = if upstream.http2_prior_knowledge {
            (https.enable_http2(), Agreement::PriorKnowledge)
        } else {
            (https.enable_all_versions(), Agreement::Tls)
        };
        let connector = BoxCloneSyncService::new(Timed {
            inner: https.wrap_connector(tcp),
            limit: connect,
            breaker,
        });
        let most = upstream.http2_connections;
        let http2 = Arc::new(Http2::new(target.clone(), POOL_IDLE, most, queue));
        Self::of(|| {
            Some(Connections::Negotiated(Arc::new(Negotiated {
                connector: connector.clone(),
                target: target.clone(),
                agreement,
                http1: http1::Connections::new(target, POOL_IDLE, READ_BUFFER)?,
                http2: Arc::clone(&http2),
            })))
        })
    }

    fn of(connections: impl Fn() -> Option<Connections>) -> io::Result<Self> {
        let all = (1..=workers::count())
            .map(|_| connections())
            .collect::<Option<_>>()
            .zip(connections());
        let (others, first) = all.ok_or_else(|| {
            io::Error::other("the upstream's address cannot stand in a Host field")
        })?;
        Ok(Self { first, others })
    }

    /// Sends one request over a pooled or new connection and waits for the response's head.
    ///
    /// A pooled connection that turns out to be dead before the request was written is replaced by
    /// the pool itself.
    ///
    /// # Errors
    ///
    /// When no connection can be made, with the request; when the connection breaks.
    pub(crate) async fn send(&self, request: Outbound) -> Result<Response<AnswerBody>, Failed> {
        let other = workers::index()
            .checked_sub(1)
            .and_then(|index| self.others.get(index));
        let sent = match other.unwrap_or(&self.first) {
            Connections::Http1(pool) => pool.send(request).await,
            Connections::Negotiated(pool) => pool.send(request).await,
        };
        framing::checked(sent?)
    }

    /// Closes connections that have not been used for long.
    pub(crate) fn tidy(&self) {
        for connections in std::iter::once(&self.first).chain(self.others.iter()) {
            match connections {
                Connections::Http1(pool) => pool.tidy(),
                Connections::Negotiated(pool) => pool.tidy(),
            }
        }
    }
}

/// Whether many calls to `upstream` may share a connection.
pub(super) fn may_speak_http2(upstream: &UpstreamConfig) -> bool {
    upstream.http2_prior_knowledge || !http1::speaks_with(&upstream.base_url)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}
