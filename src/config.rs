//! The resolved configuration: what the operator's file means.
//!
//! If a [`Config`] exists it is right: every cross-reference is resolved, every number is in range,
//! every secret has been read. The text of the file, and all that can be wrong with it, lives in
//! `config::file` and `config::resolve`. Nothing here reads the environment.

use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hone_strategies::{Expr, Params};
use http::Uri;
use ipnet::IpNet;

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

pub use digest::{KeyDigest, NotADigest};
pub use error::{ConfigErrors, Mistake};
pub use flags::ServeFlags;
pub use permissions::Permissions;
pub use secret::{Secret, environment};

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

/// Where the solver is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum SolverPlace {
    /// At this path.
    At(PathBuf),
    /// Where packages install it, if it is there.
    #[default]
    Auto,
    /// Nowhere: not to be used.
    Off,
}

impl fmt::Display for SolverPlace {
    /// As the configuration writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(path) => path.display().fmt(f),
            Self::Auto => f.write_str("auto"),
            Self::Off => f.write_str("off"),
        }
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
    /// Levels, by target if wanted: `info` (the default), `info,hone::answer::relay=debug`. Known to be
    /// well formed.
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
    /// The share of `concurrency` that one tenant may hold while others wait, in (0, 1].
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

/// Sizes, counts and times that bound every request.
#[derive(Debug, Clone)]
pub struct Bounds {
    /// Request line and headers, in bytes (64 KiB).
    pub header_bytes: usize,
    /// An interpreted request body, in bytes (64 MiB).
    pub body_bytes: usize,
    /// All buffered bodies together, in bytes (1 GiB).
    pub buffered_bytes: usize,
    /// What the bodies of one tenant may take of that; until a key is vouched for, its address's
    /// too (an eighth, but at least one body).
    pub tenant_buffered_bytes: usize,
    /// One SSE event, in bytes (1 MiB).
    pub sse_event_bytes: usize,
    /// The answer of one sub-call, in bytes (8 MiB).
    pub answer_bytes: usize,
    /// To a complete request head, from its first byte or, for a connection's first, from accepting
    /// it; the handshake of TLS has as long again (10 s).
    pub header_read: Duration,
    /// A connection without a request, after its first (75 s).
    pub connection_idle: Duration,
    /// Between two chunks of a request body (60 s).
    pub body_idle: Duration,
    /// From the request head to the end of a body that is read (600 s).
    pub body_read: Duration,
    /// To connect to an upstream, TLS included (5 s).
    pub connect: Duration,
    /// From the request to the upstream's response head (600 s).
    pub upstream_head: Duration,
    /// Between two chunks of a response body (300 s).
    pub stream_idle: Duration,
    /// A strategy run (300 s).
    pub strategy_deadline: Duration,
    /// Waiting for an upstream slot (30 s).
    pub queue_wait: Duration,
    /// Requests waiting for slots of one upstream (10,000).
    pub queue_length: usize,
    /// Finishing what runs after SIGTERM (30 s).
    pub drain: Duration,
    /// An approach expression, in bytes (256).
    pub expression_bytes: usize,
    /// `n` of a request that a strategy answers (16).
    pub strategy_n: u32,
    /// Calls of one request (256).
    pub calls_per_request: u32,
    /// Sub-calls of one request under way at once (64).
    pub parallel_calls: u32,
    /// Accepted connections at once. `None` derives it from `RLIMIT_NOFILE`.
    pub connections: Option<NonZeroU32>,
    /// Connections of one address at once, unless it is a trusted proxy. `None` is a quarter of
    /// all, and at least 16.
    pub connections_per_address: Option<NonZeroU32>,
    /// Tenants known only by an unregistered key (100,000).
    pub unknown_tenants: usize,
    /// New connections per minute of one address.
    pub connections_per_minute: NonZeroU32,
    /// Requests per minute of one address whose keys the upstream rejected.
    pub rejected_keys_per_minute: NonZeroU32,
}

impl Default for Bounds {
    fn default() -> Self {
        const KIB: usize = 1024;
        const MIB: usize = 1024 * KIB;
        Self {
            header_bytes: 64 * KIB,
            body_bytes: 64 * MIB,
            buffered_bytes: 1024 * MIB,
            tenant_buffered_bytes: 128 * MIB,
            sse_event_bytes: MIB,
            answer_bytes: 8 * MIB,
            header_read: Duration::from_secs(10),
            connection_idle: Duration::from_secs(75),
            body_idle: Duration::from_secs(60),
            body_read: Duration::from_secs(600),
            connect: Duration::from_secs(5),
            upstream_head: Duration::from_secs(600),
            stream_idle: Duration::from_secs(300),
            strategy_deadline: Duration::from_secs(300),
            queue_wait: Duration::from_secs(30),
            queue_length: 10_000,
            drain: Duration::from_secs(30),
            expression_bytes: 256,
            strategy_n: 16,
            calls_per_request: 256,
            parallel_calls: 64,
            connections: None,
            connections_per_address: None,
            unknown_tenants: 100_000,
            connections_per_minute: NonZeroU32::MIN.saturating_add(59_999),
            rejected_keys_per_minute: NonZeroU32::MIN.saturating_add(59),
        }
    }
}

#[cfg(test)]
mod tests;
