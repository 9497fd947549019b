//! Requests as they arrived.

use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Method, Version};

use crate::key;

/// One request as it arrived, with digests in place of keys.
#[derive(Debug, Clone)]
pub struct Recorded {
    /// The method.
    pub method: Method,
    /// Path and query, byte for byte, but with a digest in place of a `key`.
    pub target: String,
    /// HTTP/1.1 or HTTP/2.
    pub version: Version,
    /// In the order of arrival. Slots that carry keys hold digests, e.g. `Bearer sha256:…`.
    pub headers: HeaderMap,
    /// Byte for byte. Uploads to `files` are hashed as they pass, and are empty here.
    pub body: Bytes,
}

impl Recorded {
    pub(crate) fn new(head: &Parts, body: Bytes) -> Self {
        Self {
            method: head.method.clone(),
            target: head
                .uri
                .path_and_query()
                .map_or_else(String::new, |target| key::redacted_target(target.as_str())),
            version: head.version,
            headers: key::redacted(&head.headers),
            body,
        }
    }
}
