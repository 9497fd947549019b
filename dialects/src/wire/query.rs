//! Keys in a query, where Google's clients may put them.
//!
//! A query stands in logs, metrics and the memory of proxies. A key is therefore taken out of it
//! before anybody else sees the request, and goes on as a header.

use std::fmt;

/// What the API takes for the name of a key.
const KEYS: [&str; 2] = ["key", "$key"];
/// What it takes for the name of a token of a user's, which is no key of a provider's.
const TOKENS: [&str; 2] = ["access_token", "oauth_token"];

/// A query without its key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Keyless {
    /// What is left, byte for byte; `None` if nothing is.
    pub query: Option<String>,
    /// The key, if there was one.
    pub key: Option<String>,
}

/// The key is a secret.
impl fmt::Debug for Keyless {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyless")
            .field("query", &self.query)
            .field("key", &self.key.as_ref().map(|_| "…"))
            .finish()
    }
}

/// Why a query is refused. Its text holds nothing of the query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryError {
    /// It holds two keys that differ.
    DifferentKeys,
    /// It holds a token of a user's, which belongs into the `authorization` header.
    Token,
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DifferentKeys => "The query holds two keys that differ.",
            Self::Token => "Send an access token in the `authorization` header, not in the query.",
        })
    }
}

impl std::error::Error for QueryError {}

/// Takes the key out of `query`, whose names may be written with percent signs.
///
/// ```
/// use hone_dialects::wire::query::keyless;
/// let found = keyless("alt=sse&key=a%2Bb").unwrap();
/// assert_eq!(found.query.as_deref(), Some("alt=sse"));
/// assert_eq!(found.key.as_deref(), Some("a+b"));
/// ```
///
/// # Errors
///
/// Another secret in it, or keys that are not the same.
pub fn keyless(query: &str) -> Result<Keyless, QueryError> {
    let mut key: Option<String> = None;
    let mut left = Vec::new();
    for pair in query.split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name);
        if TOKENS.contains(&name.as_str()) {
            return Err(QueryError::Token);
        }
        if !KEYS.contains(&name.as_str()) {
            left.push(pair);
            continue;
        }
        let value = decoded(value);
        match &key {
            _ if value.is_empty() => {}
            Some(first) if *first != value => return Err(QueryError::DifferentKeys),
            _ => key = Some(value),
        }
    }
    let query = left.join("&");
    Ok(Keyless {
        query: (!query.is_empty()).then_some(query),
        key,
    })
}

/// A name or value of a query as its server reads it.
fn decoded(text: &str) -> String {
    let bytes = percent_decoded(text.replace('+', " ").as_bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `bytes` with `%41` for `A`. What is no such sign stays.
pub(super) fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, tail)) = rest.split_first() {
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if is_hex(*high) && is_hex(*low) => {
                decoded.push(digit(*high) << 4 | digit(*low));
                rest = after;
            }
            _ => {
                decoded.push(*first);
                rest = tail;
            }
        }
    }
    decoded
}

fn is_hex(byte: u8) -> bool {
    byte.is_ascii_hexdigit()
}

fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        b'a'..=b'f' => byte - b'a' + 10,
        b'A'..=b'F' => byte - b'A' + 10,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(query: &str) -> (Option<String>, Option<String>) {
        let Keyless { query, key } = keyless(query).unwrap();
        (query, key)
    }

    #[test]
    fn a_key_leaves_the_query_wherever_it_stands_and_however_it_is_written() {
        for query in [
            "key=s&alt=sse",
            "alt=sse&key=s",
            "%6Bey=s&alt=sse",
            "alt=sse&k%65y=s&key=s",
            "%24key=s&alt=sse&key=",
        ] {
            let expected = (Some("alt=sse".to_owned()), Some("s".to_owned()));
            assert_eq!(found(query), expected, "{query}");
        }
        assert_eq!(found("key=s"), (None, Some("s".to_owned())));
        assert_eq!(found("key"), (None, None));
        assert_eq!(found(""), (None, None));
    }

    #[test]
    fn what_only_looks_like_a_key_stays_byte_for_byte() {
        let query = "pageToken=a%2Fb+c&Key=x&keys=y&&x=key%3Dz";
        assert_eq!(found(query), (Some(query.to_owned()), None));
    }

    #[test]
    fn tokens_and_two_keys_are_refused_without_being_told() {
        for query in ["access_token=secret", "a=b&%61ccess_token=secret"] {
            assert_eq!(keyless(query), Err(QueryError::Token));
        }
        let error = keyless("key=secret&key=other").unwrap_err();
        assert_eq!(error, QueryError::DifferentKeys);
        assert!(!error.to_string().contains("secret"));
        let shown = format!("{:?}", keyless("key=secret").unwrap());
        assert!(!shown.contains("secret"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_key_is_left_whatever_is_around_it(
            head in "[a-z=&%+$0-9]{0,20}", tail in "[a-z=&%+$0-9]{0,20}",
        ) {
            let query = format!("{head}&key=SECRET&{tail}");
            if let Ok(found) = keyless(&query) {
                prop_assert!(!found.query.unwrap_or_default().contains("SECRET"));
                prop_assert_eq!(found.key.as_deref(), Some("SECRET"));
            }
        }
    }
}
