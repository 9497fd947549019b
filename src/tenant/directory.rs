//! The directory of tenants: those the operator named, and, within bounds, those that just came.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::AuthError;
use super::gateway_key::KeyStanding;
use super::members::{Members, Stranger};
use super::slots::ProviderKey;
use crate::admission::{AddressKey, Gate, Scope, TenantKey};
use crate::config::KeyDigest;
use crate::config::{Config, Limits, Secret, TenantConfig};

/// Most memory for unregistered keys, and again for addresses: a hundred thousand have room in it,
/// whatever is limited.
const MOST_BYTES: usize = 192 * 1024 * 1024;

/// Everyone whom hone can tell apart, with their live limiters.
///
/// Named tenants come from the configuration. Any other key is a tenant without registration, known
/// by the HMAC-SHA-256 tag of the key, and looked up by its digest, which is at hand; a caller
/// without a key is known by its address. Those two tables are bounded, and forget only entries
/// that equal fresh ones, so forgetting never changes a decision.
pub struct Directory {
    index: ArcSwap<Index>,
    keys: Members<KeyDigest>,
    addresses: Members<AddressKey>,
    /// Serves the addresses that find no room.
    crowd: Arc<Stranger>,
}

/// What one configuration says of tenants.
pub(super) struct Index {
    named: HashMap<String, Arc<Named>>,
    gateway: HashMap<KeyDigest, Arc<Named>>,
    provider: HashMap<KeyDigest, Arc<Named>>,
    revoked: HashSet<KeyDigest>,
    limits: Limits,
    address_limits: Limits,
    most_keys: usize,
    most_addresses: usize,
    tags: Tags,
}

/// A tenant that the operator named.
pub(super) struct Named {
    pub(super) config: Arc<TenantConfig>,
    pub(super) gate: Arc<Gate>,
    pub(super) key: TenantKey,
}

/// Makes the tags by which unregistered keys and addresses are known.
#[derive(Clone)]
struct Tags {
    mac: Hmac<Sha256>,
    /// Tells whether a reload changes the secret; `None` if it was made up.
    secret: Option<KeyDigest>,
}

impl Directory {
    /// The directory that `config` describes, with fresh limiters.
    pub fn new(config: &Config) -> Self {
        let index = Index::new(
            config,
            Tags::new(config.tenant_secret.as_ref()),
            &HashMap::new(),
        );
        let crowd = Arc::new(Stranger::new(
            "addr:crowd",
            Scope::Address,
            &config.address_limits,
        ));
        Self {
            index: ArcSwap::from_pointee(index),
            keys: Members::new(),
            addresses: Members::new(),
            crowd,
        }
    }

    /// Takes over a new configuration. Tenants are the same if their names are, and keep what they
    /// have spent; so do unregistered keys and addresses, except that a changed `tenant_secret`
    /// makes strangers of all unregistered keys. Reloads must not overlap.
    pub(crate) fn reload(&self, config: &Config) {
        let old = self.index.load_full();
        let tags = if old.tags.come_from(config.tenant_secret.as_ref()) {
            old.tags.clone()
        } else {
            Tags::new(config.tenant_secret.as_ref())
        };
        let renamed = tags.secret != old.tags.secret;
        self.index
            .store(Arc::new(Index::new(config, tags, &old.named)));
        if renamed {
            self.keys.clear();
        }
        self.keys.relimit(&config.limits);
        self.addresses.relimit(&config.address_limits);
        self.crowd.gate.relimit(&config.address_limits);
    }

    pub(super) fn index(&self) -> Arc<Index> {
        self.index.load_full()
    }

    // A request may hold an older index than the directory's; an entry that it makes outlives it,
    // and so gets the limits of today.

    /// The entry of an unregistered key; `None` if there is no room, in which case its address's
    /// entry has to serve.
    pub(super) fn key(&self, index: &Index, key: &ProviderKey) -> Option<Arc<Stranger>> {
        self.keys.find_or_admit(key.digest, index.most_keys, || {
            let tag = index.tags.of(b"key", key.key.expose());
            Stranger::new(
                &short("key", &tag),
                Scope::Tenant,
                &self.index.load().limits,
            )
        })
    }

    /// The entry of an address, or the one that all addresses without room share.
    pub(super) fn address(&self, index: &Index, address: IpAddr) -> Arc<Stranger> {
        let key = AddressKey::of(address);
        let make = || {
            let tag = index.tags.of(b"addr", key.to_string().as_bytes());
            Stranger::new(
                &short("addr", &tag),
                Scope::Address,
                &self.index.load().address_limits,
            )
        };
        self.addresses
            .find_or_admit(key, index.most_addresses, make)
            .unwrap_or_else(|| Arc::clone(&self.crowd))
    }

    /// How many unregistered keys are known now.
    #[cfg(test)]
    pub(crate) fn unknown_tenants(&self) -> usize {
        self.keys.len()
    }
}

impl Index {
    fn new(config: &Config, tags: Tags, before: &HashMap<String, Arc<Named>>) -> Self {
        let named: Vec<_> = config
            .tenants
            .iter()
            .map(|tenant| {
                Arc::new(Named::new(
                    tenant,
                    before.get(&tenant.name).map(|old| &**old),
                ))
            })
            .collect();
        let by_digest = |digests: fn(&TenantConfig) -> &[KeyDigest]| {
            named
                .iter()
                .flat_map(|tenant| {
                    digests(&tenant.config)
                        .iter()
                        .map(|digest| (*digest, Arc::clone(tenant)))
                })
                .collect()
        };
        let tokens_count = config.shares_tokens()
            || config.limits.tokens_per_minute.is_some()
            || config.address_limits.tokens_per_minute.is_some();
        let most = |limits: &Limits| {
            config
                .bounds
                .unknown_tenants
                .min(MOST_BYTES / entry_bytes(limits, tokens_count))
        };
        Self {
            gateway: by_digest(|tenant| &tenant.keys),
            provider: by_digest(|tenant| &tenant.provider_keys),
            revoked: config.revoked_keys.iter().copied().collect(),
            limits: config.limits,
            address_limits: config.address_limits,
            most_keys: most(&config.limits),
            most_addresses: most(&config.address_limits),
            named: named
                .into_iter()
                .map(|tenant| (tenant.config.name.clone(), tenant))
                .collect(),
            tags,
        }
    }

