//! How a gateway key is told from other text: by its digest, or, where hone has made it, by its
//! form.

use std::iter;

use memchr::memchr2_iter;

use crate::config::KeyDigest;

/// What every key starts with that `hone key new` makes.
pub const GATEWAY_KEY_PREFIX: &str = "hone-";

/// Hexadecimal digits behind the prefix of a key that hone makes.
const DIGITS: usize = 64;
/// What is shorter is nobody's secret.
pub(super) const SHORTEST: usize = 8;

/// What the operator has said of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyStanding {
    /// A tenant's gateway key.
    Gateway,
    /// A tenant's provider key, which goes upstream whatever it looks like.
    Provider,
    /// No longer anybody's; refused in every slot.
    Revoked,
    /// Nothing.
    Unknown,
}

/// Whose key has a digest.
pub(super) type Standing<'a> = dyn Fn(&KeyDigest) -> KeyStanding + 'a;

/// Whether `text`, which is no gateway key as a whole, holds one.
pub(super) fn among(text: &[u8], standing: &Standing<'_>) -> bool {
    made(text, standing)
        || !is_one_word(text) && parts(text).any(|part| part != text && is_ours(part, standing))
}

/// Whether `text` is cut nowhere, as most keys are.
fn is_one_word(text: &[u8]) -> bool {
    let cuts_no_word = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    text.iter().all(cuts_no_word)
}

/// Whether `text` is a gateway key, or holds one.
pub(super) fn named(text: &[u8], standing: &Standing<'_>) -> bool {
    text.len() >= SHORTEST && is_ours(text, standing) || among(text, standing)
}

fn is_ours(key: &[u8], standing: &Standing<'_>) -> bool {
    matches!(
        standing(&KeyDigest::of(key)),
        KeyStanding::Gateway | KeyStanding::Revoked
    )
}

/// The words of `text` that could be keys. A key that hone did not make may have nearly any sign in
/// it, as base64 has, so `text` is cut three times: at spaces, commas and quotes; at what stands
/// around or between words; and at all signs. What stands behind a name, as in `key=KEY`, is a word
/// of its own.
fn parts(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let words = text.split(|byte| ends_a_word(*byte));
    words
        .flat_map(move |word| {
            let smaller = pieces(word).filter(|piece| piece.len() < word.len());
            iter::once(word)
                .chain(smaller)
                .chain(pieces(word).flat_map(smallest))
        })
        .filter(|word| word.len() >= SHORTEST)
}

fn pieces(word: &[u8]) -> impl Iterator<Item = &[u8]> {
    word.split(|byte| stands_between(*byte))
}

/// What is left of `piece` without a name in front, and what is left between all signs.
fn smallest(piece: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_sign = |byte: &u8| b"=:".contains(byte);
    let behind_a_name = piece.splitn(2, is_sign).nth(1);
    let words = piece.split(|byte| separates(*byte));
    behind_a_name
        .into_iter()
        .chain(words.filter(|word| word.len() < piece.len()))
}

fn ends_a_word(byte: u8) -> bool {
    byte.is_ascii_whitespace() || b",\"'`".contains(&byte)
}

fn stands_between(byte: u8) -> bool {
    b"#;&?()<>[]{}|\\".contains(&byte) || !byte.is_ascii()
}

fn separates(byte: u8) -> bool {
    stands_between(byte) || b":=/".contains(&byte)
}

/// Whether `text` holds what hone makes as a gateway key, in any case, unless the operator has
/// named it as a key of a provider, which another hone may be.
pub(super) fn made(text: &[u8], standing: &Standing<'_>) -> bool {
    let length = GATEWAY_KEY_PREFIX.len() + DIGITS;
    text.len() >= length
        && memchr2_iter(b'h', b'H', text)
            .filter_map(|start| text.get(start..)?.get(..length))
            .filter(|key| is_made(key))
            .any(|key| standing(&KeyDigest::of(key)) != KeyStanding::Provider)
}

fn is_made(key: &[u8]) -> bool {
    has_prefix(key)
        && key
            .get(GATEWAY_KEY_PREFIX.len()..)
            .is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Whether `key` begins as keys do that hone makes, in any case.
pub(super) fn has_prefix(key: &[u8]) -> bool {
    key.get(..GATEWAY_KEY_PREFIX.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(GATEWAY_KEY_PREFIX.as_bytes()))
}
