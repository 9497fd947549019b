//! Gateway keys where they would reach a provider: among other text of a slot, in the query, in a
//! header that is forwarded. Everyday mistakes put them there: a scheme written twice, the quotes
//! of an environment file, two lines joined by a comma.

use std::borrow::Cow;

use http::HeaderName;
use http::request::Parts;

use super::gateway_key::{SHORTEST, Standing, made, named};
use super::slots::{KeyPlace, SlotError};
use crate::api::endpoint;

/// Refuses a request whose target, or a header that may be forwarded, holds a gateway key.
/// `has_keys` says whether the operator has named any; `is_forwarded` is asked for headers that are
/// worth a look.
pub(super) fn refuse(
    head: &Parts,
    standing: &Standing<'_>,
    has_keys: bool,
    is_forwarded: &dyn Fn(&HeaderName) -> bool,
) -> Result<(), SlotError> {
    let holds = |text: &[u8]| made(text, standing) || has_keys && named(text, standing);
    let misplaced = |place| Err(SlotError::Misplaced { place });
    let path = head.uri.path();
    let in_path = made(path.as_bytes(), standing) || has_keys && in_path(path, &holds);
    if in_path || in_query(head, &holds) {
        return misplaced(KeyPlace::Target);
    }
    for (name, value) in &head.headers {
        let text = value.as_bytes();
        let may_hold = has_keys && text.len() >= SHORTEST || made(text, standing);
        if may_hold && is_forwarded(name) && holds(text) {
            return misplaced(KeyPlace::Header(name.clone()));
        }
    }
    Ok(())
}

/// Whether a segment of `path` holds a key, or what begins with it, as some keys have slashes. The
/// words of the API cost no digest.
fn in_path(path: &str, holds: &dyn Fn(&[u8]) -> bool) -> bool {
    let mut rest = path;
    while let Some((_, behind)) = rest.split_once('/') {
        rest = behind;
        let segment = rest.split('/').next().unwrap_or(rest);
        if rest.len() < SHORTEST || endpoint::is_word(segment) {
            continue;
        }
        let found = [segment, rest]
            .iter()
            .any(|text| holds(endpoint::undisguised(text).as_bytes()));
        if found {
            return true;
        }
    }
    false
}

fn in_query(head: &Parts, holds: &dyn Fn(&[u8]) -> bool) -> bool {
    let Some(query) = head.uri.query().filter(|query| query.len() >= SHORTEST) else {
        return false;
    };
    query
        .split('&')
        .flat_map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            [name, value]
        })
        .any(|part| {
            let plain: Cow<'_, str> = endpoint::undisguised(part);
            holds(plain.as_bytes()) || holds(plain.replace('+', " ").as_bytes())
        })
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{ALICE, config, head, identify, loopback, with_tenants};
    use super::super::gateway_key::GATEWAY_KEY_PREFIX;
    use super::super::{AuthError, Directory};
    use super::*;
    use crate::config::{Config, KeyDigest, UpstreamConfig};

    const OLD: &str = "old=key/of:bob";

    fn made() -> String {
        format!("{GATEWAY_KEY_PREFIX}{}", "0f".repeat(32))
    }

    /// Where a gateway key is found in a request to `target` with these lines.
    fn found(target: &str, lines: &[(&str, &str)]) -> Option<KeyPlace> {
        let mut config = with_tenants(Config {
            revoked_keys: vec![KeyDigest::of(OLD.as_bytes())],
            ..config()
        });
        let upstream = UpstreamConfig {
            forward_headers: vec!["x-trace-".to_owned()],
            ..(*config.upstreams[0]).clone()
        };
        config.upstreams[0] = upstream.into();
        let mut parts = head(lines);
        parts.uri = target.parse().unwrap();
        match identify(&Directory::new(&config), &config, &parts, &loopback()) {
            Ok(_) => None,
            Err(AuthError::Slot(SlotError::Misplaced { place })) => Some(place),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_gateway_key_in_the_target_is_refused() {
        let made = made();
        for target in [
            format!("/v1/models?key={ALICE}"),
            format!("/v1/models?a=b&api_key={ALICE}&c"),
            format!("/v1/models?{ALICE}"),
            "/v1/models?key=hone%2Dalice".to_owned(),
            "/v1/models?key=hone%252Dalice".to_owned(),
            format!("/v1/models?auth=Bearer+{ALICE}"),
            format!("/v1/models?auth=Bearer%20{ALICE}"),
            format!("/v1/models?key={OLD}"),
            "/v1/models?key=old%3Dkey%2Fof%3Abob".to_owned(),
            format!("/v1/models?key={made}"),
            format!("/v1/models?key=x{made}y"),
            format!("/v1/files/{made}"),
            format!("/v1/files/{}", made.to_uppercase()),
            format!("/v1/files/{ALICE}"),
            format!("/v1/models/{ALICE}/"),
            format!("/v1/x/{ALICE}/y"),
            "/v1/files/hone%2Dalice".to_owned(),
            "/v1/files/hone%252dalice/content".to_owned(),
            format!("/v1/files/{OLD}"),
            "/v1/files/old=key%2Fof:bob/content".to_owned(),
            format!("/v1/files/key={ALICE}"),
            format!("/{ALICE}"),
        ] {
            assert_eq!(found(&target, &[]), Some(KeyPlace::Target), "{target}");
        }
        for target in [
            "/v1/models",
            "/v1/models?key=sk-another&hone=1",
            "/v1/files/hone-alicia",
            "/v1/chat/completions",
        ] {
            assert_eq!(found(target, &[]), None, "{target}");
        }
    }

    #[test]
    fn a_gateway_key_in_a_header_is_refused_if_the_header_is_forwarded() {
        let made = made();
        for (name, value) in [
            ("user-agent", format!("agent/1.0 ({ALICE})")),
            ("openai-project", ALICE.to_owned()),
            ("openai-organization", OLD.to_owned()),
            ("user-agent", format!("agent/1.0 ({OLD})")),
            ("x-trace-id", format!("id={OLD};a=b")),
            ("x-title", format!("[{OLD}]")),
            ("http-referer", format!("https://a.example/?key={OLD}#x")),
            ("idempotency-key", made.clone()),
            ("x-trace-id", format!("id={ALICE}")),
            ("x-title", format!("my app, {made}")),
            ("http-referer", format!("https://a.example/?key={ALICE}")),
        ] {
            let place = KeyPlace::Header(HeaderName::from_static(name));
            assert_eq!(
                found("/v1/models", &[(name, &value)]),
                Some(place),
                "{name}"
            );
        }
        for (name, value) in [
            ("cookie", format!("session={made}")),
            ("openai-api-key", ALICE.to_owned()),
            ("x-trace-key", ALICE.to_owned()),
            ("user-agent", "AsyncOpenAI/Python 1.99.1".to_owned()),
        ] {
            assert_eq!(found("/v1/models", &[(name, &value)]), None, "{name}");
        }
    }

    #[test]
    fn a_long_header_takes_no_longer_than_its_words() {
        for text in [
            "abcdefgh ".repeat(7000),
            "h".repeat(64_000),
            "hone-".repeat(12_000),
        ] {
            assert_eq!(found("/v1/models", &[("user-agent", &text)]), None);
        }
    }
}
