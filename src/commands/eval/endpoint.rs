//! Whom to ask, and with whose key.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;

use hone_strategies::Params;
use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde_json::Value;
use zeroize::Zeroizing;

use super::EvalArgs;
use super::client::EvalClient;
use crate::app::App;
use crate::config::{Access, AuthSlot, Bounds, Config, Limits, Permissions, TenantConfig};
use crate::config::{KeyDigest, secret};
use crate::tenant::GATEWAY_KEY_PREFIX;
use crate::tenant::slots::GATEWAY_SLOT;
use hone_eval::{Failure, Reply};

/// Whom to ask, with the hone in between that runs the approaches.
pub(super) struct Endpoint {
    client: EvalClient,
    hone: Option<App>,
}

impl Endpoint {
    /// Begins to serve: the upstreams of `config`, or else the endpoint that `args` name.
    ///
    /// # Errors
    ///
    /// When there is no key, or a configuration cannot be served.
    pub(super) fn start(args: &EvalArgs, config: Option<Config>) -> io::Result<Self> {
        if let Some(config) = config {
            let key = gateway_key()?;
            let hone = App::start(for_one(config, args, &key)).map_err(io::Error::other)?;
            return Self::before(
                hone,
                HeaderMap::from_iter([(GATEWAY_SLOT, sensitive(&key)?)]),
                args,
            );
        }
        let headers = credential(args)?;
        let endpoint = one_upstream(&args.base_url, args)?;
        if args.direct {
            return Ok(Self {
                client: EvalClient::new(&endpoint, headers, args.timeout())?,
                hone: None,
            });
        }
        Self::before(
            App::start(endpoint).map_err(io::Error::other)?,
            headers,
            args,
        )
    }

    fn before(hone: App, headers: HeaderMap, args: &EvalArgs) -> io::Result<Self> {
        let here = one_upstream(&format!("http://{}/v1", hone.address()), args)?;
        // The run's own deadline comes first, and its best answer so far after it.
        let client = EvalClient::new(&here, headers, args.timeout() + GRACE)?;
        Ok(Self {
            client,
            hone: Some(hone),
        })
    }

    pub(super) async fn stop(self) {
        if let Some(hone) = self.hone {
            hone.shutdown().await;
        }
    }
}

impl hone_eval::Endpoint for Endpoint {
    async fn chat(&self, request: &Value) -> Result<Reply, Failure> {
        self.client.chat(request).await
    }
}

/// How much longer than an approach its client waits.
const GRACE: std::time::Duration = std::time::Duration::from_secs(5);

/// The operator's configuration, served to this process alone: on a port of its own and to one
/// tenant without limits, whom fallback keys serve. What is limited for all tenants together
/// (upstreams, fallback keys) stays limited.
fn for_one(config: Config, args: &EvalArgs, key: &str) -> Config {
    let tenant = TenantConfig {
        usage: None,
        name: "hone-eval".to_owned(),
        keys: vec![KeyDigest::of(key.as_bytes())],
        provider_keys: Vec::new(),
        permissions: Permissions::ALL,
        approach: None,
        params: Params::new(),
        limits: Limits::default(),
        weight: NonZeroU32::MIN,
    };
    let bounds = Bounds {
        strategy_deadline: args.timeout(),
        queue_wait: args.timeout(),
        ..config.bounds
    };
    let listen = SocketAddr::from(([127, 0, 0, 1], 0));
    let tenants = vec![Arc::new(tenant)];
    let (address_limits, trusted_proxies) = (Limits::default(), Vec::new());
    Config {
        listen,
        tls: None,
        admin: None,
        access: Access::Known,
        tenants,
        bounds,
        address_limits,
        trusted_proxies,
        ..config
    }
}

/// A key that nobody else has, for as long as this process lives.
fn gateway_key() -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 32]);
    OsRng
        .try_fill_bytes(bytes.as_mut())
        .map_err(io::Error::other)?;
    Ok(Zeroizing::new(format!(
        "{GATEWAY_KEY_PREFIX}{}",
        hex::encode(bytes.as_ref())
    )))
}

fn sensitive(key: &str) -> io::Result<HeaderValue> {
    let mut value = HeaderValue::try_from(key).map_err(io::Error::other)?;
    value.set_sensitive(true);
    Ok(value)
}

fn one_upstream(base_url: &str, args: &EvalArgs) -> io::Result<Config> {
    let text = format!(
        "listen = \"127.0.0.1:0\"\n\
         [[upstream]]\nname = \"endpoint\"\nbase_url = {base_url:?}\nauth = \"{}\"\n\
         [bounds]\nstrategy_deadline = \"{}s\"\nqueue_wait = \"{}s\"\n",
        args.auth.as_str(),
        args.timeout.max(1),
        args.timeout.max(1),
    );
    Config::parse(&text, &|_| None).map_err(io::Error::other)
}

/// The key, in the slot where the endpoint reads it.
fn credential(args: &EvalArgs) -> io::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    let (name, prefix) = match args.auth {
        AuthSlot::None => return Ok(headers),
        AuthSlot::Bearer => (http::header::AUTHORIZATION, "Bearer "),
        AuthSlot::XApiKey => (HeaderName::from_static("x-api-key"), ""),
        AuthSlot::ApiKey => (HeaderName::from_static("api-key"), ""),
        AuthSlot::XGoogApiKey => (HeaderName::from_static("x-goog-api-key"), ""),
    };
    let missing = || {
        io::Error::other(format!(
            "{} holds no key; name another variable with --key-env, or say --auth none",
            args.key_env
        ))
    };
    let key = secret::environment(&args.key_env).ok_or_else(missing)?;
    let unusable = |_error| {
        io::Error::other(format!(
            "the key in {} cannot stand in a header",
            args.key_env
        ))
    };
    headers.insert(
        name,
        sensitive(&format!("{prefix}{}", key.trim())).map_err(unusable)?,
    );
    Ok(headers)
}
