//! The key that pays for a request, ready to be sent to one upstream.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use zeroize::Zeroizing;

use crate::api::endpoint::{self, Endpoint};
use crate::config::{AuthSlot, Secret};
use crate::tenant::slots::{self, PROVIDER_SLOTS};

/// Whose key pays, if any.
#[derive(Debug, Clone)]
pub enum Credential {
    /// The caller's own key, byte for byte.
    Client(KeyHeader),
    /// The operator's key.
    Fallback(KeyHeader),
    /// The upstream wants none.
    Keyless,
}

/// A key in the header that its upstream reads. `Debug` does not show the key; clones share its
/// bytes.
#[derive(Debug, Clone)]
pub struct KeyHeader {
    name: HeaderName,
    value: HeaderValue,
}

/// Where a credential came from: the value of `x-hone-credential`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum CredentialSource {
    /// The caller sent it.
    Client,
    /// The operator configured it.
    Fallback,
    /// There is none.
    None,
}

impl CredentialSource {
    /// `client`, `fallback` or `none`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Fallback => "fallback",
            Self::None => "none",
        }
    }
}

impl KeyHeader {
    /// Puts `key` into `slot`. `None` if the slot is [`AuthSlot::None`] or the key has bytes that
    /// no header can carry.
    pub(crate) fn new(slot: AuthSlot, key: &Secret) -> Option<Self> {
        let name = slots::header(slot)?;
        let scheme: &[u8] = if slot == AuthSlot::Bearer {
            b"Bearer "
        } else {
            b""
        };
        let text = Zeroizing::new([scheme, key.expose()].concat());
        let mut value = HeaderValue::from_bytes(&text).ok()?;
        value.set_sensitive(true);
        Some(Self { name, value })
    }
}

impl Credential {
    /// Where it came from.
    pub(crate) fn source(&self) -> CredentialSource {
        match self {
            Self::Client(_) => CredentialSource::Client,
            Self::Fallback(_) => CredentialSource::Fallback,
            Self::Keyless => CredentialSource::None,
        }
    }

    /// Whether the operator's key pays, whose account is not the caller's business.
    pub(crate) fn is_operators(&self) -> bool {
        matches!(self, Self::Fallback(_))
    }

    /// `text` without the key itself: some providers tell it in their errors.
    pub(crate) fn hide_in(&self, text: Bytes) -> Bytes {
        let (Self::Client(key) | Self::Fallback(key)) = self else {
            return text;
        };
        let value = key.value.as_bytes();
        let key = value.strip_prefix(b"Bearer ").unwrap_or(value);
        if key.is_empty() || memchr::memmem::find(&text, key).is_none() {
            return text;
        }
        let (mut out, mut rest) = (Vec::with_capacity(text.len()), &*text);
        while let Some(at) = memchr::memmem::find(rest, key) {
            out.extend_from_slice(rest.get(..at).unwrap_or_default());
            out.extend_from_slice("[…]".as_bytes());
            rest = rest.get(at + key.len()..).unwrap_or_default();
        }
        out.extend_from_slice(rest);
        out.into()
    }

    /// Makes this the only credential in `headers`, the head of a request to the upstream that it
    /// was resolved for. The value is marked sensitive, so that neither `Debug` nor header
    /// compression keeps it.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for (_, name) in &PROVIDER_SLOTS {
            headers.remove(name);
        }
        if let Self::Client(key) | Self::Fallback(key) = self {
            headers.insert(key.name.clone(), key.value.clone());
        }
    }
}

/// Whether a fallback key serves a request: what spends without seeing other tenants' files,
/// batches or stored responses, and with POST and GET the `extra` path prefixes.
///
/// `path` is below `/v1`, or `v1beta/…`. A path that could mean another one is served by no rule.
pub(super) fn fallback_serves(method: &Method, path: &str, extra: &[String]) -> bool {
    let endpoint = match path.strip_prefix(endpoint::BETA) {
        Some(rest) => Endpoint::of_beta(method, rest),
        None => Endpoint::of(method, path),
    };
    let Ok(endpoint) = endpoint else {
        return false;
    };
    if endpoint.fallback() != endpoint::Fallback::Refused {
        return true;
    }
    let is_named = |prefix: &str| !prefix.is_empty() && is_below(path, prefix);
    [Method::POST, Method::GET].contains(method)
        && path.split('/').all(is_plain_segment)
        && extra
            .iter()
            .any(|prefix| is_named(prefix.trim_matches('/')))
}

