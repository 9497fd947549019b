//! The full product of what a caller can send and an operator can configure, against a table of
//! rules that was written without looking at the resolver.

use super::*;
use crate::config::AuthSlot;

/// What stands in the provider slots: a name for the rules, and the lines.
const PROVIDER: [(&str, &[(&str, &str)]); 17] = [
    ("absent", &[]),
    ("absent", &[("authorization", "")]),
    ("absent", &[("authorization", "Bearer ")]),
    (
        "absent",
        &[("authorization", "Bearer none"), ("x-api-key", " ")],
    ),
    ("absent", &[("x-goog-api-key", "none")]),
    ("key", &[("authorization", "Bearer mine")]),
    (
        "key",
        &[
            ("authorization", "bearer mine"),
            ("api-key", "mine"),
            ("x-api-key", "none"),
        ],
    ),
    ("key", &[("x-goog-api-key", "mine")]),
    ("named", &[("x-api-key", CAROL)]),
    (
        "two",
        &[("authorization", "Bearer mine"), ("x-api-key", "other")],
    ),
    ("repeated", &[("api-key", "mine"), ("api-key", "mine")]),
    ("repeated", &[("x-api-key", ""), ("x-api-key", "mine")]),
    ("basic", &[("authorization", "Basic bWluZQ==")]),
    (
        "misplaced",
        &[("authorization", "Bearer Bearer hone-alice")],
    ),
    ("misplaced", &[("x-api-key", "'hone-bob'")]),
    ("misplaced", &[("api-key", "mine, hone-alice")]),
    ("misplaced", &[("user-agent", "agent (hone-alice)")]),
];

const GATEWAY: [(&str, &[(&str, &str)]); 7] = [
    ("absent", &[]),
    ("absent", &[("x-hone-key", " ")]),
    ("absent", &[("x-hone-key", "none")]),
    ("known", &[("x-hone-key", ALICE)]),
    ("known", &[("x-api-key", ALICE)]),
    ("known", &[("authorization", "Bearer hone-alice")]),
    ("unknown", &[("x-hone-key", "stranger")]),
];

const OWN_SLOT: [(&str, &[(&str, &str)]); 6] = [
    ("absent", &[]),
    ("absent", &[("x-hone-key-target", "none")]),
    ("absent", &[("x-hone-key-spare", "spares")]),
    ("key", &[("X-Hone-Key-Target", "targets")]),
    (
        "repeated",
        &[
            ("x-hone-key-target", "targets"),
            ("x-hone-key-target", "targets"),
        ],
    ),
    ("nobody's", &[("x-hone-key-nobody", "k")]),
];

/// Where the caller is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Here,
    BehindAProxy,
    /// In a browser, on a page of another site.
    Page,
}

const PLACES: [(Place, &[(&str, &str)]); 4] = [
    (Place::Here, &[("host", "localhost")]),
    (
        Place::BehindAProxy,
        &[("host", "localhost"), ("x-forwarded-for", "127.0.0.1")],
    ),
    (
        Place::BehindAProxy,
        &[("host", "localhost"), ("via", "1.0 nginx")],
    ),
    (
        Place::Page,
        &[("host", "localhost"), ("sec-fetch-site", "cross-site")],
    ),
];

