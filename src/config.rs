//! The resolved configuration: what the operator's file means.
//!
//! If a [`Config`] exists it is right: every cross-reference is resolved, every number is in range,
//! every secret has been read. The text of the file, and all that can be wrong with it, lives in
//! `config::file` and `config::resolve`. Nothing here reads the environment.

use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::sync::Arc;

use hone_strategies::{Expr, Params};
use http::Uri;
use ipnet::IpNet;

mod bounds;
mod check;
mod choices;
mod digest;
mod effective;
mod error;
mod file;
mod flags;
pub mod glob;
mod permissions;
mod resolve;
pub mod secret;
mod solver;

pub use bounds::Bounds;
pub use digest::{KeyDigest, NotADigest};
pub use error::{ConfigErrors, Mistake};
pub use flags::ServeFlags;
pub use permissions::Permissions;
pub use secret::{Secret, environment};
pub use solver::SolverPlace;

/// The part of what tenants share that one may have while others want some, if the operator does
/// not say.
pub(crate) const TENANT_SHARE: f64 = 0.5;

/// Everything that a running hone is told by its operator.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where tenants connect. Port 0 asks the system for a free one.
    pub listen: SocketAddr,
    /// Serve TLS (with ALPN) instead of plain text.
    pub tls: Option<TlsFiles>,
    /// Whether unknown provider keys are admitted.
    pub access: Access,
    /// The approach of requests that choose none.
    pub approach: Expr,
    /// Strategy parameters for requests and tenants that set none.
    pub params: Params,
    /// Which z3 solves what the approach of that name states.
    pub solver: SolverPlace,
    /// Whether `<optillm_approach>` tags in messages choose an approach.
    pub tags: Switch,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Provider-slot values that mean "no key", because SDKs insist on one.
    pub placeholders: Vec<String>,
    /// Hosts beside loopback ones that requests to keyless upstreams may name, where `listen` is
    /// loopback; `*` is all.
    pub hosts: Vec<String>,
    /// Digests of keys that are refused wherever they stand, and so never forwarded.
    pub revoked_keys: Vec<KeyDigest>,
    /// Keys the digests that name unknown tenants. Random per process if absent.
    pub tenant_secret: Option<Secret>,
    /// Sizes and times that hold for every request.
    pub bounds: Bounds,
    /// Limits of each tenant without limits of its own.
    pub limits: Limits,
    /// Limits of each client address, for callers that are not vouched for.
    pub address_limits: Limits,
    /// Limits over all requests that any fallback key pays for.
    pub fallback_limits: Limits,
    /// At least one; the first that matches a model serves it.
    pub upstreams: Vec<Arc<UpstreamConfig>>,
    /// Tenants that the operator named.
    pub tenants: Vec<Arc<TenantConfig>>,
    /// Model names that stand for an upstream model and an approach.
    pub models: Vec<Arc<VirtualModel>>,
    /// What tokens cost, for `hone eval`. The first whose model matches counts.
    pub prices: Vec<Price>,
    /// The admin listener, if any.
    pub admin: Option<SocketAddr>,
    /// Whether `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are honoured for upstream connections.
    pub proxy_from_env: Switch,
    /// What is logged, and how.
    pub log: Log,
    /// What the operator should know, though it is not wrong. Shown by `hone check` and at start.
    pub warnings: Vec<String>,
}

impl Config {
    /// Whether some limit on tokens holds for all tenants together.
    pub(crate) fn shares_tokens(&self) -> bool {
        let mut limits = self.upstreams.iter().map(|upstream| &upstream.limits);
        self.fallback_limits.tokens_per_minute.is_some()
            || limits.any(|limits| limits.tokens_per_minute.is_some())
    }
}

/// What a reload cannot change.
pub const TAKES_A_RESTART: [&str; 4] = ["listen", "admin", "log", "tls (to begin or end it)"];

/// A setting that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Switch {
    /// Not active.
    #[default]
    Off,
    /// Active.
    On,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// The form of a line.
    pub format: LogFormat,
    /// Levels, by target if wanted: `info` (the default), `info,hone::answer::relay=debug`. Known
    /// to be well formed.
    pub filter: String,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::default(),
            filter: "info".to_owned(),
        }
    }
}

/// The form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people if standard error is a terminal, else JSON.
    #[default]
    Auto,
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
}

/// Who may use this proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// Only callers whose key the operator has named.
    Known,
    /// Anyone who brings a key.
    #[default]
    Open,
}

/// A certificate chain and its private key, both PEM.
#[derive(Debug, Clone)]
pub struct TlsFiles {
    /// Leaf first.
    pub certificate: PathBuf,
    /// PKCS#8, PKCS#1 or SEC1.
    pub key: PathBuf,
}

