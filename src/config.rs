//! The resolved configuration: what the operator's file means.
//!
//! If a [`Config`] exists it is right: every cross-reference is resolved, every number is in range,
//! every secret has been read. The text of the file, and all that can be wrong with it, lives in
//! `config::file` and `config::resolve`. Nothing here reads the environment.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;
use std::sync::Arc;

use hone_dialects::{Dialect, Settings};
use hone_strategies::{Expr, Params};
use http::Uri;
use ipnet::IpNet;

use crate::api::headers::Between;

mod bounds;
mod check;
mod choices;
mod container;
mod digest;
mod effective;
mod error;
mod file;
mod flags;
pub mod glob;
mod permissions;
mod quality;
pub(crate) mod reach;
mod resolve;
pub(crate) mod secret;
mod solver;

pub(crate) use bounds::{Bounds, UNREAD_BYTES};
pub(crate) use choices::Choice;
pub(crate) use container::memory_limit;
pub use digest::KeyDigest;
pub use digest::NotADigest;
pub use error::ConfigErrors;
pub(crate) use flags::ServeFlags;
pub(crate) use permissions::Permissions;
pub(crate) use quality::Measurements;
pub(crate) use secret::{Secret, environment};
pub(crate) use solver::SolverPlace;

/// The part of what tenants share that one may have while others want some, if the operator does
/// not say.
pub(crate) const TENANT_SHARE: f64 = 0.5;

/// Everything that a running hone is told by its operator.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where tenants connect. Port 0 asks the system for a free one.
    pub listen: SocketAddr,
    /// Serve TLS (with ALPN) instead of plain text.
    pub(crate) tls: Option<TlsFiles>,
    /// Whether unknown provider keys are admitted.
    pub(crate) access: Access,
    /// The approach of requests that choose none.
    pub(crate) approach: Expr,
    /// Strategy parameters for requests and tenants that set none.
    pub(crate) params: Params,
    /// Which z3 solves what the approach of that name states.
    pub(crate) solver: SolverPlace,
    /// What was measured of models.
    pub(crate) quality: Option<Measurements>,
    /// Whether `<optillm_approach>` tags in messages choose an approach.
    pub(crate) tags: Switch,
    /// Which use of tokens approaches' answers tell.
    pub(crate) usage: ShownUsage,
    /// Peers whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Provider-slot values that mean "no key", because SDKs insist on one.
    pub(crate) placeholders: Vec<String>,
    /// Hosts beside loopback ones that requests to keyless upstreams may name, where `listen` is
    /// loopback; `*` is all.
    pub(crate) hosts: Vec<String>,
    /// Origins of web pages that may ask from a browser, lower case; `*` is all.
    pub(crate) cors_origins: Vec<String>,
    /// Digests of keys that are refused wherever they stand, and so never forwarded.
    pub(crate) revoked_keys: Vec<KeyDigest>,
    /// Keys the digests that name unknown tenants. Random per process if absent.
    pub(crate) tenant_secret: Option<Secret>,
    /// Sizes and times that hold for every request.
    pub bounds: Bounds,
    /// Limits of each tenant without limits of its own.
    pub(crate) limits: Limits,
    /// Limits of each client address, for callers that are not vouched for.
    pub(crate) address_limits: Limits,
    /// Limits over all requests that any fallback key pays for.
    pub(crate) fallback_limits: Limits,
    /// At least one; the first that matches a model serves it.
    pub upstreams: Vec<Arc<UpstreamConfig>>,
    /// Tenants that the operator named.
    pub tenants: Vec<Arc<TenantConfig>>,
    /// Model names that stand for an upstream model and an approach.
    pub(crate) models: Vec<Arc<VirtualModel>>,
    /// What tokens cost, for `hone eval`. The first whose model matches counts.
    pub(crate) prices: Vec<Price>,
    /// The admin listener, if any.
    pub admin: Option<SocketAddr>,
    /// Whether `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` are honoured for upstream connections.
    pub(crate) proxy_from_env: Switch,
    /// What is logged, and how.
    pub(crate) log: Log,
    /// What the operator should know, though it is not wrong. Shown by `hone check` and at start.
    pub warnings: Vec<String>,
    /// The files that were read beside the configuration's own: keys, certificates.
    pub(crate) files: BTreeSet<PathBuf>,
}

impl Config {
    /// Whether some limit on tokens holds for all tenants together.
    pub(crate) fn shares_tokens(&self) -> bool {
        let mut limits = self.upstreams.iter().map(|upstream| &upstream.limits);
        self.fallback_limits.tokens_per_minute.is_some()
            || limits.any(|limits| limits.tokens_per_minute.is_some())
    }

    /// Whether an upstream's fallback key is for callers on this machine.
    pub(crate) fn asks_who_is_local(&self) -> bool {
        let mut fallbacks = self
            .upstreams
            .iter()
            .filter_map(|upstream| upstream.fallback.as_ref());
        fallbacks.any(|fallback| fallback.allowed == FallbackFor::Loopback)
    }