    pub(super) fn standing(&self, digest: &KeyDigest) -> KeyStanding {
        if self.gateway.contains_key(digest) {
            KeyStanding::Gateway
        } else if self.revoked.contains(digest) {
            KeyStanding::Revoked
        } else if self.provider.contains_key(digest) {
            KeyStanding::Provider
        } else {
            KeyStanding::Unknown
        }
    }

    /// Whether there are keys that must not leave, whatever they look like.
    pub(super) fn has_gateway_keys(&self) -> bool {
        !self.gateway.is_empty() || !self.revoked.is_empty()
    }

    /// The tenant of the gateway keys that a request carries.
    pub(super) fn by_gateway(
        &self,
        digests: &[KeyDigest],
    ) -> Result<Option<&Arc<Named>>, AuthError> {
        let mut tenants = digests.iter().filter_map(|digest| self.gateway.get(digest));
        let Some(first) = tenants.next() else {
            return Ok(None);
        };
        match tenants.find(|tenant| tenant.config.name != first.config.name) {
            None => Ok(Some(first)),
            Some(second) => Err(AuthError::TwoTenants {
                first: first.config.name.clone(),
                second: second.config.name.clone(),
            }),
        }
    }

    /// The tenant that the operator named for this provider key.
    pub(super) fn by_provider(&self, key: &ProviderKey) -> Option<&Arc<Named>> {
        self.provider.get(&key.digest)
    }
}

impl Named {
    fn new(config: &Arc<TenantConfig>, before: Option<&Self>) -> Self {
        let gate = before.map_or_else(
            || Arc::new(Gate::new(Scope::Tenant, &config.limits)),
            |before| Arc::clone(&before.gate),
        );
        if before.is_some() {
            gate.relimit(&config.limits);
        }
        Self {
            config: Arc::clone(config),
            gate,
            key: TenantKey::from(config.name.as_str()),
        }
    }
}

impl Tags {
    fn new(secret: Option<&Secret>) -> Self {
        let mac = match secret {
            Some(secret) => keyed(secret.expose()),
            None => keyed(&rand::random::<[u8; 32]>()),
        };
        Self {
            mac,
            secret: secret.map(digest),
        }
    }

    fn come_from(&self, secret: Option<&Secret>) -> bool {
        self.secret == secret.map(digest)
    }

    /// `kind` keeps the tags of keys and of addresses apart.
    fn of(&self, kind: &[u8], value: &[u8]) -> [u8; 32] {
        let mac = self
            .mac
            .clone()
            .chain_update(kind)
            .chain_update([0])
            .chain_update(value);
        mac.finalize().into_bytes().into()
    }
}

#[expect(
    clippy::expect_used,
    reason = "HMAC takes keys of every length (RFC 2104)"
)]
fn keyed(secret: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(secret).expect("a key of any length")
}

fn digest(secret: &Secret) -> KeyDigest {
    KeyDigest::of(secret.expose())
}

/// What a tag is called in logs. The colon sets it apart from every name that an operator can give.
fn short(kind: &str, tag: &[u8; 32]) -> String {
    let digits: String = hex::encode(tag).chars().take(16).collect();
    format!("{kind}:{digits}")
}

/// An upper estimate of what an entry takes under `limits`: the entry itself, its gate's rates with
/// their reservations, and the answers that a gate remembers if tokens count.
fn entry_bytes(limits: &Limits, tokens_count: bool) -> usize {
    let Limits {
        requests_per_minute,
        upstream_calls_per_minute,
        tokens_per_minute,
        ..
    } = limits;
    let rates = usize::from(requests_per_minute.is_some())
        + usize::from(upstream_calls_per_minute.is_some())
        + usize::from(tokens_per_minute.is_some());
    let list = if rates > 0 { RATE_LIST_BYTES } else { 0 };
    BARE_ENTRY_BYTES
        + list
        + rates * RESERVATIONS_BYTES
        + if tokens_count { ANSWERS_BYTES } else { 0 }
}

/// An entry and its gate, its name, and its places in map and queue when these have just doubled.
const BARE_ENTRY_BYTES: usize = 512;
/// A list of rates: it starts with four places.
const RATE_LIST_BYTES: usize = 4 * 144;
/// The reservations that one rate remembers: their list starts with four places too.
const RESERVATIONS_BYTES: usize = 4 * 32;
/// The answers that a gate remembers.
const ANSWERS_BYTES: usize = 352;

impl fmt::Debug for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Directory")
            .field("keys", &self.keys.len())
            .field("addresses", &self.addresses.len())
            .finish_non_exhaustive()
    }
}

/// What is configured for the gate of a caller.
pub(super) fn limits_of<'a>(
    gate: &Gate,
    tenant: Option<&'a Arc<TenantConfig>>,
    config: &'a Config,
) -> &'a Limits {
    match (gate.scope(), tenant) {
        (Scope::Address, _) => &config.address_limits,
        (_, Some(tenant)) => &tenant.limits,
        (_, None) => &config.limits,
    }
}

#[cfg(test)]
mod tests;
