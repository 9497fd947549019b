//! An identified caller: who is limited, and which keys may pay.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use hone_dialects::Dialect;
use http::request::Parts;
use http::{Method, StatusCode};

use super::address::{self, NotLocal, Peer};
use super::credential::{Credential, KeyHeader, fallback_serves};
use super::directory::{Directory, Index, Named, limits_of};
use super::error::{AuthError, FallbackRefusal, Sent};
use super::leak;
use super::members::Stranger;
use super::slots::{ProviderKey, Slots, UPSTREAM_SLOT_PREFIX};
use crate::admission::{Asker, Gate, TenantKey};
use crate::api::{dialect, headers};
use crate::config::{
    Access, AuthSlot, Config, Fallback, FallbackFor, KeyDigest, Permissions, Secret, ShownUsage,
    TenantConfig, UpstreamConfig,
};

/// An identified caller. Only [`identify`] makes one. Clones are cheap and share everything.
#[derive(Clone)]
pub struct Principal(Arc<Inner>);

struct Inner {
    who: Who,
    gates: Vec<Arc<Gate>>,
    slots: Slots,
    address: IpAddr,
    local: Result<(), NotLocal>,
    /// Whether upstreams without keys may be asked.
    at_home: Result<(), NotLocal>,
    counts_tokens: bool,
    /// In which dialect the caller asks.
    dialect: Dialect,
    /// Whose turn the caller takes in fair queues, if not its own.
    turn: Option<TenantKey>,
}

enum Who {
    /// No key, or no room to tell unregistered keys apart.
    Address(Arc<Stranger>),
    /// An unregistered provider key.
    Key(Arc<Stranger>),
    Named(Arc<Named>, Proof),
}

/// What shows that a caller is a named tenant.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    GatewayKey,
    ProviderKey,
}

/// Finds out who sends a request, from its head and its connection alone. Provider keys are not
/// checked here: only their upstream can. `address` is the client's, as
/// [`client_address`](super::client_address) resolves it, once a request.
pub fn identify(
    directory: &Directory,
    config: &Config,
    head: &Parts,
    peer: &Peer,
    address: IpAddr,
) -> Result<Principal, AuthError> {
    let index = directory.index();
    let slots = Slots::read(&head.headers, &config.placeholders, &|digest| {
        index.standing(digest)
    })?;
    leak::refuse(
        head,
        &|digest| index.standing(digest),
        index.has_gateway_keys(),
        &|name| {
            let upstreams = config.upstreams.iter();
            let mut extra = upstreams.map(|upstream| upstream.forward_headers.as_slice());
            extra.any(|extra| headers::may_go_upstream(name, extra))
        },
    )?;
    refuse_unknown_upstreams(&slots, config)?;
    let (who, gates, turn) = match named(&index, &slots)? {
        Some((tenant, proof)) => (
            Who::Named(Arc::clone(tenant), proof),
            vec![Arc::clone(&tenant.gate)],
            None,
        ),
        None if config.access == Access::Known => {
            return Err(if slots.provider().is_some() {
                AuthError::UnknownKey
            } else {
                AuthError::NoKey
            });
        }
        None => stranger(directory, &index, slots.provider_key(), address),
    };
    let tenant = who.tenant();
    let counts_tokens = config.shares_tokens()
        || gates
            .iter()
            .any(|gate| limits_of(gate, tenant, config).tokens_per_minute.is_some());
    Ok(Principal(Arc::new(Inner {
        who,
        gates,
        slots,
        address,
        // What no upstream asks is not looked at; who would read it all the same is refused.
        local: if config.asks_who_is_local() {
            address::local(head, peer)
        } else {
            Err(NotLocal::Listener)
        },
        at_home: if config.has_keyless_upstreams() {
            address::at_home(head, peer, (&config.hosts, &config.cors_origins))
        } else {
            Err(NotLocal::Listener)
        },
        counts_tokens,
        dialect: dialect::of(head),
        turn,
    })))
}

/// Whether a browser at this very machine sends the request for a page that is not welcome, as far
/// as can be told. What it asks in vain must not count for whoever sits at that machine.
pub(crate) fn is_foreign_page_here(head: &Parts, peer: &Peer, config: &Config) -> bool {
    address::is_foreign_page_here(head, peer, (&config.hosts, &config.cors_origins))
}

