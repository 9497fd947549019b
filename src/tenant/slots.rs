//! Where a request carries keys: the provider slot, the gateway slot, and one slot per upstream.
//!
//! A key is its bytes, exactly as sent. Its shape never makes it anybody's: what is in a slot is
//! the caller's key, or it is absent. The one shape that counts is that of the keys that hone
//! makes: such a key, when nobody has named it, was a gateway key once, and is refused rather than
//! shown to a provider. So is a slot that holds a gateway key beside other text.

use std::fmt;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::gateway_key::{self, KeyStanding};
use super::query::QueryRefused;
use crate::api::headers;
use crate::config::KeyDigest;
use crate::config::{AuthSlot, Secret};

/// The gateway slot: the operator's own key for a tenant. Never forwarded.
pub(crate) const GATEWAY_SLOT: HeaderName = HeaderName::from_static("x-hone-key");

/// What a slot for one upstream's key starts with; the upstream's name follows.
pub(crate) const UPSTREAM_SLOT_PREFIX: &str = "x-hone-key-";

/// The headers that together are the provider slot.
pub(crate) const PROVIDER_SLOTS: [(AuthSlot, HeaderName); 4] = [
    (AuthSlot::Bearer, AUTHORIZATION),
    (AuthSlot::XApiKey, headers::X_API_KEY),
    (AuthSlot::ApiKey, headers::API_KEY),
    (AuthSlot::XGoogApiKey, headers::X_GOOG_API_KEY),
];

/// The header of `slot`, if a key goes there.
pub(super) fn header(slot: AuthSlot) -> Option<HeaderName> {
    let mut slots = PROVIDER_SLOTS.into_iter();
    slots.find_map(|(known, name)| (known == slot).then_some(name))
}

/// The keys of one request, with the gateway keys taken out of wherever they stood.
#[derive(Debug, Clone, Default)]
pub struct Slots {
    gateway: Vec<KeyDigest>,
    provider: Option<ProviderKey>,
    by_upstream: Vec<(String, Option<Secret>)>,
}

/// The key of the provider slot.
#[derive(Debug, Clone)]
pub(super) struct ProviderKey {
    pub(super) key: Secret,
    /// Where it stood, or first stood.
    pub(super) slot: AuthSlot,
    /// Made once a request: it costs more than all lookups by it.
    pub(super) digest: KeyDigest,
}

/// Where a gateway key does not belong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// A header: a slot that holds more than the key, or one that is forwarded.
    Header(HeaderName),
    /// The path or the query.
    Target,
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "`{name}`"),
            Self::Target => f.write_str("the request's path or query"),
        }
    }
}

/// Why the slots of a request name no single set of keys. Nothing here holds a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SlotError {
    /// Two provider slots hold different keys, and guessing which one is meant would spend
    /// somebody's money.
    #[error("`{first}` and `{second}` hold different keys")]
    Conflict {
        /// The slot that was read first.
        first: HeaderName,
        /// The slot that disagrees with it.
        second: HeaderName,
    },
    /// A slot holds what hone made as a gateway key, and nobody has it any more.
    #[error("`{slot}` holds a gateway key that is not known")]
    LostGatewayKey {
        /// The header in question.
        slot: HeaderName,
    },
    /// A gateway key stands where it would reach a provider.
    #[error("{place} holds a gateway key among other text")]
    Misplaced {
        /// Where.
        place: KeyPlace,
    },
    /// `Authorization` has another scheme than `Bearer`, or none.
    #[error("authorization is not a bearer token")]
    NotBearer,
    /// What stands in the query is no key, or no single one.
    #[error("{0}")]
    Query(QueryRefused),
    /// A slot has more than one line.
    #[error("`{slot}` is repeated")]
    Repeated {
        /// The header in question.
        slot: HeaderName,
    },
    /// A slot holds a key that the operator has revoked.
    #[error("`{slot}` holds a revoked key")]
    Revoked {
        /// The header in question.
        slot: HeaderName,
    },
    /// The gateway slot holds a key that the operator has not named.
    #[error("the gateway key is not known")]
    UnknownGatewayKey,
}

