//! How connections to one upstream are made: through a proxy if the operator says so, with TLS, in
//! time.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::proxy::matcher::Matcher;
use rustls::ClientConfig;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, Service, ServiceExt};

use super::Breaker;
use super::certificates::Verifier;
use super::http1::Connector;
use super::no_proxy;
use crate::config::{Switch, secret};

/// Connects within a time limit that covers TCP, a proxy's tunnel and the TLS handshake, and tells
/// the breaker of each success at once: how long the answer then takes says nothing about whether
/// the upstream can be reached.
#[derive(Clone)]
pub(super) struct Timed<C> {
    pub(super) inner: C,
    pub(super) limit: Duration,
    pub(super) breaker: Arc<Breaker>,
}

impl<C> Service<Uri> for Timed<C>
where
    C: Service<Uri, Error = BoxError, Future: Send + 'static>,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<C::Response, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let connecting = self.inner.call(target);
        let limit = self.limit;
        let breaker = Arc::clone(&self.breaker);
        Box::pin(async move {
            let connection = tokio::time::timeout(limit, connecting).await??;
            breaker.reached();
            Ok(connection)
        })
    }
}

pub(super) fn tcp_connector(
    base_url: &Uri,
    connect: Duration,
    proxy_from_env: Switch,
) -> Connector {
    let mut http = HttpConnector::new();
    http.set_nodelay(true);
    http.enforce_http(false);
    http.set_connect_timeout(Some(connect));
    http.set_keepalive(Some(Duration::from_secs(60)));
    let proxy = match proxy_from_env {
        Switch::On if !is_direct(base_url) => Matcher::from_env().intercept(base_url),
        Switch::On | Switch::Off => None,
    };
    let Some(proxy) = proxy else {
        return BoxCloneSyncService::new(http.map_err(BoxError::from));
    };
    let mut tunnel = Tunnel::new(proxy.uri().clone(), http);
    if let Some(authorization) = proxy.basic_auth() {
        tunnel = tunnel.with_auth(authorization.clone());
    }
    BoxCloneSyncService::new(tunnel.map_err(BoxError::from))
}

/// Whether the environment, which the operator has named, says that no proxy stands before
/// `base_url`.
fn is_direct(base_url: &Uri) -> bool {
    let mut lists = ["NO_PROXY", "no_proxy"]
        .into_iter()
        .filter_map(secret::environment);
    lists.any(|list| no_proxy::names(&list, base_url))
}

/// TLS towards an upstream that shows a certificate of the platform's authorities or, if given, of
/// one more file.
pub(super) fn tls_config(ca_file: Option<&Path>) -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Arc::new(Verifier::new(ca_file, &provider)?);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?;
    // "Dangerous" is what rustls calls every verifier but its own; this one asks its own.
    Ok(config
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}
