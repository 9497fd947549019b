use super::super::fixture::{
    ALICE, BOB, CAROL, config, credential, every_limit, fallback, from, head, identify, loopback,
    principal, remote, requests_per_minute, sent, tenant, upstream, with_tenants,
};
use super::super::{CredentialSource, NotLocal, SlotError};
use super::*;
use crate::config::KeyDigest;

mod product;
mod reports;

const KEY: (&str, &str) = ("authorization", "Bearer sk-mine");

fn with_fallback(allowed: FallbackFor) -> Config {
    let openai = UpstreamConfig {
        accepts_client_keys: true,
        fallback: Some(fallback("sk-operator", allowed)),
        ..upstream("openai")
    };
    with_tenants(Config {
        upstreams: vec![Arc::new(openai)],
        ..config()
    })
}

/// `openai` first and with client keys; `groq` without.
fn two_upstreams(groq: UpstreamConfig) -> Config {
    let mut config = with_tenants(config());
    config.upstreams.push(Arc::new(groq));
    config
}

fn source(
    config: &Config,
    lines: &[(&str, &str)],
    peer: &Peer,
) -> Result<CredentialSource, AuthError> {
    credential(config, lines, peer, 0).map(|credential| credential.source())
}

fn refusal(config: &Config, lines: &[(&str, &str)], peer: &Peer) -> FallbackRefusal {
    match credential(config, lines, peer, 0) {
        Err(AuthError::NoCredential { fallback, .. }) => fallback,
        other => panic!("expected a refused fallback, got {other:?}"),
    }
}

#[test]
fn the_tenant_is_the_gateway_keys_else_the_provider_keys_else_the_addresss() {
    let config = with_tenants(config());
    let tag = |lines: &[(&str, &str)]| principal(&config, lines).unwrap().tag().to_owned();
    let carol = ("x-api-key", CAROL);
    assert_eq!(tag(&[("x-hone-key", ALICE), carol]), "alice");
    assert_eq!(tag(&[("authorization", "Bearer hone-bob"), carol]), "bob");
    assert_eq!(tag(&[carol]), "carol");
    assert!(tag(&[KEY]).starts_with("key:"));
    assert!(tag(&[]).starts_with("addr:"));
    assert!(tag(&[("authorization", "Bearer none")]).starts_with("addr:"));
}

#[test]
fn one_key_is_one_tenant_whatever_slot_it_comes_in() {
    let config = config();
    let directory = Directory::new(&config);
    let tag = |name, value, peer: &str| {
        identify(&directory, &config, &head(&[(name, value)]), &from(peer))
            .unwrap()
            .tag()
            .to_owned()
    };
    let mine = tag("authorization", "Bearer k", "203.0.113.7");
    assert_eq!(tag("x-api-key", "k", "198.51.100.2"), mine);
    assert_ne!(tag("x-api-key", "K", "203.0.113.7"), mine);
}

#[test]
fn gateway_keys_of_two_tenants_are_refused() {
    let error = principal(
        &with_tenants(config()),
        &[("x-hone-key", ALICE), ("x-api-key", BOB)],
    )
    .unwrap_err();
    assert_eq!(
        error,
        AuthError::TwoTenants {
            first: "alice".to_owned(),
            second: "bob".to_owned()
        }
    );
}

#[test]
fn two_gateway_keys_of_one_tenant_are_fine() {
    let alice = TenantConfig {
        keys: vec![KeyDigest::of(b"old"), KeyDigest::of(b"new")],
        ..tenant("alice")
    };
    let config = Config {
        tenants: vec![Arc::new(alice)],
        ..config()
    };
    assert_eq!(
        principal(&config, &[("x-hone-key", "old"), ("x-api-key", "new")])
            .unwrap()
            .tag(),
        "alice"
    );
}

#[test]
fn an_unknown_gateway_key_is_refused_even_beside_a_good_provider_key() {
    let error = principal(&with_tenants(config()), &[("x-hone-key", "stranger"), KEY]).unwrap_err();
    assert_eq!(error, AuthError::Slot(SlotError::UnknownGatewayKey));
}

