//! The pooled HTTP client of one upstream.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{Client as Pool, Error};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower::BoxError;
use tower::util::BoxCloneSyncService;

use super::Breaker;
use super::connect::{Timed, tcp_connector, tls_config};
use super::http1::{self, Connector, Http1};
use crate::config::{Switch, UpstreamConfig};
use crate::upstream::body::OutBody;
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
pub struct Client {
    first: Connections,
    others: Arc<[Connections]>,
}

/// The connections of one worker.
#[derive(Clone)]
enum Connections {
    /// HTTP/1 without TLS.
    Http1(Arc<Http1>),
    /// Whatever the upstream speaks.
    Any(Box<Pool<Timed<HttpsConnector<Connector>>, OutBody>>),
}

/// Why no response came. The texts are for logs.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// No connection could be made.
    #[error("{0}")]
    Connect(BoxError),
    /// A connection that speaks HTTP/1 without TLS broke.
    #[error(transparent)]
    Http1(hyper::Error),
    /// hyper-util's pool says what.
    #[error(transparent)]
    Pool(Error),
}

impl Failure {
    /// Whether the request was never sent, because there was no connection to send it over.
    pub fn is_connect(&self) -> bool {
        match self {
            Self::Connect(_) => true,
            Self::Http1(_) => false,
            Self::Pool(error) => error.is_connect(),
        }
    }
}

/// A request that got no response.
#[derive(Debug)]
pub struct Failed {
    /// Why.
    pub failure: Failure,
    /// The request, if it was never sent and could be.
    pub unsent: Option<Box<Request<OutBody>>>,
}

impl From<Failure> for Failed {
    fn from(failure: Failure) -> Self {
        Self {
            failure,
            unsent: None,
        }
    }
}

impl Client {
    /// Makes empty pools; the first request connects. `breaker` hears of connections that were
    /// made.
    ///
    /// # Errors
    ///
    /// When the upstream's CA file cannot be read or holds no certificate.
    pub fn new(
        upstream: &UpstreamConfig,
        connect: Duration,
        proxy_from_env: Switch,
        breaker: Arc<Breaker>,
    ) -> io::Result<Self> {
        let tls = tls_config(upstream.ca_file.as_deref())?;
        let tcp = tcp_connector(&upstream.base_url, connect, proxy_from_env);
        if !upstream.http2_prior_knowledge && http1::speaks_with(&upstream.base_url) {
            return Self::http1(
                &upstream.base_url,
                &BoxCloneSyncService::new(Timed {
                    inner: tcp,
                    limit: connect,
                    breaker,
                }),
            );
        }
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http();
        let https = if upstream.http2_prior_knowledge {
            https.enable_http2().wrap_connector(tcp)
        } else {
            https.enable_all_versions().wrap_connector(tcp)
        };
        let connector = Timed {
            inner: https,
            limit: connect,
            breaker,
        };
        let mut pool = Pool::builder(TokioExecutor::new());
        pool.pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .http2_only(upstream.http2_prior_knowledge)
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(Some(Duration::from_secs(20)))
            .http1_max_buf_size(READ_BUFFER);
        let any = || Connections::Any(Box::new(pool.build(connector.clone())));
        Ok(Self {
            first: any(),
            others: (1..=workers::count()).map(|_| any()).collect(),
        })
    }

    fn http1(base_url: &Uri, connector: &Connector) -> io::Result<Self> {
        let connections = || {
            let http1 = Http1::new(connector.clone(), base_url.clone(), POOL_IDLE, READ_BUFFER)?;
            Some(Connections::Http1(Arc::new(http1)))
        };
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
    /// When no connection can be made, with the request if it is held in memory; when the
    /// connection breaks.
    pub async fn send(&self, request: Request<OutBody>) -> Result<Response<Incoming>, Failed> {
        let other = workers::index()
            .checked_sub(1)
            .and_then(|index| self.others.get(index));
        match other.unwrap_or(&self.first) {
            Connections::Http1(pool) => pool.send(request).await,
            Connections::Any(pool) => {
                let again = repeat(&request);
                pool.request(request).await.map_err(|error| {
                    let unsent = again.filter(|_| error.is_connect());
                    Failed {
                        failure: Failure::Pool(error),
                        unsent,
                    }
                })
            }
        }
    }

    /// Closes connections that have not been used for long.
    pub fn tidy(&self) {
        for connections in std::iter::once(&self.first).chain(self.others.iter()) {
            match connections {
                Connections::Http1(pool) => pool.tidy(),
                // It does so by itself.
                Connections::Any(_) => {}
            }
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// The same request once more, if its body can be sent again.
fn repeat(request: &Request<OutBody>) -> Option<Box<Request<OutBody>>> {
    let mut again = Request::new(request.body().repeat()?);
    *again.method_mut() = request.method().clone();
    *again.uri_mut() = request.uri().clone();
    *again.version_mut() = request.version();
    *again.headers_mut() = request.headers().clone();
    Some(Box::new(again))
}