/// One point of the product.
#[derive(Debug, Clone, Copy)]
struct Case {
    provider: &'static str,
    gateway: &'static str,
    own_slot: &'static str,
    place: Place,
    keyless: bool,
    accepts: bool,
    fallback: Option<FallbackFor>,
    access: Access,
    path: (&'static str, bool),
}

/// What must come of a request, in the words of the documents.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    BadRequest,
    InvalidGatewayKey,
    InvalidApiKey,
    UnknownKey,
    PathNotAllowed,
    Foreign,
    Nothing,
    Sends(&'static str, String),
}

type Rule = (fn(&Case) -> bool, fn(&Case) -> Outcome);

/// The first rule that applies decides.
const RULES: [Rule; 15] = [
    (|c| c.gateway == "unknown", |_| Outcome::InvalidGatewayKey),
    (
        |c| ["two", "repeated", "basic", "misplaced"].contains(&c.provider),
        |_| Outcome::BadRequest,
    ),
    (
        |c| ["repeated", "nobody's"].contains(&c.own_slot),
        |_| Outcome::BadRequest,
    ),
    (
        |c| c.access == Access::Known && c.gateway == "absent" && c.provider == "absent",
        |_| Outcome::InvalidApiKey,
    ),
    (
        |c| c.access == Access::Known && c.gateway == "absent" && c.provider == "key",
        |_| Outcome::UnknownKey,
    ),
    (
        |c| c.keyless && c.place == Place::Page,
        |_| Outcome::Foreign,
    ),
    (|c| c.keyless, |_| Outcome::Nothing),
    (
        |c| c.own_slot == "key",
        |_| Outcome::Sends("client", "targets".to_owned()),
    ),
    (
        |c| c.accepts && c.provider == "key",
        |_| Outcome::Sends("client", "mine".to_owned()),
    ),
    (
        |c| c.accepts && c.provider == "named",
        |_| Outcome::Sends("client", CAROL.to_owned()),
    ),
    (|c| c.fallback.is_none(), |_| Outcome::InvalidApiKey),
    (
        |c| c.fallback == Some(FallbackFor::Known) && c.gateway != "known",
        |_| Outcome::InvalidApiKey,
    ),
    (
        |c| {
            c.fallback == Some(FallbackFor::Loopback)
                && c.gateway != "known"
                && c.place != Place::Here
        },
        |_| Outcome::InvalidApiKey,
    ),
    (|c| !c.path.1, |_| Outcome::PathNotAllowed),
    (
        |_| true,
        |_| Outcome::Sends("fallback", "operators".to_owned()),
    ),
];

fn expected(case: &Case) -> Outcome {
    let (_, outcome) = RULES.iter().find(|(applies, _)| applies(case)).unwrap();
    outcome(case)
}

fn actual(case: &Case, directory: &Directory, config: &Config, lines: &[(&str, &str)]) -> Outcome {
    let resolved = identify(directory, config, &head(lines), &loopback()).and_then(|principal| {
        principal.credential(&config.upstreams[0], &Method::POST, case.path.0)
    });
    match resolved {
        Ok(credential) => match sent(&credential).pop() {
            Some((_, value)) => Outcome::Sends(
                credential.source().as_str(),
                value.trim_start_matches("Bearer ").to_owned(),
            ),
            None => Outcome::Nothing,
        },
        Err(AuthError::Slot(SlotError::UnknownGatewayKey)) => Outcome::InvalidGatewayKey,
        Err(
            AuthError::Slot(_) | AuthError::TwoTenants { .. } | AuthError::UnknownUpstream { .. },
        ) => Outcome::BadRequest,
        Err(AuthError::NoKey | AuthError::NoCredential { .. }) => Outcome::InvalidApiKey,
        Err(AuthError::UnknownKey) => Outcome::UnknownKey,
        Err(AuthError::FallbackPathNotAllowed { .. }) => Outcome::PathNotAllowed,
        Err(AuthError::UnusableKey { .. }) => panic!("every key here can be sent"),
        Err(AuthError::Foreign { .. }) => Outcome::Foreign,
        Err(AuthError::EndpointNotAllowed) => panic!("a credential is asked for"),
    }
}

/// Every configuration of the target upstream, with what it says in words.
fn configurations() -> Vec<(Config, Case)> {
    let mut all = Vec::new();
    for access in [Access::Open, Access::Known] {
        for fallback in [
            None,
            Some(FallbackFor::Known),
            Some(FallbackFor::Loopback),
            Some(FallbackFor::Anyone),
        ] {
            for (keyless, accepts) in [(false, false), (false, true), (true, false), (true, true)] {
                let target = UpstreamConfig {
                    auth: if keyless {
                        Some(AuthSlot::None)
                    } else {
                        Some(AuthSlot::Bearer)
                    },
                    accepts_client_keys: accepts,
                    fallback: fallback.map(|allowed| super::fallback("operators", allowed)),
                    ..upstream("target")
                };
                let upstreams = vec![Arc::new(target), Arc::new(upstream("spare"))];
                let config = with_tenants(Config {
                    access,
                    upstreams,
                    ..config()
                });
                let path = ("", false);
                let (provider, gateway, own_slot) = ("", "", "");
                all.push((
                    config,
                    Case {
                        provider,
                        gateway,
                        own_slot,
                        place: Place::Here,
                        keyless,
                        accepts,
                        fallback,
                        access,
                        path,
                    },
                ));
            }
        }
    }
    all
}

/// Everything that a caller can send, with what it says in words.
fn requests(setting: Case) -> impl Iterator<Item = (Case, Vec<(&'static str, &'static str)>)> {
    PROVIDER.into_iter().flat_map(move |(provider, first)| {
        GATEWAY.into_iter().flat_map(move |(gateway, second)| {
            OWN_SLOT.into_iter().flat_map(move |(own_slot, third)| {
                PLACES.into_iter().map(move |(place, fourth)| {
                    (
                        Case {
                            provider,
                            gateway,
                            own_slot,
                            place,
                            ..setting
                        },
                        [first, second, third, fourth].concat(),
                    )
                })
            })
        })
    })
}

#[test]
fn every_combination_of_keys_and_settings_resolves_as_the_rules_say() {
    let mut seen = 0;
    for (config, setting) in configurations() {
        let directory = Directory::new(&config);
        for (case, lines) in requests(setting) {
            for path in [("chat/completions", true), ("files", false)] {
                let case = Case { path, ..case };
                assert_eq!(
                    actual(&case, &directory, &config, &lines),
                    expected(&case),
                    "{case:?} {lines:?}"
                );
                seen += 1;
            }
        }
    }
    assert_eq!(seen, 32 * 17 * 7 * 6 * 4 * 2);
}