/// One provider.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// Unique; letters, digits, `-`, `_` and `.`. Appears in headers and metric labels.
    pub name: String,
    /// Scheme, authority and path, without userinfo, query or fragment. The client's `/v1` is
    /// replaced by this path.
    pub base_url: Uri,
    /// Globs over model names; `*` matches any run of characters.
    pub models: Vec<String>,
    /// The slot that this provider reads its key from.
    pub auth: AuthSlot,
    /// Whether a client's plain provider-slot key may be sent here.
    pub accepts_client_keys: bool,
    /// The operator's key for callers that bring none.
    pub fallback: Option<Fallback>,
    /// Sub-calls and relays under way at once, over all tenants.
    pub concurrency: Option<NonZeroU32>,
    /// The share of `concurrency` that one tenant may hold while others wait, and of `limits` while
    /// others ask, in (0, 1].
    pub tenant_share: f64,
    /// Limits over all tenants together.
    pub limits: Limits,
    /// Request headers forwarded beside the built-in allow-list, lower case. An entry ending in `-`
    /// is a prefix.
    pub forward_headers: Vec<String>,
    /// How the token use of streams is learned when the client did not ask for it.
    pub stream_usage: StreamUsage,
    /// PEM file with certificate authorities trusted beside the platform's.
    pub ca_file: Option<PathBuf>,
    /// Extra attempts for relayed requests that failed with a connection error or 5xx before any
    /// byte of the answer was passed on, each after a growing wait or the short one that the
    /// upstream asks for, and each a call that the tenant pays for. 0 (the default) retries only
    /// what never reached the upstream.
    pub retries: u32,
    /// Speak HTTP/2 without TLS to an `http://` upstream (prior knowledge).
    pub http2_prior_knowledge: bool,
    /// HTTP/2 connections at once, over all workers (64). Another is opened when those there are
    /// carry as many calls as they can.
    pub http2_connections: NonZeroU32,
}

/// Where a provider reads its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthSlot {
    /// The `api-key` header.
    ApiKey,
    /// `Authorization: Bearer …`.
    Bearer,
    /// The provider is keyless; whatever the client sent is stripped.
    None,
    /// The `x-api-key` header.
    XApiKey,
    /// The `x-goog-api-key` header.
    XGoogApiKey,
}

/// The operator's key for requests that carry none.
#[derive(Debug, Clone)]
pub struct Fallback {
    /// The key.
    pub key: Secret,
    /// Who may spend it.
    pub allowed: FallbackFor,
    /// Path prefixes below `/v1` that it serves beside the built-in list, e.g. `rerank`.
    pub paths: Vec<String>,
    /// Fields of JSON bodies that it serves beside the built-in lists.
    pub fields: Vec<String>,
}

/// Who may spend a fallback key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FallbackFor {
    /// Anyone who can connect.
    Anyone,
    /// Callers that present a gateway key.
    #[default]
    Known,
    /// Callers with a gateway key, and local callers.
    Loopback,
}

/// How hone learns the token use of a chat stream whose client did not ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StreamUsage {
    /// Ask the upstream, and take the extra event out again.
    #[default]
    Ask,
    /// Count what streams by: an upstream that refuses to be asked.
    Count,
}

/// Rates and concurrency of one tenant, address, upstream or fallback key. An absent field is not
/// limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Client requests in any minute; also the burst.
    pub requests_per_minute: Option<NonZeroU32>,
    /// Calls to upstreams in any minute, judges and discarded candidates included.
    pub upstream_calls_per_minute: Option<NonZeroU32>,
    /// Tokens of all calls in any minute, input and output.
    pub tokens_per_minute: Option<NonZeroU64>,
    /// Client requests under way at once.
    pub concurrent_requests: Option<NonZeroU32>,
    /// Upstream calls under way at once.
    pub concurrent_upstream_calls: Option<NonZeroU32>,
}

/// A tenant that the operator named.
#[derive(Debug, Clone)]
pub struct TenantConfig {
    /// Unique; letters, digits, `-`, `_` and `.`.
    pub name: String,
    /// Digests of gateway keys: the caller's to send to hone, never forwarded.
    pub keys: Vec<KeyDigest>,
    /// Digests of provider keys: they identify the caller and still go upstream.
    pub provider_keys: Vec<KeyDigest>,
    /// What the tenant may ask for.
    pub permissions: Permissions,
    /// The approach of this tenant's requests that choose none.
    pub approach: Option<Expr>,
    /// This tenant's strategy parameters.
    pub params: Params,
    /// Already merged with the server's `[limits]`.
    pub limits: Limits,
    /// Weight in the fair queue, relative to 1.
    pub weight: NonZeroU32,
}

/// A model name that stands for an upstream model and an approach.
#[derive(Debug, Clone)]
pub struct VirtualModel {
    /// The name that clients use.
    pub name: String,
    /// The name that the upstream knows.
    pub model: String,
    /// What runs.
    pub approach: Expr,
    /// With which parameters.
    pub params: Params,
}

/// What a million tokens of some models cost, in any currency.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// A glob over model names.
    pub model: String,
    /// Those that are read.
    pub input: f64,
    /// Those that are generated.
    pub output: f64,
}

#[cfg(test)]
mod tests;
