//! Secrets: typed so that they cannot leak.

use std::fmt;

use zeroize::Zeroizing;

/// A credential's bytes, exactly as they were given.
///
/// There is no `Display`, no `Serialize` and no `PartialEq`; `Debug` is redacted; the bytes are wiped on drop. Every use of
/// [`Secret::expose`] is a place where a key leaves the type's protection, and is meant to be found by searching for it.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes ownership of a credential's bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes themselves: for a digest, or for the one header that carries them upstream.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_a_byte_of_the_secret() {
        assert_eq!(format!("{:?}", Secret::new("sk-live-123")), "Secret(redacted)");
    }
}
