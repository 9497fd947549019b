//! A key in the query, where clients of Google's API may send it.
//!
//! It is taken out before anything else looks at the request's target, and stands in its header
//! from then on.

use std::fmt;

use hone_dialects::wire::query::{QueryError, keyless};
use http::HeaderValue;
use http::request::Parts;
use http::uri::{PathAndQuery, Uri};
use zeroize::Zeroizing;

use crate::api::headers::X_GOOG_API_KEY;

/// Why a query is refused. Nothing here holds a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QueryRefused {
    /// It holds two keys that differ.
    DifferentKeys,
    /// It holds a token of a user's.
    Token,
    /// No header can carry its key.
    Unusable,
}

impl fmt::Display for QueryRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DifferentKeys => "the query holds two keys that differ",
            Self::Token => "the query holds an access token",
            Self::Unusable => "the query holds a key that no header can carry",
        })
    }
}

/// Moves the key in the query of `parts` into Google's slot, beside what stands there unless it is
/// the same.
///
/// # Errors
///
/// For what cannot be moved. The target has lost its query then.
pub(crate) fn move_key(parts: &mut Parts) -> Result<(), QueryRefused> {
    let Some(query) = parts.uri.query() else {
        return Ok(());
    };
    let found = match keyless(query) {
        Ok(found) => found,
        Err(error) => {
            set_query(&mut parts.uri, None);
            return Err(match error {
                QueryError::DifferentKeys => QueryRefused::DifferentKeys,
                QueryError::Token => QueryRefused::Token,
            });
        }
    };
    if found.query.as_deref() != Some(query) {
        set_query(&mut parts.uri, found.query.as_deref());
    }
    let Some(key) = found.key.map(Zeroizing::new) else {
        return Ok(());
    };
    let key = key.trim_ascii();
    let value = HeaderValue::from_bytes(key.as_bytes());
    let mut value = value.map_err(|_not_a_header| QueryRefused::Unusable)?;
    value.set_sensitive(true);
    let mut lines = parts.headers.get_all(X_GOOG_API_KEY).iter();
    let mut is_same = |line: &HeaderValue| line.as_bytes().trim_ascii() == key.as_bytes();
    if !key.is_empty() && !lines.any(&mut is_same) {
        // A blank line is no key.
        let mut lines = parts.headers.get_all(X_GOOG_API_KEY).iter();
        if lines.all(|line| line.as_bytes().trim_ascii().is_empty()) {
            parts.headers.insert(X_GOOG_API_KEY, value);
        } else {
            parts.headers.append(X_GOOG_API_KEY, value);
        }
    }
    Ok(())
}

/// Gives `uri` this query instead of its own.
fn set_query(uri: &mut Uri, query: Option<&str>) {
    let path = uri.path();
    let target = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let mut parts = std::mem::take(uri).into_parts();
    // What is left of a target is one.
    parts.path_and_query = PathAndQuery::try_from(target).ok();
    *uri = Uri::from_parts(parts).unwrap_or_default();
}

#[cfg(test)]
mod tests {
    use http::Request;
    use proptest::prelude::*;

    use super::*;

    /// The request's head with the key moved, and whether it was refused.
    fn moved(target: &str, keys: &[&str]) -> (Parts, Result<(), QueryRefused>) {
        let mut request = Request::post(target);
        for key in keys {
            request = request.header(X_GOOG_API_KEY, *key);
        }
        let mut parts = request.body(()).expect("a request").into_parts().0;
        let result = move_key(&mut parts);
        (parts, result)
    }

    fn keys(parts: &Parts) -> Vec<&str> {
        let lines = parts.headers.get_all(X_GOOG_API_KEY).iter();
        lines.map(|line| line.to_str().expect("text")).collect()
    }

    #[test]
    fn a_key_becomes_a_header_and_the_rest_of_the_target_stays() {
        for (target, left) in [
            ("/v1beta/files?key=s", "/v1beta/files"),
            ("/v1beta/files?alt=sse&key=s", "/v1beta/files?alt=sse"),
            ("http://h:1/v1/m?key=s&x=%20y", "http://h:1/v1/m?x=%20y"),
            ("/v1/m?%6bey=s&key=s&a", "/v1/m?a"),
        ] {
            for before in [&[][..], &["s"], &[""], &[" s "]] {
                let (parts, result) = moved(target, before);
                assert_eq!(result, Ok(()));
                assert_eq!(parts.uri, left, "{target} {before:?}");
                assert_eq!(keys(&parts).len(), 1);
                assert_eq!(keys(&parts)[0].trim(), "s");
            }
            let (parts, _) = moved(target, &[]);
            assert!(!format!("{parts:?}").contains("\"s\""), "{parts:?}");
            let (parts, _) = moved(target, &["other"]);
            assert_eq!(keys(&parts), ["other", "s"]);
        }
        let (parts, result) = moved("/v1/m?Key=x&y", &[]);
        assert_eq!(
            (parts.uri, result),
            ("/v1/m?Key=x&y".parse().unwrap(), Ok(()))
        );
    }

    #[test]
    fn what_is_refused_is_in_the_target_no_longer() {
        for (target, refused) in [
            ("/v1/m?key=s&key=t", QueryRefused::DifferentKeys),
            ("/v1/m?access_token=s", QueryRefused::Token),
            ("/v1/m?x&key=s%0At", QueryRefused::Unusable),
        ] {
            let (parts, result) = moved(target, &[]);
            assert_eq!(result, Err(refused), "{target}");
            assert!(!parts.uri.to_string().contains("=s"), "{target}");
            assert!(keys(&parts).is_empty());
        }
    }

    proptest! {
        #[test]
        fn no_part_of_a_target_keeps_the_key(
            before in "[a-z0-9=&%+$.:-]{0,20}", after in "[a-z0-9=&%+$.:-]{0,20}",
            name in prop::sample::select(vec!["key", "%6Bey", "k%65y", "$key", "%24key"]),
        ) {
            let target = format!("/v1beta/models/m:generateContent?{before}&{name}=SECRET&{after}");
            let (parts, _) = moved(&target, &[]);
            prop_assert!(!format!("{parts:?}").contains("SECRET"), "{parts:?}");
        }
    }
}
