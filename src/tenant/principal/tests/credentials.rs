//! Whose key pays, and in which slot it goes upstream.

use super::*;
use crate::config::AuthSlot;

fn refusal(config: &Config, lines: &[(&str, &str)], peer: &Peer) -> FallbackRefusal {
    match credential(config, lines, peer, 0) {
        Err(AuthError::NoCredential { fallback, .. }) => fallback,
        other => panic!("expected a refused fallback, got {other:?}"),
    }
}

#[test]
fn a_client_key_is_used_before_any_fallback() {
    for allowed in [
        FallbackFor::Anyone,
        FallbackFor::Known,
        FallbackFor::Loopback,
    ] {
        let credential = credential(
            &with_fallback(allowed),
            &[KEY, ("x-hone-key", ALICE)],
            &loopback(),
            0,
        )
        .unwrap();
        assert_eq!(credential.source(), CredentialSource::Client);
        assert_eq!(
            sent(&credential),
            [("authorization".to_owned(), "Bearer sk-mine".to_owned())]
        );
    }
}

#[test]
fn a_key_is_moved_into_the_slot_that_the_upstream_reads() {
    for (auth, expected) in [
        (AuthSlot::Bearer, ("authorization", "Bearer sk-mine")),
        (AuthSlot::XApiKey, ("x-api-key", "sk-mine")),
        (AuthSlot::ApiKey, ("api-key", "sk-mine")),
        (AuthSlot::XGoogApiKey, ("x-goog-api-key", "sk-mine")),
    ] {
        let upstreams = vec![Arc::new(UpstreamConfig {
            auth: Some(auth),
            accepts_client_keys: true,
            ..upstream("openai")
        })];
        let config = Config {
            upstreams,
            ..config()
        };
        for line in [
            KEY,
            ("x-api-key", "sk-mine"),
            ("api-key", "sk-mine"),
            ("x-goog-api-key", "sk-mine"),
        ] {
            let credential = credential(&config, &[line], &remote(), 0).unwrap();
            assert_eq!(
                sent(&credential),
                [(expected.0.to_owned(), expected.1.to_owned())]
            );
        }
    }
}

#[test]
fn a_gateway_key_never_leaves() {
    let config = with_fallback(FallbackFor::Known);
    for (name, value) in [
        ("authorization", "Bearer hone-alice"),
        ("x-api-key", ALICE),
        ("x-hone-key", ALICE),
        ("x-hone-key-openai", ALICE),
    ] {
        let credential = credential(&config, &[(name, value)], &remote(), 0).unwrap();
        assert_eq!(
            sent(&credential),
            [("authorization".to_owned(), "Bearer sk-operator".to_owned())],
            "{name}"
        );
    }
}

#[test]
fn a_fallback_for_known_callers_needs_a_gateway_key() {
    let config = with_fallback(FallbackFor::Known);
    assert_eq!(
        source(&config, &[("x-hone-key", ALICE)], &remote()),
        Ok(CredentialSource::Fallback)
    );
    assert_eq!(
        refusal(&config, &[], &remote()),
        FallbackRefusal::NeedsGatewayKey
    );
    assert_eq!(
        refusal(&config, &[("host", "localhost")], &loopback()),
        FallbackRefusal::NeedsGatewayKey
    );
}

#[test]
fn a_fallback_for_loopback_serves_local_callers_and_gateway_keys() {
    let config = with_fallback(FallbackFor::Loopback);
    assert_eq!(
        source(&config, &[("host", "localhost:8000")], &loopback()),
        Ok(CredentialSource::Fallback)
    );
    assert_eq!(
        source(&config, &[("x-hone-key", ALICE)], &remote()),
        Ok(CredentialSource::Fallback)
    );
    assert_eq!(
        refusal(&config, &[("host", "localhost")], &remote()),
        FallbackRefusal::NotLocal(NotLocal::Listener)
    );
    let page = [("host", "localhost"), ("origin", "https://evil.example")];
    assert_eq!(
        refusal(&config, &page, &loopback()),
        FallbackRefusal::NotLocal(NotLocal::Origin)
    );
}

#[test]
fn a_fallback_for_anyone_serves_anyone() {
    assert_eq!(
        source(&with_fallback(FallbackFor::Anyone), &[], &remote()),
        Ok(CredentialSource::Fallback)
    );
}

#[test]
fn a_fallback_key_serves_only_some_paths_but_a_client_key_serves_all() {
    let config = with_fallback(FallbackFor::Known);
    let asks = |lines: &[(&str, &str)], method: &Method, path| {
        principal(&config, lines)
            .unwrap()
            .credential(&config.upstreams[0], method, path)
            .map(|credential| credential.source())
    };
    let gateway = [("x-hone-key", ALICE)];
    assert_eq!(
        asks(&gateway, &Method::GET, "models"),
        Ok(CredentialSource::Fallback)
    );
    let refused = AuthError::FallbackPathNotAllowed {
        upstream: "openai".to_owned(),
        method: Method::GET,
        path: "files".to_owned(),
    };
    assert_eq!(asks(&gateway, &Method::GET, "files"), Err(refused));
    assert_eq!(
        asks(&[KEY], &Method::GET, "files"),
        Ok(CredentialSource::Client)
    );
}

#[test]
fn paths_that_the_operator_adds_are_served_by_the_fallback() {
    let mut openai = UpstreamConfig {
        fallback: Some(fallback("sk-operator", FallbackFor::Anyone)),
        ..upstream("openai")
    };
    openai
        .fallback
        .as_mut()
        .unwrap()
        .paths
        .push("rerank".to_owned());
    let config = Config {
        upstreams: vec![Arc::new(openai)],
        ..config()
    };
    let credential = principal(&config, &[])
        .unwrap()
        .credential(&config.upstreams[0], &Method::POST, "rerank")
        .unwrap();
    assert_eq!(credential.source(), CredentialSource::Fallback);
}

#[test]
fn a_provider_key_goes_only_to_upstreams_that_accept_client_keys() {
    let config = two_upstreams(upstream("groq"));
    let error = credential(&config, &[KEY], &remote(), 1).unwrap_err();
    let expected = AuthError::NoCredential {
        upstream: "groq".to_owned(),
        header: "x-hone-key-groq".to_owned(),
        sent: Sent::KeyForAnother,
        fallback: FallbackRefusal::NotConfigured,
    };
    assert_eq!(error, expected);
}

#[test]
fn another_upstream_takes_its_own_header_or_a_permitted_fallback() {
    let config = two_upstreams(UpstreamConfig {
        fallback: Some(fallback("gsk-operator", FallbackFor::Known)),
        ..upstream("groq")
    });
    let value = |lines: &[(&str, &str)], index| {
        sent(&credential(&config, lines, &remote(), index).unwrap())
            .remove(0)
            .1
    };
    let own = ("x-hone-key-groq", "gsk-mine");
    assert_eq!(value(&[KEY, own], 1), "Bearer gsk-mine");
    assert_eq!(value(&[KEY, own], 0), "Bearer sk-mine");
    assert_eq!(
        value(&[KEY, ("x-hone-key", ALICE)], 1),
        "Bearer gsk-operator"
    );
    assert_eq!(value(&[own, ("x-hone-key", ALICE)], 1), "Bearer gsk-mine");
}

#[test]
fn the_header_of_an_upstream_wins_over_the_provider_slot_there() {
    let credential = credential(
        &config(),
        &[KEY, ("x-hone-key-openai", "sk-other")],
        &remote(),
        0,
    )
    .unwrap();
    assert_eq!(
        sent(&credential),
        [("authorization".to_owned(), "Bearer sk-other".to_owned())]
    );
}