impl Slots {
    /// Reads every slot. `standing` says whose key has a digest; gateway keys are taken out of
    /// every slot before anything is judged, so one may stand in `Authorization` beside a provider
    /// key in `x-api-key`. Blank values and `placeholders` count as absent.
    pub fn read(
        headers: &HeaderMap,
        placeholders: &[String],
        standing: &dyn Fn(&KeyDigest) -> KeyStanding,
    ) -> Result<Self, SlotError> {
        let mut reader = Reader {
            headers,
            placeholders,
            standing,
            gateway: Vec::new(),
        };
        reader.gateway_slot()?;
        let provider = reader.provider_slots()?;
        let by_upstream = reader.upstream_slots()?;
        Ok(Self {
            gateway: reader.gateway,
            provider,
            by_upstream,
        })
    }

    /// Digests of the gateway keys that were found, without repetition.
    pub fn gateway(&self) -> &[KeyDigest] {
        &self.gateway
    }

    /// The key of the provider slot.
    pub fn provider(&self) -> Option<&Secret> {
        self.provider.as_ref().map(|provider| &provider.key)
    }

    /// The same with its digest.
    pub(super) fn provider_key(&self) -> Option<&ProviderKey> {
        self.provider.as_ref()
    }

    /// The key that was sent for one upstream only. Header names have no case, so neither has the
    /// comparison.
    pub fn for_upstream(&self, name: &str) -> Option<&Secret> {
        self.by_upstream
            .iter()
            .find(|(slot, _)| slot.eq_ignore_ascii_case(name))
            .and_then(|(_, key)| key.as_ref())
    }

    /// The slot of a provider's that holds the key for the upstream of this name; none if a key was
    /// sent for it only.
    pub(super) fn sent_for(&self, upstream: &str) -> Option<AuthSlot> {
        let is_plain = self.for_upstream(upstream).is_none();
        Some(self.provider.as_ref().filter(|_| is_plain)?.slot)
    }

    /// Whether any slot holds a key that is not a gateway key.
    pub(crate) fn has_keys(&self) -> bool {
        self.provider.is_some() || self.by_upstream.iter().any(|(_, key)| key.is_some())
    }

    /// The upstream names, in lower case, that occur in the header names of the request. A blank
    /// slot counts.
    pub fn upstream_names(&self) -> impl Iterator<Item = &str> {
        self.by_upstream.iter().map(|(name, _)| name.as_str())
    }
}

/// What one line of a slot holds.
enum SlotValue<'a> {
    Absent,
    Key(&'a [u8]),
    OtherScheme,
}

/// A key that is not a gateway key.
#[derive(Clone, Copy)]
struct Sent<'a> {
    key: &'a [u8],
    digest: KeyDigest,
}

struct Reader<'a> {
    headers: &'a HeaderMap,
    placeholders: &'a [String],
    standing: &'a dyn Fn(&KeyDigest) -> KeyStanding,
    gateway: Vec<KeyDigest>,
}

