//! Digests of keys: figures and records name a key without showing it.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

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
