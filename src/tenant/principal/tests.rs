use super::super::credential::CredentialSource;
use super::super::fixture::{
    ALICE, BOB, CAROL, config, credential, every_limit, fallback, from, head, identify, loopback,
    principal, remote, requests_per_minute, sent, tenant, upstream, with_tenants,
};
use super::super::{NotLocal, SlotError};
use super::*;
use crate::admission::Scope;
use crate::config::KeyDigest;

mod credentials;
mod product;
mod reports;
mod vouching;

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