/// Whether `path` is `folder` or leads into it.
fn is_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_plain_segment(segment: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_moved_byte_for_byte_into_the_slot_of_the_upstream() {
        let key = "k\u{e9}y with spaces";
        for (slot, name, expected) in [
            (AuthSlot::Bearer, "authorization", format!("Bearer {key}")),
            (AuthSlot::XApiKey, "x-api-key", key.to_owned()),
            (AuthSlot::ApiKey, "api-key", key.to_owned()),
            (AuthSlot::XGoogApiKey, "x-goog-api-key", key.to_owned()),
        ] {
            let mut headers = HeaderMap::new();
            for (_, other) in &PROVIDER_SLOTS {
                headers.insert(other.clone(), HeaderValue::from_static("stale"));
            }
            Credential::Client(KeyHeader::new(slot, &Secret::new(key)).unwrap())
                .apply(&mut headers);
            assert_eq!(headers.len(), 1, "{name}");
            assert_eq!(headers[name].as_bytes(), expected.as_bytes());
            assert!(headers[name].is_sensitive());
        }
    }

    #[test]
    fn a_keyless_upstream_gets_no_key_at_all() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer k"));
        Credential::Keyless.apply(&mut headers);
        assert!(headers.is_empty());
    }

    #[test]
    fn a_key_that_no_header_can_carry_is_refused() {
        assert!(KeyHeader::new(AuthSlot::Bearer, &Secret::new("two\nlines")).is_none());
        assert!(KeyHeader::new(AuthSlot::None, &Secret::new("k")).is_none());
    }

    #[test]
    fn a_key_is_in_no_text_wherever_it_stands() {
        let key = KeyHeader::new(AuthSlot::Bearer, &Secret::new("AIza.x y")).unwrap();
        let credential = Credential::Fallback(key);
        for (text, told) in [
            ("bad key AIza.x y, AIza.x y", "bad key […], […]"),
            ("AIza.x yAIza.x y", "[…][…]"),
            ("AIza.x", "AIza.x"),
        ] {
            assert_eq!(credential.hide_in(text.into()), told);
        }
        assert_eq!(Credential::Keyless.hide_in("x".into()), "x");
    }

    fn invented(method: &str) -> Method {
        Method::from_bytes(method.as_bytes()).unwrap()
    }

    #[test]
    fn a_fallback_key_serves_what_shows_nobody_anything_of_others() {
        for (method, path, served) in [
            (Method::POST, "chat/completions", true),
            (Method::POST, "completions", true),
            (Method::POST, "responses", true),
            (Method::POST, "embeddings", true),
            (Method::POST, "moderations", true),
            (Method::POST, "audio/speech", true),
            (Method::POST, "images/generations", true),
            (Method::GET, "models", true),
            (Method::POST, "rerank", true),
            (Method::GET, "rerank/jobs", true),
            (Method::GET, "chat/completions", false),
            (Method::GET, "responses/resp_1", false),
            (Method::DELETE, "responses/resp_1", false),
            (Method::POST, "responses/resp_1/cancel", false),
            (Method::GET, "audio/speech", false),
            (Method::POST, "audio", false),
            (Method::TRACE, "rerank", false),
            (Method::OPTIONS, "rerank", false),
            (Method::DELETE, "rerank/jobs", false),
            (Method::PUT, "rerank", false),
            (Method::PATCH, "rerank", false),
            (Method::HEAD, "rerank", false),
            (invented("post"), "rerank", false),
            (Method::POST, "Rerank", false),
            (Method::POST, "rerank;x", false),
            (invented("Post"), "chat/completions", false),
            (Method::PUT, "chat/completions", false),
            (Method::TRACE, "chat/completions", false),
            (Method::POST, "Chat/completions", false),
            (Method::POST, "chat/completions;x", false),
            (Method::POST, "audio/voices", false),
            (Method::HEAD, "models", true),
            (Method::POST, "audios/x", false),
            (Method::POST, "audio/../files", false),
            (Method::POST, "audio/%2e%2e/files", false),
            (Method::POST, "audio//files", false),
            (Method::POST, "models", false),
            (Method::GET, "models/gpt-4o", false),
            (Method::GET, "files", false),
            (Method::POST, "files", false),
            (Method::POST, "batches", false),
            (Method::POST, "reranker", false),
            (Method::POST, "chat/completions/", true),
            (Method::POST, "", false),
        ] {
            assert_eq!(
                fallback_serves(&method, path, &["/rerank/".to_owned(), "/".to_owned()]),
                served,
                "{method} {path}"
            );
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let key = KeyHeader::new(AuthSlot::Bearer, &Secret::new("sk-hidden")).unwrap();
        for credential in [
            Credential::Client(key.clone()),
            Credential::Fallback(key),
            Credential::Keyless,
        ] {
            assert!(!format!("{credential:?}").contains("hidden"));
        }
    }
}