/// Refuses a slot for an upstream that is not configured.
fn refuse_unknown_upstreams(slots: &Slots, config: &Config) -> Result<(), AuthError> {
    for name in slots.upstream_names() {
        let mut upstreams = config.upstreams.iter();
        if !upstreams.any(|upstream| upstream.name.eq_ignore_ascii_case(name)) {
            return Err(AuthError::UnknownUpstream {
                header: format!("{UPSTREAM_SLOT_PREFIX}{name}"),
            });
        }
    }
    Ok(())
}

/// The tenant of the gateway key if there is one, else the one that the operator named for the
/// provider key.
fn named<'a>(
    index: &'a Index,
    slots: &Slots,
) -> Result<Option<(&'a Arc<Named>, Proof)>, AuthError> {
    if let Some(tenant) = index.by_gateway(slots.gateway())? {
        return Ok(Some((tenant, Proof::GatewayKey)));
    }
    Ok(slots
        .provider_key()
        .and_then(|key| index.by_provider(key))
        .map(|tenant| (tenant, Proof::ProviderKey)))
}

/// A caller that the operator did not name, and what it is charged to: until its key is vouched
/// for, its address pays too.
fn stranger(
    directory: &Directory,
    index: &Index,
    key: Option<&ProviderKey>,
    address: IpAddr,
) -> (Who, Vec<Arc<Gate>>, Option<TenantKey>) {
    let Some(key) = key.and_then(|key| directory.key(index, key)) else {
        let entry = directory.address(index, address);
        let gates = vec![Arc::clone(&entry.gate)];
        return (Who::Address(entry), gates, None);
    };
    let mut gates = vec![Arc::clone(&key.gate)];
    let mut turn = None;
    if !key.is_vouched() {
        let entry = directory.address(index, address);
        gates.push(Arc::clone(&entry.gate));
        turn = Some(entry.key.clone());
    }
    (Who::Key(key), gates, turn)
}

impl Who {
    fn tenant(&self) -> Option<&Arc<TenantConfig>> {
        match self {
            Self::Address(_) | Self::Key(_) => None,
            Self::Named(tenant, _) => Some(&tenant.config),
        }
    }
}

impl Principal {
    /// What the caller is charged to: its own gate first, then its address's if nobody has vouched
    /// for its key. Never empty.
    pub fn gates(&self) -> &[Arc<Gate>] {
        &self.0.gates
    }

    /// The caller's name in fair queues. A key that nobody vouches for waits in its address's turn:
    /// made-up keys must not be worth one each.
    pub(crate) fn tenant_key(&self) -> &TenantKey {
        self.0.turn.as_ref().unwrap_or_else(|| self.own_key())
    }

    /// The digest of the key that shows the caller to be a named tenant.
    pub(crate) fn key_digest(&self) -> Option<&KeyDigest> {
        let Inner { who, slots, .. } = &*self.0;
        match who {
            Who::Named(_, Proof::GatewayKey) => slots.gateway().first(),
            Who::Named(_, Proof::ProviderKey) => slots.provider_key().map(|key| &key.digest),
            Who::Address(_) | Who::Key(_) => None,
        }
    }

    /// The configured name, or a short tag of the key or address. Safe to log.
    pub(crate) fn tag(&self) -> &str {
        &self.own_key().0
    }

    /// The same, for a caller that keeps it.
    pub(crate) fn shared_tag(&self) -> Arc<str> {
        Arc::clone(&self.own_key().0)
    }

    fn own_key(&self) -> &TenantKey {
        match &self.0.who {
            Who::Address(entry) | Who::Key(entry) => &entry.key,
            Who::Named(tenant, _) => &tenant.key,
        }
    }

    /// What the operator configured for this tenant, if it was named.
    pub(crate) fn config(&self) -> Option<&Arc<TenantConfig>> {
        self.0.who.tenant()
    }

    /// Where the request came from, behind trusted proxies.
    pub(crate) fn address(&self) -> IpAddr {
        self.0.address
    }

    /// In which dialect the caller asks.
    pub(crate) fn dialect(&self) -> Dialect {
        self.0.dialect
    }

    /// The weight in fair queues.
    pub(crate) fn weight(&self) -> u32 {
        self.config().map_or(1, |tenant| tenant.weight.get())
    }

    /// On whose behalf the caller asks for what tenants share.
    pub(crate) fn asker(&self) -> Asker {
        Asker {
            tenant: self.tenant_key().clone(),
            weight: self.weight(),
        }
    }