    /// Whether an upstream serves requests that carry no key.
    pub(crate) fn has_keyless_upstreams(&self) -> bool {
        self.upstreams.iter().any(|upstream| upstream.is_keyless())
    }
}

/// What a reload cannot change.
pub(crate) const TAKES_A_RESTART: [&str; 4] =
    ["listen", "admin", "log", "tls (to begin or end it)"];

/// A setting that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Switch {
    /// Not active.
    #[default]
    Off,
    /// Active.
    On,
}

/// What is logged, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Log {
    /// The form of a line.
    pub(crate) format: LogFormat,
    /// Levels, by target if wanted: `info` (the default), `info,hone::answer::relay=debug`. Known
    /// to be well formed.
    pub(crate) filter: String,
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
pub(crate) enum LogFormat {
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
pub(crate) enum Access {
    /// Only callers whose key the operator has named.
    Known,
    /// Anyone who brings a key.
    #[default]
    Open,
}

/// A certificate chain and its private key, both PEM.
#[derive(Debug, Clone)]
pub(crate) struct TlsFiles {
    /// Leaf first.
    pub(crate) certificate: PathBuf,
    /// PKCS#8, PKCS#1 or SEC1.
    pub(crate) key: PathBuf,
}

/// One provider.
#[derive(Debug, Clone)]
pub struct UpstreamConfig {
    /// Unique; letters, digits, `-`, `_` and `.`. Appears in headers and metric labels.
    pub name: String,
    /// Scheme, authority and path, without userinfo, query or fragment. The client's `/v1` is
    /// replaced by this path.
    pub(crate) base_url: Uri,
    /// The form of requests and answers that it speaks: chat, if the operator does not say.
    pub(crate) dialect: Dialect,
    /// Whether the operator does not say it. Then what hone can forward as it came is tried so
    /// first: OpenAI's own server, llama.cpp and others speak several.
    pub(crate) is_dialect_open: bool,
    /// How requests are written for it that came in another dialect, or that a strategy makes.
    pub(crate) settings: Settings,
    /// Globs over model names; `*` matches any run of characters.
    pub(crate) models: Vec<String>,
    /// The slot that this provider reads its key from, where the operator says it.
    pub(crate) auth: Option<AuthSlot>,
    /// Whether a client's plain provider-slot key may be sent here.
    pub(crate) accepts_client_keys: bool,
    /// The operator's key for callers that bring none.
    pub(crate) fallback: Option<Fallback>,
    /// Sub-calls and relays under way at once, over all tenants.
    pub(crate) concurrency: Option<NonZeroU32>,
    /// The share of `concurrency` that one tenant may hold while others wait, and of `limits` while
    /// others ask, in (0, 1].
    pub(crate) tenant_share: f64,
    /// Limits over all tenants together.
    pub(crate) limits: Limits,
    /// Request headers forwarded beside the built-in allow-list, lower case. An entry ending in `-`
    /// is a prefix.
    pub(crate) forward_headers: Vec<String>,
    /// How the token use of streams is learned when the client did not ask for it.
    pub(crate) stream_usage: StreamUsage,
    /// Whether a strategy's calls are asked for as streams, which the upstream stops when they are
    /// left. `None`: where it is learned that it stops nothing else.
    pub(crate) stream_calls: Option<bool>,
    /// PEM file with certificate authorities trusted beside the platform's.
    pub(crate) ca_file: Option<PathBuf>,
    /// Extra attempts for relayed requests that failed with a connection error or 5xx before any
    /// byte of the answer was passed on, each after a growing wait or the short one that the
    /// upstream asks for, and each a call that the tenant pays for. 0 (the default) retries only
    /// what never reached the upstream.
    pub(crate) retries: u32,
    /// Speak HTTP/2 without TLS to an `http://` upstream (prior knowledge).
    pub(crate) http2_prior_knowledge: bool,
    /// HTTP/2 connections at once, over all workers (64). Another is opened when those there are
    /// carry as many calls as they can.
    pub(crate) http2_connections: NonZeroU32,
}

impl UpstreamConfig {
    /// Whether a request in `dialect` can be forwarded here as it is, as far as is known.
    pub(crate) fn may_speak(&self, dialect: Dialect) -> bool {
        // Google's paths do not go behind a base URL that ends in a version.
        self.dialect == dialect || self.is_dialect_open && dialect != Dialect::Gemini
    }

    /// The two dialects where a call is made for a client in the words of this upstream.
    pub(crate) fn crossing(&self, client: Dialect) -> Between {
        let is_openais =
            |dialect| matches!(dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses);
        Between {
            is_spoken: self.dialect == client || is_openais(self.dialect) && is_openais(client),
            ..self.between(client)
        }
    }

