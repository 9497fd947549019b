//! Configurations and requests for the tests of this module.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::sync::Arc;

use hone_dialects::{Dialect, Settings};
use hone_strategies::{Expr, Params};
use http::request::Parts;
use http::{Method, Request, Uri};

use super::{AuthError, Credential, Directory, Peer, Principal, client_address};
use crate::config::KeyDigest;
use crate::config::{
    Access, AuthSlot, Bounds, Config, Fallback, FallbackFor, Limits, Log, Permissions, Secret,
    ShownUsage, StreamUsage, Switch, TenantConfig, UpstreamConfig,
};

/// The gateway key of `alice`.
pub(super) const ALICE: &str = "hone-alice";
/// The gateway key of `bob`.
pub(super) const BOB: &str = "hone-bob";
/// The provider key that identifies `carol`.
pub(super) const CAROL: &str = "sk-carol";

/// `openai` takes client keys; there is no fallback, no limit and no tenant.
pub(super) fn config() -> Config {
    Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: None,
        access: Access::Open,
        approach: Expr::slug("none"),
        params: Params::new(),
        solver: crate::config::SolverPlace::Auto,
        quality: None,
        usage: ShownUsage::Sum,
        tags: Switch::Off,
        trusted_proxies: Vec::new(),
        placeholders: vec!["none".to_owned()],
        hosts: Vec::new(),
        cors_origins: Vec::new(),
        revoked_keys: Vec::new(),
        tenant_secret: Some(Secret::new("a secret for tests")),
        bounds: Bounds::default(),
        limits: Limits::default(),
        address_limits: Limits::default(),
        fallback_limits: Limits::default(),
        upstreams: vec![Arc::new(UpstreamConfig {
            accepts_client_keys: true,
            ..upstream("openai")
        })],
        tenants: Vec::new(),
        models: Vec::new(),
        prices: Vec::new(),
        admin: None,
        proxy_from_env: Switch::Off,
        log: Log::default(),
        warnings: Vec::new(),
        files: std::collections::BTreeSet::new(),
    }
}

/// `alice` and `bob` have gateway keys, `carol` a provider key.
pub(super) fn with_tenants(config: Config) -> Config {
    let alice = TenantConfig {
        keys: vec![KeyDigest::of(ALICE.as_bytes())],
        ..tenant("alice")
    };
    let bob = TenantConfig {
        keys: vec![KeyDigest::of(BOB.as_bytes())],
        ..tenant("bob")
    };
    let carol = TenantConfig {
        provider_keys: vec![KeyDigest::of(CAROL.as_bytes())],
        ..tenant("carol")
    };
    Config {
        tenants: vec![Arc::new(alice), Arc::new(bob), Arc::new(carol)],
        ..config
    }
}

pub(super) fn tenant(name: &str) -> TenantConfig {
    TenantConfig {
        name: name.to_owned(),
        keys: Vec::new(),
        provider_keys: Vec::new(),
        permissions: Permissions::ALL,
        approach: None,
        params: Params::new(),
        limits: Limits::default(),
        usage: None,
        weight: NonZeroU32::MIN,
    }
}

/// A bearer upstream that takes no client keys and has no fallback.
pub(super) fn upstream(name: &str) -> UpstreamConfig {
    UpstreamConfig {
        name: name.to_owned(),
        base_url: Uri::from_static("https://upstream.test/v1"),
        dialect: Dialect::OpenAiChat,
        is_dialect_open: true,
        settings: Settings::default(),
        models: vec!["*".to_owned()],
        auth: Some(AuthSlot::Bearer),
        accepts_client_keys: false,
        fallback: None,
        concurrency: None,
        tenant_share: 0.5,
        limits: Limits::default(),
        forward_headers: Vec::new(),
        stream_usage: StreamUsage::Ask,
        stream_calls: None,
        ca_file: None,
        retries: 0,
        http2_prior_knowledge: false,
        http2_connections: NonZeroU32::MIN,
    }
}

pub(super) fn fallback(key: &str, allowed: FallbackFor) -> Fallback {
    Fallback {
        key: Secret::new(key),
        allowed,
        paths: Vec::new(),
        fields: Vec::new(),
    }
}

pub(super) fn requests_per_minute(limit: u32) -> Limits {
    Limits {
        requests_per_minute: NonZeroU32::new(limit),
        ..Limits::default()
    }
}

pub(super) fn every_limit() -> Limits {
    Limits {
        requests_per_minute: NonZeroU32::new(60),
        upstream_calls_per_minute: NonZeroU32::new(60),
        tokens_per_minute: NonZeroU64::new(60_000),
        concurrent_requests: NonZeroU32::new(8),
        concurrent_upstream_calls: NonZeroU32::new(8),
    }
}

/// A caller somewhere in the Internet, and a listener beyond loopback.
pub(super) fn remote() -> Peer {
    Peer {
        address: "203.0.113.7:40000".parse().unwrap(),
        listener: "198.51.100.1:8000".parse().unwrap(),
    }
}

/// A caller on this machine.
pub(super) fn loopback() -> Peer {
    Peer {
        address: "127.0.0.1:40000".parse().unwrap(),
        listener: "127.0.0.1:8000".parse().unwrap(),
    }
}

pub(super) fn from(address: &str) -> Peer {
    Peer {
        address: SocketAddr::new(address.parse().unwrap(), 40_000),
        ..remote()
    }
}

/// The head of a chat request. A line may occur twice.
pub(super) fn head(lines: &[(&str, &str)]) -> Parts {
    let mut request = Request::builder()
        .method(Method::POST)
        .uri("/v1/chat/completions");
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

/// Identifies the caller as the flow does: its address is resolved first.
pub(super) fn identify(
    directory: &Directory,
    config: &Config,
    head: &Parts,
    peer: &Peer,
) -> Result<Principal, AuthError> {
    let address = client_address(&head.headers, peer.address.ip(), &config.trusted_proxies);
    super::identify(directory, config, head, peer, address)
}

/// The principal of a request from somewhere.
pub(super) fn principal(config: &Config, lines: &[(&str, &str)]) -> Result<Principal, AuthError> {
    identify(&Directory::new(config), config, &head(lines), &remote())
}

/// The credential with which a chat request from `peer` reaches the upstream at `index`.
pub(super) fn credential(
    config: &Config,
    lines: &[(&str, &str)],
    peer: &Peer,
    index: usize,
) -> Result<Credential, AuthError> {
    let principal = identify(&Directory::new(config), config, &head(lines), peer)?;
    principal.credential(&config.upstreams[index], &Method::POST, "chat/completions")
}

/// What the upstream would see of `credential`: the header and its value.
pub(super) fn sent(credential: &Credential) -> Vec<(String, String)> {
    let mut headers = http::HeaderMap::new();
    credential.apply(&mut headers);
    headers
        .iter()
        .map(|(name, value)| {
            (
                name.to_string(),
                String::from_utf8(value.as_bytes().to_vec()).unwrap(),
            )
        })
        .collect()
}