    /// What the caller may ask for.
    pub(crate) fn permissions(&self) -> &Permissions {
        static ALL: Permissions = Permissions::ALL;
        self.config().map_or(&ALL, |tenant| &tenant.permissions)
    }

    /// Which use of tokens approaches' answers tell the caller.
    pub(crate) fn shown_usage(&self, config: &Config) -> ShownUsage {
        let own = self.config().and_then(|tenant| tenant.usage);
        own.unwrap_or(config.usage)
    }

    /// Whether some limit on tokens applies, so that token use must be known.
    pub(crate) fn counts_tokens(&self) -> bool {
        self.0.counts_tokens
    }

    /// How many tokens an answer to this caller is likely to have at most.
    pub(crate) fn expected_output(&self) -> u64 {
        self.0
            .gates
            .first()
            .map_or(0, |gate| gate.expected_output())
    }

    /// Learns how many tokens an answer to this caller had. Only matters, and only takes memory,
    /// where tokens are limited.
    pub(crate) fn observe_output(&self, tokens: u64) {
        if let Some(gate) = self.0.gates.first().filter(|_| self.counts_tokens()) {
            gate.observe_output(tokens);
        }
    }

    /// How the caller was identified, in words for `whoami`.
    pub(super) fn identified_by(&self) -> &'static str {
        match &self.0.who {
            Who::Address(_) => "address",
            Who::Key(_) => "unregistered_provider_key",
            Who::Named(_, Proof::GatewayKey) => "gateway_key",
            Who::Named(_, Proof::ProviderKey) => "provider_key",
        }
    }
}

/// Keys.
impl Principal {
    /// The key that pays for a request to `upstream`. `path` is below `/v1`.
    ///
    /// An upstream that wants no key gets none, unless a web page asks that may not. A key that the
    /// caller sent for this upstream is used whatever it looks like, and nothing takes its place.
    /// Only without one may the operator's key pay, for those it is meant for and for what it
    /// serves.
    pub fn credential(
        &self,
        upstream: &UpstreamConfig,
        method: &Method,
        path: &str,
    ) -> Result<Credential, AuthError> {
        self.payment(upstream, method, path, self.client_key(upstream))
    }

    /// Refuses a web page that is not welcome and for which nothing pays at any upstream. A browser
    /// lets every page ask, and what it asks counts for its visitor's address: so this comes before
    /// anything is taken from limits.
    pub(crate) fn refuse_foreign_page(
        &self,
        head: &Parts,
        peer: &Peer,
        config: &Config,
    ) -> Result<(), AuthError> {
        if config
            .upstreams
            .iter()
            .any(|upstream| self.may_pay(upstream))
        {
            return Ok(());
        }
        let welcome = (&*config.hosts, &*config.cors_origins);
        let Err(unmet) = address::at_home(head, peer, welcome) else {
            return Ok(());
        };
        match config.upstreams.first() {
            Some(first) if !config.has_keyless_upstreams() => self.fallback(first).map(|_| ()),
            _ => Err(AuthError::Foreign { unmet }),
        }
    }

    /// Whether some request of this caller could be paid for at `upstream`, or needs no payment.
    fn may_pay(&self, upstream: &UpstreamConfig) -> bool {
        if upstream.is_keyless() {
            return self.0.at_home.is_ok();
        }
        self.client_key(upstream).is_some() || self.permitted(upstream.fallback.as_ref()).is_ok()
    }

    /// Like [`Principal::credential`], for an upstream beside another that the provider slot's key
    /// already goes to. That key is for one upstream per request; this one gets a key that was sent
    /// for it by name, or the operator's.
    pub(crate) fn credential_beside(
        &self,
        upstream: &UpstreamConfig,
        method: &Method,
        path: &str,
    ) -> Result<Credential, AuthError> {
        let own = self.0.slots.for_upstream(&upstream.name);
        self.payment(upstream, method, path, own)
    }

    /// Whether [`Principal::credential`] gives `upstream` the provider slot's key.
    pub(crate) fn pays_by_provider_slot(&self, upstream: &UpstreamConfig) -> bool {
        !upstream.is_keyless() && self.sent_for(upstream).is_some()
    }

