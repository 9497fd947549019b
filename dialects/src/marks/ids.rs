//! Ids that every dialect takes, as pure functions: a call and its result agree without a table.

use std::borrow::Cow;

use sha2::{Digest, Sha256};

/// Longest id, in bytes.
const LONGEST: usize = 64;
/// What is kept of an id that is changed.
const KEPT: usize = 55;
/// Hex digits behind a prefix.
const MINTED: usize = 24;

/// The id as every dialect takes it: letters, digits, `_` and `-`, at most 64 of them. One that is
/// that already stays as it is.
///
/// ```
/// use hone_dialects::marks::clean;
/// assert_eq!(clean("call_1"), "call_1");
/// assert_eq!(clean("a.1"), clean("a.1"));
/// assert_ne!(clean("a.1"), clean("a:1"));
/// ```
pub fn clean(id: &str) -> Cow<'_, str> {
    if is_clean(id) {
        return Cow::Borrowed(id);
    }
    Cow::Owned(changed(id, id))
}

/// `text` with what does not fit replaced, and the digest of `whole` behind it.
pub(super) fn changed(text: &str, whole: &str) -> String {
    let fits = |c: char| if is_letter(c) { c } else { '_' };
    let mut clean: String = text.chars().take(KEPT).map(fits).collect();
    clean.push('-');
    clean.push_str(&hex(whole.as_bytes(), 8));
    clean
}

pub(super) fn is_clean(id: &str) -> bool {
    !id.is_empty() && id.len() <= LONGEST && id.chars().all(is_letter)
}

fn is_letter(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

/// The first `digits` hex digits of the SHA-256 of `bytes`.
pub(super) fn hex(bytes: &[u8], digits: usize) -> String {
    const DIGITS: [char; 16] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
    ];
    let digit = |half: u8| DIGITS.get(usize::from(half)).copied().unwrap_or('0');
    let both = |byte: u8| [digit(byte >> 4), digit(byte & 15)];
    let all = Sha256::digest(bytes).into_iter().flat_map(both);
    all.take(digits).collect()
}

/// Makes ids from a seed. Two minters of one seed make the same ids in the same order.
#[derive(Debug, Clone)]
pub struct Minter {
    seed: String,
    next: u64,
}

impl Minter {
    /// Ids of what belongs to `seed`, a request's id.
    pub fn new(seed: &str) -> Self {
        Self {
            seed: seed.to_owned(),
            next: 0,
        }
    }

    /// The next id: `prefix` and 24 hex digits.
    pub fn mint(&mut self, prefix: &str) -> String {
        let text = format!("{}\n{}", self.seed, self.next);
        self.next = self.next.wrapping_add(1);
        format!("{prefix}{}", hex(text.as_bytes(), MINTED))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ids_that_fit_pass_and_minted_ones_differ() {
        assert!(matches!(clean("toolu_01-A"), Cow::Borrowed(_)));
        let mut minter = Minter::new("r");
        let (one, other) = (minter.mint("toolu_"), minter.mint("toolu_"));
        assert_ne!(one, other);
        assert_eq!(one, Minter::new("r").mint("toolu_"));
        assert!(is_clean(&one) && one.len() == 30);
    }

    proptest! {
        /// Providers refuse ids with dots and colons, and ids that are too long.
        #[test]
        fn every_id_becomes_one_that_fits_and_stays_so(id in any::<String>()) {
            let once = clean(&id).into_owned();
            prop_assert!(is_clean(&once));
            prop_assert_eq!(clean(&once).into_owned(), once.clone());
        }

        #[test]
        fn ids_that_differ_stay_different(one in "[a.:é]{0,80}", other in "[a.:é]{0,80}") {
            prop_assert_eq!(one == other, clean(&one) == clean(&other));
        }
    }
}
