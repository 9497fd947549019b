//! Where keys stand in a request, and their digests: figures and records name a key without showing
//! it.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A header that can carry a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// `Authorization: Bearer …`.
    Bearer,
    /// The `x-api-key` header.
    XApiKey,
    /// The `api-key` header.
    ApiKey,
    /// The `x-goog-api-key` header.
    XGoogApiKey,
}

impl Slot {
    const ALL: [Self; 4] = [Self::Bearer, Self::XApiKey, Self::ApiKey, Self::XGoogApiKey];

    /// The header's name, lower case.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Bearer => "authorization",
            Self::XApiKey => "x-api-key",
            Self::ApiKey => "api-key",
            Self::XGoogApiKey => "x-goog-api-key",
        }
    }

    /// The key in one value of this slot's header.
    pub(crate) fn key(self, value: &HeaderValue) -> &[u8] {
        let bytes = value.as_bytes();
        match self {
            Self::Bearer => bearer(bytes).unwrap_or(bytes),
            Self::XApiKey | Self::ApiKey | Self::XGoogApiKey => bytes,
        }
    }
}

/// The key in the value of an `Authorization` header, if that is of the bearer scheme.
pub(crate) fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked("bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| key.trim_ascii())
}

/// Every key in the headers and in the query, as a digest, and where it stands.
pub(crate) fn keys(headers: &HeaderMap, query: Option<&str>) -> Vec<(&'static str, KeyDigest)> {
    let in_slot = |slot: Slot| {
        headers
            .get_all(slot.header())
            .iter()
            .map(move |value| (slot.header(), KeyDigest::of(slot.key(value))))
    };
    let in_query = in_query(query).map(|key| (QUERY, KeyDigest::of(key.as_bytes())));
    Slot::ALL
        .into_iter()
        .flat_map(in_slot)
        .chain(in_query)
        .collect()
}

/// Where keys in a query are counted.
const QUERY: &str = "?key";

/// The keys of a query, as they are written.
pub(crate) fn in_query(query: Option<&str>) -> impl Iterator<Item = &str> {
    query
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.strip_prefix("key="))
}

/// A path and query with the digest in place of every key.
pub(crate) fn redacted_target(target: &str) -> String {
    let Some((path, query)) = target.split_once('?') else {
        return target.to_owned();
    };
    let shown = query
        .split('&')
        .map(|pair| match pair.strip_prefix("key=") {
            Some(key) => format!("key={}", KeyDigest::of(key.as_bytes())),
            None => pair.to_owned(),
        });
    format!("{path}?{}", shown.collect::<Vec<_>>().join("&"))
}

/// `headers` with the digest in place of every key, so that a record of them can be shown.
pub(crate) fn redacted(headers: &HeaderMap) -> HeaderMap {
    headers
        .iter()
        .map(|(name, value)| (name.clone(), redacted_value(name, value)))
        .fold(HeaderMap::new(), |mut all, (name, value)| {
            all.append(name, value);
            all
        })
}

fn redacted_value(name: &HeaderName, value: &HeaderValue) -> HeaderValue {
    let slot = Slot::ALL
        .into_iter()
        .find(|slot| slot.header() == name.as_str());
    let text = match slot {
        Some(slot) => {
            let digest = KeyDigest::of(slot.key(value)).to_string();
            if slot == Slot::Bearer && bearer(value.as_bytes()).is_some() {
                format!("Bearer {digest}")
            } else {
                digest
            }
        }
        None if name.as_str().starts_with("x-hone-key") => {
            KeyDigest::of(value.as_bytes()).to_string()
        }
        None => return value.clone(),
    };
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("unprintable"))
}

/// SHA-256 of a key's bytes, written `sha256:<64 hex digits>` as in hone's configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyDigest(String);

impl KeyDigest {
    /// The digest of `key`.
    pub fn of(key: &[u8]) -> Self {
        Self(format!("sha256:{}", hex::encode(Sha256::digest(key))))
    }
}

impl TryFrom<String> for KeyDigest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, &'static str> {
        let digits = text.strip_prefix("sha256:").unwrap_or_default();
        if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err("expected `sha256:` and 64 hex digits (make one with `hone key digest`)")
        }
    }
}

impl From<KeyDigest> for String {
    fn from(digest: KeyDigest) -> Self {
        digest.0
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_digest_is_written_as_in_a_configuration_and_read_strictly() {
        let digest = KeyDigest::of(b"abc");
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        let read = |text: &str| serde_json::from_value::<KeyDigest>(json!(text)).ok();
        assert_eq!(read(text), Some(digest.clone()));
        let upper = text.to_uppercase().replace("SHA", "sha");
        assert_eq!(read(&upper), Some(digest));
        let bare = text.trim_start_matches("sha256:");
        for wrong in ["", "sha256:00", bare, "sha512:00"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