#[test]
fn with_known_access_only_named_keys_are_admitted() {
    let config = with_tenants(Config {
        access: Access::Known,
        ..config()
    });
    let directory = Directory::new(&config);
    let admitted = |lines: &[(&str, &str)]| {
        identify(&directory, &config, &head(lines), &remote())
            .map(|principal| principal.tag().to_owned())
    };
    assert_eq!(admitted(&[KEY]), Err(AuthError::UnknownKey));
    assert_eq!(admitted(&[]), Err(AuthError::NoKey));
    assert_eq!(admitted(&[("x-api-key", "none")]), Err(AuthError::NoKey));
    assert_eq!(admitted(&[("x-api-key", CAROL)]).as_deref(), Ok("carol"));
    assert_eq!(
        admitted(&[("x-hone-key", ALICE), KEY]).as_deref(),
        Ok("alice")
    );
    assert_eq!(
        directory.unknown_tenants(),
        0,
        "who is refused leaves nothing behind"
    );
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
            auth,
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

#[test]
fn a_header_that_names_no_upstream_is_refused() {
    for name in ["x-hone-key-mistral", "x-hone-key-"] {
        let error = principal(&config(), &[KEY, (name, "k")]).unwrap_err();
        assert_eq!(
            error,
            AuthError::UnknownUpstream {
                header: name.to_owned()
            }
        );
    }
}

#[test]
fn an_unvouched_key_is_charged_to_its_address_too() {
    let config = with_tenants(config());
    let gates = |lines: &[(&str, &str)]| {
        principal(&config, lines)
            .unwrap()
            .gates()
            .iter()
            .map(|gate| gate.scope())
            .collect::<Vec<_>>()
    };
    assert_eq!(gates(&[KEY]), [Scope::Tenant, Scope::Address]);
    assert_eq!(gates(&[]), [Scope::Address]);
    assert_eq!(gates(&[("x-api-key", CAROL)]), [Scope::Tenant]);
    assert_eq!(gates(&[("x-hone-key", ALICE), KEY]), [Scope::Tenant]);
}

#[test]
fn a_caller_is_unvouched_if_it_brings_a_key_that_nobody_knows() {
    let config = with_tenants(config());
    let unvouched = |lines: &[(&str, &str)]| principal(&config, lines).unwrap().is_unvouched();
    for (line, expected) in [
        (KEY, true),
        (("x-hone-key-openai", "k"), true),
        (("x-api-key", CAROL), false),
        (("x-hone-key", ALICE), false),
    ] {
        assert_eq!(unvouched(&[line]), expected, "{line:?}");
    }
    assert!(!unvouched(&[]) && !unvouched(&[("x-hone-key-openai", "none")]));
}

/// How many gates the second request of a key is charged to, after `upstream` answered its first
/// with `status`.
fn gates_after(
    config: &Config,
    lines: &[(&str, &str)],
    upstream: usize,
    status: StatusCode,
) -> usize {
    let directory = Directory::new(config);
    let first = identify(&directory, config, &head(lines), &remote()).unwrap();
    first.vouch(&config.upstreams[upstream], status);
    identify(&directory, config, &head(lines), &remote())
        .unwrap()
        .gates()
        .len()
}

#[tokio::test(start_paused = true)]
async fn a_success_of_an_upstream_that_checks_keys_vouches_for_one() {
    assert_eq!(gates_after(&config(), &[KEY], 0, StatusCode::OK), 1);
    for status in [401, 403, 400, 404, 429, 500, 503] {
        assert_eq!(
            gates_after(&config(), &[KEY], 0, StatusCode::from_u16(status).unwrap()),
            2,
            "{status}"
        );
    }
}

#[test]
fn only_an_upstream_that_was_given_the_callers_key_vouches_for_it() {
    let keyless = two_upstreams(UpstreamConfig {
        auth: AuthSlot::None,
        accepts_client_keys: true,
        ..upstream("local")
    });
    assert_eq!(
        gates_after(&keyless, &[KEY], 1, StatusCode::OK),
        2,
        "a keyless upstream has seen no key"
    );
    let paid = two_upstreams(UpstreamConfig {
        fallback: Some(fallback("gsk", FallbackFor::Anyone)),
        ..upstream("groq")
    });
    assert_eq!(
        gates_after(&paid, &[KEY], 1, StatusCode::OK),
        2,
        "the operator's key was good"
    );
    let lines = [KEY, ("x-hone-key-openai", "sk-other")];
    assert_eq!(
        gates_after(&config(), &lines, 0, StatusCode::OK),
        2,
        "another key was good"
    );
}

#[tokio::test(start_paused = true)]
async fn vouching_lapses_when_the_key_is_not_used() {
    let config = config();
    let directory = Directory::new(&config);
    let gates = || {
        identify(&directory, &config, &head(&[KEY]), &remote())
            .unwrap()
            .gates()
            .len()
    };
    identify(&directory, &config, &head(&[KEY]), &remote())
        .unwrap()
        .vouch(&config.upstreams[0], StatusCode::OK);
    tokio::time::advance(std::time::Duration::from_secs(3599)).await;
    assert_eq!(gates(), 1);
    tokio::time::advance(std::time::Duration::from_secs(1)).await;
    assert_eq!(gates(), 2);
}

#[test]
fn a_caller_has_the_permissions_of_its_tenant_and_a_stranger_has_all() {
    let permissions = Permissions {
        approaches: Some(vec!["bon".to_owned()]),
        models: Some(vec!["gpt-4o*".to_owned()]),
    };
    let alice = TenantConfig {
        keys: vec![KeyDigest::of(ALICE.as_bytes())],
        permissions: permissions.clone(),
        ..tenant("alice")
    };
    let config = Config {
        tenants: vec![Arc::new(alice)],
        ..config()
    };
    let alice = principal(&config, &[("x-hone-key", ALICE)]).unwrap();
    assert_eq!(alice.permissions(), &permissions);
    let stranger = principal(&config, &[KEY]).unwrap();
    assert_eq!(stranger.permissions(), &Permissions::ALL);
}

#[test]
fn tokens_count_where_any_limit_on_the_caller_is_in_tokens() {
    let counts =
        |config: &Config, lines: &[(&str, &str)]| principal(config, lines).unwrap().counts_tokens();
    assert!(!counts(
        &Config {
            limits: requests_per_minute(1),
            ..config()
        },
        &[KEY]
    ));
    assert!(counts(
        &Config {
            limits: every_limit(),
            ..config()
        },
        &[KEY]
    ));
    assert!(counts(
        &Config {
            address_limits: every_limit(),
            ..config()
        },
        &[KEY]
    ));
    assert!(!counts(
        &with_tenants(Config {
            address_limits: every_limit(),
            limits: every_limit(),
            ..config()
        }),
        &[("x-hone-key", ALICE)]
    ));
}

#[test]
fn debug_of_every_type_shows_no_key() {
    let config = two_upstreams(UpstreamConfig {
        fallback: Some(fallback("gsk-hidden", FallbackFor::Anyone)),
        ..upstream("groq")
    });
    let directory = Directory::new(&config);
    let lines = [
        ("authorization", "Bearer sk-hidden"),
        ("x-hone-key", ALICE),
        ("x-hone-key-groq", "also-hidden"),
    ];
    let principal = identify(&directory, &config, &head(&lines), &remote()).unwrap();
    let mut shown = vec![format!(
        "{principal:?} {directory:?} {config:?} {:?}",
        principal.gates()
    )];
    for upstream in &config.upstreams {
        shown.push(format!(
            "{:?}",
            principal.credential(upstream, &Method::POST, "chat/completions")
        ));
        shown.push(format!(
            "{:?}",
            principal.credential(upstream, &Method::GET, "files")
        ));
    }
    for lines in [
        &[("x-api-key", "one-hidden"), ("api-key", "two-hidden")][..],
        &[("x-hone-key", "hidden")],
        &[("authorization", "hidden")],
    ] {
        let error = identify(&directory, &config, &head(lines), &remote()).unwrap_err();
        shown.push(format!("{error:?} {error}"));
    }
    let shown = shown.concat();
    assert!(
        !shown.contains("hidden") && !shown.contains(ALICE),
        "{shown}"
    );
}