    /// Which provider slot holds the key that `upstream` may get.
    pub(super) fn sent_for(&self, upstream: &UpstreamConfig) -> Option<AuthSlot> {
        let sent = self.0.slots.sent_for(&upstream.name);
        sent.filter(|_| upstream.accepts_client_keys)
    }

    fn payment(
        &self,
        upstream: &UpstreamConfig,
        method: &Method,
        path: &str,
        own: Option<&Secret>,
    ) -> Result<Credential, AuthError> {
        if upstream.is_keyless() {
            return match self.0.at_home {
                Ok(()) => Ok(Credential::Keyless),
                Err(unmet) => Err(AuthError::Foreign { unmet }),
            };
        }
        let in_its_slot = |key: &Secret, sent| {
            let header = KeyHeader::new(upstream.slot(sent), key);
            header.ok_or_else(|| AuthError::UnusableKey {
                upstream: upstream.name.clone(),
            })
        };
        if let Some(key) = own {
            let sent = self.0.slots.sent_for(&upstream.name);
            let sent = sent.filter(|_| self.0.dialect == upstream.dialect);
            return in_its_slot(key, sent).map(Credential::Client);
        }
        let fallback = self.fallback(upstream)?;
        if !fallback_serves(method, path, &fallback.paths) {
            let (upstream, method, path) = (upstream.name.clone(), method.clone(), path.to_owned());
            return Err(AuthError::FallbackPathNotAllowed {
                upstream,
                method,
                path,
            });
        }
        in_its_slot(&fallback.key, None).map(Credential::Fallback)
    }

    /// Takes note that `upstream` answered a request that [`Principal::credential`] resolved with
    /// `status`.
    ///
    /// A success shows that the caller's key is one that its provider knows, so that its address
    /// need not answer for it any longer. Other answers show nothing: providers refuse unknown
    /// paths, malformed bodies and overload before they look at the key. Keyless upstreams and
    /// other keys than the one that identifies the caller vouch for nobody.
    pub(crate) fn vouch(&self, upstream: &UpstreamConfig, status: StatusCode) {
        if let Who::Key(entry) = &self.0.who
            && status.is_success()
            && !upstream.is_keyless()
            && self.0.slots.for_upstream(&upstream.name).is_none()
            && upstream.accepts_client_keys
        {
            entry.vouch();
        }
    }

    /// Whether the caller brings a key and neither the operator nor an upstream has vouched for it,
    /// so that its address answers for rejections.
    pub(crate) fn is_unvouched(&self) -> bool {
        match &self.0.who {
            Who::Address(_) => self.0.slots.has_keys(),
            Who::Key(entry) => !entry.is_vouched(),
            Who::Named(..) => false,
        }
    }

    /// The caller's own key for `upstream`: the one sent for it by name, else the provider slot's
    /// if this upstream is who it is for.
    fn client_key(&self, upstream: &UpstreamConfig) -> Option<&Secret> {
        let plain = self
            .0
            .slots
            .provider()
            .filter(|_| upstream.accepts_client_keys);
        self.0.slots.for_upstream(&upstream.name).or(plain)
    }

    fn fallback<'a>(&self, upstream: &'a UpstreamConfig) -> Result<&'a Fallback, AuthError> {
        self.permitted(upstream.fallback.as_ref())
            .map_err(|fallback| AuthError::NoCredential {
                upstream: upstream.name.clone(),
                header: format!("{UPSTREAM_SLOT_PREFIX}{}", upstream.name),
                sent: if self.0.slots.provider().is_some() {
                    Sent::KeyForAnother
                } else {
                    Sent::Nothing
                },
                fallback,
            })
    }

    fn permitted<'a>(
        &self,
        fallback: Option<&'a Fallback>,
    ) -> Result<&'a Fallback, FallbackRefusal> {
        let fallback = fallback.ok_or(FallbackRefusal::NotConfigured)?;
        let known = matches!(self.0.who, Who::Named(_, Proof::GatewayKey));
        match fallback.allowed {
            FallbackFor::Anyone => Ok(fallback),
            FallbackFor::Known | FallbackFor::Loopback if known => Ok(fallback),
            FallbackFor::Known => Err(FallbackRefusal::NeedsGatewayKey),
            FallbackFor::Loopback => self
                .0
                .local
                .map(|()| fallback)
                .map_err(FallbackRefusal::NotLocal),
        }
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Principal")
            .field("tag", &self.tag())
            .field("identified_by", &self.identified_by())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
