//! The operator's listener: metrics and probes. Never on the tenants' port.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::Full;

use crate::flow::Proxy;
use crate::telemetry::{Telemetry, reach};
use crate::transport::{Answer, Closing, ConnectionAddrs, ConnectionRefused, Drain, RequestBody};
use crate::upstream::Standing;

/// Answers `/metrics`, `/livez` and `/readyz`.
#[derive(Debug)]
pub(super) struct Admin {
    telemetry: Telemetry,
    proxy: Arc<Proxy>,
    drain: Drain,
}

impl Admin {
    /// The admin side of `proxy`.
    pub(super) fn new(telemetry: Telemetry, proxy: Arc<Proxy>, drain: Drain) -> Self {
        Self {
            telemetry,
            proxy,
            drain,
        }
    }

    fn metrics(&self) -> String {
        let snapshot = self.proxy.snapshot();
        let upstreams = snapshot.upstreams.iter();
        let up = upstreams.map(|upstream| {
            let is_up = upstream.standing() != Standing::Unreachable;
            (upstream.name(), is_up)
        });
        self.telemetry.render() + &reach::text(up)
    }

    fn upstreams(&self) -> String {
        let snapshot = self.proxy.snapshot();
        let lines = snapshot
            .upstreams
            .iter()
            .map(|upstream| format!("{} {}\n", upstream.name(), upstream.standing().as_str()));
        lines.collect()
    }
}

impl Answer for Admin {
    type Body = Full<Bytes>;
    type Visit = ();

    fn admits(&self, _peer: SocketAddr) -> Result<(), ConnectionRefused> {
        Ok(())
    }

    fn admits_stream(
        &self,
        _peer: SocketAddr,
        _headers: &HeaderMap,
        _is_room: bool,
    ) -> Result<(), ConnectionRefused> {
        Ok(())
    }

    async fn answer(
        self: Arc<Self>,
        request: Request<RequestBody>,
        _addrs: ConnectionAddrs,
        _closing: Closing,
    ) -> Response<Full<Bytes>> {
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return text(
                StatusCode::METHOD_NOT_ALLOWED,
                "only GET is served here\n".to_owned(),
            );
        }
        match request.uri().path() {
            "/metrics" => text(StatusCode::OK, self.metrics()),
            "/livez" | "/health" => text(StatusCode::OK, "ok\n".to_owned()),
            "/readyz" if self.drain.has_begun() => {
                text(StatusCode::SERVICE_UNAVAILABLE, "draining\n".to_owned())
            }
            "/readyz" => text(StatusCode::OK, format!("ready\n{}", self.upstreams())),
            _ => text(
                StatusCode::NOT_FOUND,
                "here are /metrics, /livez and /readyz\n".to_owned(),
            ),
        }
    }

    /// Nobody is.
    fn refuse(&self, refused: ConnectionRefused) -> Response<Full<Bytes>> {
        text(StatusCode::SERVICE_UNAVAILABLE, format!("{refused}\n"))
    }
}

fn text(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
    );
    response
}
