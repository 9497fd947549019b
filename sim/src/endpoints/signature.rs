//! Signatures of reasoning: a provider knows its own again, and for which model and text each was
//! made.

use sha2::{Digest as _, Sha256};

use super::base64;

/// The signature of a text by a model. `maker` keeps those of the dialects apart, and `nonce` those
/// of equal texts.
pub(super) fn sign(maker: &str, model: &str, text: &str, nonce: u64) -> String {
    let nonce = nonce.to_be_bytes();
    let mut bytes = nonce.to_vec();
    bytes.extend(digest(maker, model, text, &nonce));
    base64::encode(&bytes)
}

/// Whether [`sign`] has made `signature` for this text by this model.
pub(super) fn is_own(signature: &str, maker: &str, model: &str, text: &str) -> bool {
    let Some(bytes) = base64::decode(signature) else {
        return false;
    };
    bytes
        .split_at_checked(8)
        .is_some_and(|(nonce, rest)| rest == digest(maker, model, text, nonce))
}

fn digest(maker: &str, model: &str, text: &str, nonce: &[u8]) -> [u8; 32] {
    let parts = [maker.as_bytes(), model.as_bytes(), text.as_bytes(), nonce];
    let hashed = parts.iter().fold(Sha256::new(), |hashed, part| {
        hashed
            .chain_update(part.len().to_le_bytes())
            .chain_update(part)
    });
    hashed.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::{is_own, sign};

    #[test]
    fn a_signature_holds_for_its_maker_model_and_text_alone() {
        let signature = sign("messages", "a", "text", 7);
        assert!(is_own(&signature, "messages", "a", "text"));
        for (maker, model, text) in [
            ("gemini", "a", "text"),
            ("messages", "b", "text"),
            ("messages", "a", "other"),
        ] {
            assert!(!is_own(&signature, maker, model, text));
        }
        for foreign in ["", "AAAA", "no base64!", &signature.repeat(2)] {
            assert!(!is_own(foreign, "messages", "a", "text"), "{foreign}");
        }
    }
}