impl<'a> Reader<'a> {
    fn gateway_slot(&mut self) -> Result<(), SlotError> {
        for line in self.headers.get_all(&GATEWAY_SLOT) {
            let SlotValue::Key(key) = self.plain(line) else {
                continue;
            };
            match self.takes_out(key, &GATEWAY_SLOT) {
                Ok(None) => {}
                Ok(Some(_))
                | Err(SlotError::LostGatewayKey { .. } | SlotError::Misplaced { .. }) => {
                    return Err(SlotError::UnknownGatewayKey);
                }
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    fn provider_slots(&mut self) -> Result<Option<ProviderKey>, SlotError> {
        let mut found: Option<(AuthSlot, HeaderName, Sent<'a>)> = None;
        for (slot, name) in PROVIDER_SLOTS {
            let Some(key) = self.slot(&name, slot)? else {
                continue;
            };
            match found {
                Some((_, first, other)) if other.key != key.key => {
                    return Err(SlotError::Conflict {
                        first,
                        second: name,
                    });
                }
                Some(_) => {}
                None => found = Some((slot, name, key)),
            }
        }
        Ok(found.map(|(slot, _, Sent { key, digest })| ProviderKey {
            key: Secret::new(key),
            slot,
            digest,
        }))
    }

    fn upstream_slots(&mut self) -> Result<Vec<(String, Option<Secret>)>, SlotError> {
        let headers = self.headers;
        let mut slots = Vec::new();
        for name in headers.keys() {
            if let Some(upstream) = name.as_str().strip_prefix(UPSTREAM_SLOT_PREFIX) {
                slots.push((
                    upstream.to_owned(),
                    self.slot(name, AuthSlot::None)?
                        .map(|sent| Secret::new(sent.key)),
                ));
            }
        }
        Ok(slots)
    }

    /// The one key in `name` that is not a gateway key.
    fn slot(&mut self, name: &HeaderName, kind: AuthSlot) -> Result<Option<Sent<'a>>, SlotError> {
        let (mut lines, mut found) = (0, Ok(None));
        for line in self.headers.get_all(name) {
            let value = if kind == AuthSlot::Bearer {
                self.bearer(line)
            } else {
                self.plain(line)
            };
            found = match value {
                SlotValue::Absent => Ok(None),
                SlotValue::OtherScheme => Err(SlotError::NotBearer),
                SlotValue::Key(key) => match self.takes_out(key, name)? {
                    None => continue,
                    Some(digest) => Ok(Some(Sent { key, digest })),
                },
            };
            lines += 1;
        }
        if lines > 1 {
            return Err(SlotError::Repeated { slot: name.clone() });
        }
        found
    }

    fn plain(&self, line: &'a HeaderValue) -> SlotValue<'a> {
        self.key(line.as_bytes().trim_ascii())
    }

    fn key(&self, key: &'a [u8]) -> SlotValue<'a> {
        let absent = key.is_empty()
            || self
                .placeholders
                .iter()
                .any(|placeholder| placeholder.as_bytes() == key);
        if absent {
            SlotValue::Absent
        } else {
            SlotValue::Key(key)
        }
    }

    fn bearer(&self, line: &'a HeaderValue) -> SlotValue<'a> {
        const SCHEME: &[u8] = b"bearer";
        let value = line.as_bytes().trim_ascii();
        let Some((scheme, rest)) = value.split_at_checked(SCHEME.len()) else {
            return if value.is_empty() {
                SlotValue::Absent
            } else {
                SlotValue::OtherScheme
            };
        };
        let separated = rest.first().is_none_or(u8::is_ascii_whitespace);
        if !scheme.eq_ignore_ascii_case(SCHEME) || !separated {
            return SlotValue::OtherScheme;
        }
        self.key(rest.trim_ascii())
    }

    /// Takes `key` out of `slot` if it is a gateway key, and remembers it by its digest only. Gives
    /// the digest of any other.
    fn takes_out(&mut self, key: &[u8], slot: &HeaderName) -> Result<Option<KeyDigest>, SlotError> {
        let digest = KeyDigest::of(key);
        match (self.standing)(&digest) {
            KeyStanding::Gateway => {
                if !self.gateway.contains(&digest) {
                    self.gateway.push(digest);
                }
                Ok(None)
            }
            KeyStanding::Revoked => Err(SlotError::Revoked { slot: slot.clone() }),
            KeyStanding::Unknown if gateway_key::has_prefix(key) => {
                Err(SlotError::LostGatewayKey { slot: slot.clone() })
            }
            KeyStanding::Unknown if gateway_key::among(key, self.standing) => {
                Err(SlotError::Misplaced {
                    place: KeyPlace::Header(slot.clone()),
                })
            }
            KeyStanding::Provider | KeyStanding::Unknown => Ok(Some(digest)),
        }
    }
}

#[cfg(test)]
mod tests;
