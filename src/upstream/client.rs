//! The pooled HTTP client of one upstream.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response, Uri};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::{Client as Pool, Error};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio::net::TcpStream;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt};

use super::Breaker;
use crate::body::OutBody;
use crate::config::{Switch, UpstreamConfig};
use crate::workers;

/// How long an unused connection is kept.
const POOL_IDLE: Duration = Duration::from_secs(50);

type Tcp = BoxCloneSyncService<Uri, TokioIo<TcpStream>, BoxError>;

/// Pools of connections to one upstream, one for each worker and one for the threads beside them. Cheap to clone; a clone shares the pools.
///
/// # Cancel safety
///
/// Dropping the future of [`Client::send`], or the body that it gave, closes the HTTP/1 connection or resets the HTTP/2 stream.
#[derive(Clone)]
pub struct Client {
    first: Pool<Connector, OutBody>,
    others: Arc<[Pool<Connector, OutBody>]>,
}

impl Client {
    /// Makes empty pools; the first request connects. `breaker` hears of connections that were made.
    ///
    /// # Errors
    ///
    /// When the upstream's CA file cannot be read or holds no certificate.
    pub fn new(upstream: &UpstreamConfig, connect: Duration, proxy_from_env: Switch, breaker: Arc<Breaker>) -> io::Result<Self> {
        let tls = tls_config(upstream.ca_file.as_deref())?;
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let tcp = tcp_connector(&upstream.base_url, connect, proxy_from_env);
        let https = if upstream.http2_prior_knowledge {
            https.enable_http2().wrap_connector(tcp)
        } else {
            https.enable_all_versions().wrap_connector(tcp)
        };
        let connector = Connector { https, limit: connect, breaker };
        let mut pool = Pool::builder(TokioExecutor::new());
        pool.pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(POOL_IDLE)
            .http2_only(upstream.http2_prior_knowledge)
            .http2_adaptive_window(true)
            .http2_keep_alive_interval(Some(Duration::from_secs(20)))
            .http1_max_buf_size(256 * 1024);
        let others = (1..=workers::count()).map(|_| pool.build(connector.clone())).collect();
        Ok(Self { first: pool.build(connector), others })
    }

    /// Sends one request over a pooled or new connection and waits for the response's head.
    ///
    /// A pooled connection that turns out to be dead before the request was written is replaced once by the pool itself.
    pub async fn send(&self, request: Request<OutBody>) -> Result<Response<Incoming>, Error> {
        let other = workers::index().checked_sub(1).and_then(|index| self.others.get(index));
        other.unwrap_or(&self.first).request(request).await
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

/// Connects within a time limit that covers TCP, a proxy's tunnel and the TLS handshake, and tells the breaker of each success at once: how long the
/// answer then takes says nothing about whether the upstream can be reached.
#[derive(Clone)]
struct Connector {
    https: HttpsConnector<Tcp>,
    limit: Duration,
    breaker: Arc<Breaker>,
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Self::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let connecting = self.https.call(target);
        let limit = self.limit;
        let breaker = Arc::clone(&self.breaker);
        Box::pin(async move {
            let connection = tokio::time::timeout(limit, connecting).await??;
            breaker.reached();
            Ok(connection)
        })
    }
}

fn tcp_connector(base_url: &Uri, connect: Duration, proxy_from_env: Switch) -> Tcp {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    http.enforce_http(false);
    http.set_connect_timeout(Some(connect));
    http.set_keepalive(Some(Duration::from_secs(60)));
    let proxy = match proxy_from_env {
        Switch::On => Matcher::from_env().intercept(base_url),
        Switch::Off => None,
    };
    let Some(proxy) = proxy else { return BoxCloneSyncService::new(http.map_err(BoxError::from)) };
    let mut tunnel = Tunnel::new(proxy.uri().clone(), http);
    if let Some(authorization) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(authorization.clone());
    }
    BoxCloneSyncService::new(tunnel.map_err(BoxError::from))
}

/// The platform's certificate authorities and, if given, those of one more file.
fn tls_config(ca_file: Option<&Path>) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca_file {
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| io::Error::other(format!("{}: {error}", path.display())))?;
        if roots.add_parsable_certificates(certificates).0 == 0 {
            return Err(io::Error::other(format!("{}: no certificate found", path.display())));
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(io::Error::other)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
