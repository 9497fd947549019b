//! Where keys are looked for, and which are accepted.

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};

use super::knobs::Knobs;
use super::refusal::Refusal;
use crate::config::KeyDigest;

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
    fn key(self, value: &HeaderValue) -> &[u8] {
        let bytes = value.as_bytes();
        match self {
            Self::Bearer => bearer(bytes).unwrap_or(bytes),
            Self::XApiKey | Self::ApiKey | Self::XGoogApiKey => bytes,
        }
    }
}

fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, key) = value.split_at_checked("bearer ".len())?;
    scheme
        .eq_ignore_ascii_case(b"bearer ")
        .then(|| key.trim_ascii())
}

/// Every key in the headers, as a digest.
pub(super) fn keys(headers: &HeaderMap) -> Vec<(Slot, KeyDigest)> {
    let in_slot = |slot: Slot| {
        headers
            .get_all(slot.header())
            .iter()
            .map(move |value| (slot, KeyDigest::of(slot.key(value))))
    };
    Slot::ALL.into_iter().flat_map(in_slot).collect()
}

/// `headers` with the digest in place of every key, so that a record of them can be shown.
pub(super) fn redacted(headers: &HeaderMap) -> HeaderMap {
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

/// Refuses a request whose key is missing or not accepted.
pub(super) fn check(knobs: &Knobs, headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(slot) = knobs
        .auth
        .or_else(|| knobs.keys.is_some().then_some(Slot::Bearer))
    else {
        return Ok(());
    };
    let mut values = headers.get_all(slot.header()).iter();
    let refused = |message: String| Refusal::new(StatusCode::UNAUTHORIZED, message);
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(refused(format!(
            "You didn't provide an API key. Provide it once, in the {} header.",
            slot.header()
        )));
    };
    if slot == Slot::Bearer && bearer(value.as_bytes()).is_none() {
        return Err(refused(
            "The Authorization header must be of the form: Bearer KEY.".to_owned(),
        ));
    }
    match &knobs.keys {
        Some(accepted) if !accepted.contains(&KeyDigest::of(slot.key(value))) => {
            Err(refused("Incorrect API key provided.".to_owned()).code("invalid_api_key"))
        }
        _ => Ok(()),
    }
}