    /// The dialects between which headers pass from a client of `client`.
    pub(crate) fn between(&self, client: Dialect) -> Between {
        Between {
            client,
            upstream: self.dialect,
            is_spoken: self.may_speak(client),
        }
    }

    /// Whether it wants no key.
    pub(crate) fn is_keyless(&self) -> bool {
        self.auth == Some(AuthSlot::None)
    }

    /// Where it reads a key that a client of the same dialect has sent in the slot `sent`, or any
    /// other key. Tokens of users are taken from `authorization` only, keys from the dialect's own
    /// slot in every version of an API.
    pub(crate) fn slot(&self, sent: Option<AuthSlot>) -> AuthSlot {
        self.auth.unwrap_or(match (self.dialect, sent) {
            (Dialect::OpenAiChat | Dialect::OpenAiResponses, _) | (_, Some(AuthSlot::Bearer)) => {
                AuthSlot::Bearer
            }
            (Dialect::Anthropic, _) => AuthSlot::XApiKey,
            (Dialect::Gemini, _) => AuthSlot::XGoogApiKey,
        })
    }
}

/// Where a provider reads its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthSlot {
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
pub(crate) struct Fallback {
    /// The key.
    pub(crate) key: Secret,
    /// Who may spend it.
    pub(crate) allowed: FallbackFor,
    /// Path prefixes below `/v1` that it serves beside the built-in list, e.g. `rerank`.
    pub(crate) paths: Vec<String>,
    /// Fields of JSON bodies that it serves beside the built-in lists.
    pub(crate) fields: Vec<String>,
}

/// Who may spend a fallback key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum FallbackFor {
    /// Anyone who can connect.
    Anyone,
    /// Callers that present a gateway key.
    #[default]
    Known,
    /// Callers with a gateway key, and local callers.
    Loopback,
}

/// Which use of tokens an approach's answer tells. Limits count all of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ShownUsage {
    /// Of all calls.
    #[default]
    Sum,
    /// Of the call that made the answer: agents take a sum for a full window.
    Last,
}

/// How hone learns the token use of a chat stream whose client did not ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum StreamUsage {
    /// Ask the upstream, and take the extra event out again.
    #[default]
    Ask,
    /// Count what streams by: an upstream that refuses to be asked.
    Count,
}

/// Rates and concurrency of one tenant, address, upstream or fallback key. An absent field is not
/// limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Limits {
    /// Client requests in any minute; also the burst.
    pub(crate) requests_per_minute: Option<NonZeroU32>,
    /// Calls to upstreams in any minute, judges and discarded candidates included.
    pub(crate) upstream_calls_per_minute: Option<NonZeroU32>,
    /// Tokens of all calls in any minute, input and output.
    pub(crate) tokens_per_minute: Option<NonZeroU64>,
    /// Client requests under way at once.
    pub(crate) concurrent_requests: Option<NonZeroU32>,
    /// Upstream calls under way at once.
    pub(crate) concurrent_upstream_calls: Option<NonZeroU32>,
}

/// A tenant that the operator named.
#[derive(Debug, Clone)]
pub struct TenantConfig {
    /// Unique; letters, digits, `-`, `_` and `.`.
    pub(crate) name: String,
    /// Digests of gateway keys: the caller's to send to hone, never forwarded.
    pub(crate) keys: Vec<KeyDigest>,
    /// Digests of provider keys: they identify the caller and still go upstream.
    pub(crate) provider_keys: Vec<KeyDigest>,
    /// What the tenant may ask for.
    pub(crate) permissions: Permissions,
    /// The approach of this tenant's requests that choose none.
    pub(crate) approach: Option<Expr>,
    /// This tenant's strategy parameters.
    pub(crate) params: Params,
    /// Already merged with the server's `[limits]`.
    pub(crate) limits: Limits,
    /// Weight in the fair queue, relative to 1.
    pub(crate) weight: NonZeroU32,
    /// Which use of tokens approaches' answers tell, if not the server's.
    pub(crate) usage: Option<ShownUsage>,
}

/// A model name that stands for an upstream model and an approach.
#[derive(Debug, Clone)]
pub(crate) struct VirtualModel {
    /// The name that clients use.
    pub(crate) name: String,
    /// The name that the upstream knows.
    pub(crate) model: String,
    /// What runs.
    pub(crate) approach: Expr,
    /// With which parameters.
    pub(crate) params: Params,
}

/// What a million tokens of some models cost, in any currency.
#[derive(Debug, Clone, PartialEq)]
pub struct Price {
    /// A glob over model names.
    pub(crate) model: String,
    /// Those that are read.
    pub input: f64,
    /// Those that are read and that the provider had read before; as much as `input` if not told.
    pub cached: Option<f64>,
    /// Those that are generated.
    pub output: f64,
}

#[cfg(test)]
mod tests;
