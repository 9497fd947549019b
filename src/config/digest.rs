//! Digests of keys, the only form in which the configuration and the directory know a key.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

/// SHA-256 of a key's bytes, written `sha256:<64 hex digits>`.
///
/// Keys are looked up by digest, so that no comparison leaks timing and no plain key is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyDigest([u8; 32]);

/// The text is not `sha256:` and 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected `sha256:` and 64 hex digits (make one with `hone key digest`)")]
pub struct NotADigest;

impl KeyDigest {
    /// The digest of `key`.
    pub fn of(key: &[u8]) -> Self {
        Self(Sha256::digest(key).into())
    }

    /// The number of its first eight digits, which tells an operator's keys apart.
    pub(crate) fn beginning(&self) -> u32 {
        let [first, second, third, fourth, ..] = self.0;
        u32::from_be_bytes([first, second, third, fourth])
    }
}

impl FromStr for KeyDigest {
    type Err = NotADigest;

    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let mut bytes = [0; 32];
        let digits = text.strip_prefix("sha256:").ok_or(NotADigest)?;
        match hex::decode_to_slice(digits, &mut bytes) {
            Ok(()) => Ok(Self(bytes)),
            Err(_) => Err(NotADigest),
        }
    }
}

impl fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", hex::encode(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_what_it_prints() {
        let digest = KeyDigest::of(b"any key");
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert_eq!("sha256:00".parse::<KeyDigest>(), Err(NotADigest));
        assert_eq!(
            digest
                .to_string()
                .trim_start_matches("sha256:")
                .parse::<KeyDigest>(),
            Err(NotADigest)
        );
    }
}
