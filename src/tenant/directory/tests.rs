use std::net::{Ipv4Addr, Ipv6Addr};

use tokio::time::{Duration, advance};

use super::super::fixture::{
    ALICE, config, every_limit, from, head, identify, principal, remote, requests_per_minute,
    with_tenants,
};
use super::*;
use crate::admission::{self, Estimate, FirstWave, PlanBound};

const ONE_CALL: FirstWave = FirstWave {
    calls: 1,
    per_call: Estimate {
        input: 0,
        output: 0,
    },
};

/// Whether a request with `key` from `address` gets in; if so it is over at once, and has cost what
/// it costs.
fn request(directory: &Directory, config: &Config, key: &str, address: &str) -> bool {
    let principal = identify(
        directory,
        config,
        &head(&[("x-api-key", key)]),
        &from(address),
    )
    .unwrap();
    charge(principal.gates())
}

fn charge(gates: &[Arc<Gate>]) -> bool {
    let whole = PlanBound {
        calls: 1,
        input_tokens: 0,
    };
    admission::enter(gates)
        .and_then(|entry| entry.reserve(ONE_CALL, whole, &[]))
        .is_ok()
}

fn remaining(directory: &Directory, config: &Config, lines: &[(&str, &str)]) -> u64 {
    let principal = identify(directory, config, &head(lines), &remote()).unwrap();
    principal.gates()[0].status()[0].remaining
}

fn small(unknown_tenants: usize, limits: Limits, address_limits: Limits) -> Config {
    let mut config = Config {
        limits,
        address_limits,
        ..config()
    };
    config.bounds.unknown_tenants = unknown_tenants;
    config
}

#[tokio::test(start_paused = true)]
async fn random_keys_are_held_by_their_addresss_limit_and_stay_under_the_cap() {
    let config = small(1_000, requests_per_minute(60), requests_per_minute(600));
    let directory = Directory::new(&config);
    let mut admitted = 0;
    for number in 0..10_000 {
        admitted += u32::from(request(
            &directory,
            &config,
            &format!("random-{number}"),
            "203.0.113.7",
        ));
    }
    assert_eq!(admitted, 600);
    assert_eq!(directory.unknown_tenants(), 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_million_random_keys_stay_under_the_cap() {
    // Past the hashing of keys, which costs most of the time and is the same for each.
    let members = Members::new();
    let address = Arc::new(Gate::new(Scope::Address, &requests_per_minute(600)));
    let mut admitted = 0;
    for number in 0..1_000_000_u64 {
        let mut tag = [0; 32];
        tag[..8].copy_from_slice(&number.to_be_bytes());
        let member = members.find_or_admit(tag, 1_000, || {
            Stranger::new("key:0", Scope::Tenant, &requests_per_minute(60))
        });
        let gates: Vec<_> = member
            .iter()
            .map(|member| Arc::clone(&member.gate))
            .chain([Arc::clone(&address)])
            .collect();
        admitted += u32::from(charge(&gates));
    }
    assert_eq!((admitted, members.len()), (600, 1_000));
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_keys_evicts_no_tenant_whose_state_matters() {
    let config = small(100, requests_per_minute(60), requests_per_minute(1_000_000));
    let directory = Directory::new(&config);
    for _ in 0..60 {
        assert!(request(&directory, &config, "spent", "203.0.113.7"));
    }
    let vouched = identify(
        &directory,
        &config,
        &head(&[("x-api-key", "vouched")]),
        &remote(),
    )
    .unwrap();
    vouched.vouch(&config.upstreams[0], http::StatusCode::OK);
    let held = identify(
        &directory,
        &config,
        &head(&[("x-api-key", "held")]),
        &remote(),
    )
    .unwrap();
    drop(vouched);
    for number in 0..10_000 {
        request(
            &directory,
            &config,
            &format!("random-{number}"),
            "198.51.100.1",
        );
    }
    assert!(directory.unknown_tenants() <= 100);
    assert!(
        !request(&directory, &config, "spent", "203.0.113.7"),
        "its minute is not over"
    );
    let again =
        |key| identify(&directory, &config, &head(&[("x-api-key", key)]), &remote()).unwrap();
    assert!(again("vouched").tag().starts_with("key:"));
    assert_eq!(again("vouched").gates().len(), 1);
    assert!(
        Arc::ptr_eq(&again("held").gates()[0], &held.gates()[0]),
        "two requests of one key share one gate"
    );
}

#[tokio::test(start_paused = true)]
async fn at_the_cap_an_unknown_key_is_served_from_its_addresss_entry() {
    let config = small(3, requests_per_minute(60), requests_per_minute(600));
    let directory = Directory::new(&config);
    for key in ["a", "b", "c"] {
        assert!(request(&directory, &config, key, "203.0.113.7"));
    }
    let fourth = identify(&directory, &config, &head(&[("x-api-key", "d")]), &remote()).unwrap();
    let keyless = identify(&directory, &config, &head(&[]), &remote()).unwrap();
    assert_eq!(fourth.tag(), keyless.tag());
    assert!(fourth.is_unvouched());
    assert!(
        fourth
            .credential(
                &config.upstreams[0],
                &http::Method::POST,
                "chat/completions"
            )
            .is_ok(),
        "its key still pays"
    );
    drop((fourth, keyless));
    advance(Duration::from_secs(60)).await;
    let fifth = identify(&directory, &config, &head(&[("x-api-key", "e")]), &remote()).unwrap();
    assert!(fifth.tag().starts_with("key:"), "idle keys have made room");
    assert_eq!(directory.unknown_tenants(), 3);
}

#[tokio::test(start_paused = true)]
async fn addresses_are_capped_too_and_those_without_room_share_one_entry() {
    let config = small(3, Limits::default(), requests_per_minute(600));
    let directory = Directory::new(&config);
    let tag = |address: &str| {
        identify(&directory, &config, &head(&[]), &from(address))
            .unwrap()
            .tag()
            .to_owned()
    };
    for address in ["203.0.113.1", "203.0.113.2", "203.0.113.3"] {
        assert!(request(&directory, &config, "k", address));
    }
    assert_eq!(tag("203.0.113.4"), "addr:crowd");
    assert_eq!(tag("203.0.113.5"), "addr:crowd");
    assert_ne!(tag("203.0.113.1"), "addr:crowd");
    for number in 0..10_000_u32 {
        let address = Ipv4Addr::from(number + 0x0a00_0000);
        tag(&address.to_string());
    }
    assert_eq!(directory.addresses.len(), 3);
}

#[test]
fn an_ipv6_caller_is_its_64_bit_network() {
    let directory = Directory::new(&config());
    let tag = |address: Ipv6Addr| {
        identify(
            &directory,
            &config(),
            &head(&[]),
            &from(&address.to_string()),
        )
        .unwrap()
        .tag()
        .to_owned()
    };
    let first = tag("2001:db8:1:2::1".parse().unwrap());
    assert_eq!(tag("2001:db8:1:2:ffff::9".parse().unwrap()), first);
    assert_ne!(tag("2001:db8:1:3::1".parse().unwrap()), first);
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_what_was_spent() {
    let config = with_tenants(Config {
        limits: requests_per_minute(60),
        address_limits: requests_per_minute(600),
        ..config()
    });
    let limited = |limit| {
        let mut tenants = config.tenants.clone();
        tenants[0] = Arc::new(TenantConfig {
            limits: requests_per_minute(limit),
            ..(*tenants[0]).clone()
        });
        Config {
            tenants,
            limits: requests_per_minute(limit),
            tenant_secret: Some(Secret::new("a secret for tests")),
            ..config.clone()
        }
    };
    let directory = Directory::new(&limited(60));
    let gateway = [("x-hone-key", ALICE)];
    let stranger = [("x-api-key", "k")];
    for lines in [gateway, stranger] {
        let principal = identify(&directory, &config, &head(&lines), &remote()).unwrap();
        assert!(charge(principal.gates()));
    }
    assert_eq!(
        (
            remaining(&directory, &config, &gateway),
            remaining(&directory, &config, &stranger)
        ),
        (59, 59)
    );
    directory.reload(&limited(60));
    assert_eq!(
        (
            remaining(&directory, &config, &gateway),
            remaining(&directory, &config, &stranger)
        ),
        (59, 59)
    );
    directory.reload(&limited(10));
    assert_eq!(
        (
            remaining(&directory, &config, &gateway),
            remaining(&directory, &config, &stranger)
        ),
        (9, 9)
    );
}

#[tokio::test(start_paused = true)]
async fn a_request_from_before_a_reload_leaves_no_old_limits_behind() {
    let limited = |limit| Config {
        limits: requests_per_minute(limit),
        address_limits: requests_per_minute(limit),
        ..config()
    };
    let directory = Directory::new(&limited(60));
    let before = directory.index();
    directory.reload(&limited(10));
    let key = ProviderKey {
        slot: crate::config::AuthSlot::Bearer,
        key: Secret::new("k"),
        digest: KeyDigest::of(b"k"),
    };
    let entries = [
        directory.key(&before, &key).unwrap(),
        directory.address(&before, [203, 0, 113, 7].into()),
    ];
    for entry in entries {
        assert_eq!(entry.gate.status()[0].limit, 10);
    }
}

#[test]
fn a_reload_knows_new_tenants_and_forgets_removed_ones() {
    let directory = Directory::new(&config());
    let known = |config: &Config| {
        identify(
            &directory,
            config,
            &head(&[("x-hone-key", ALICE)]),
            &remote(),
        )
        .is_ok()
    };
    assert!(!known(&config()));
    directory.reload(&with_tenants(config()));
    assert!(known(&config()));
    directory.reload(&config());
    assert!(!known(&config()));
}

#[test]
fn a_tag_tells_nothing_without_the_secret() {
    let with = |secret: Option<&str>| Config {
        tenant_secret: secret.map(Secret::new),
        ..config()
    };
    let tag = |config: &Config| {
        principal(config, &[("x-api-key", "k")])
            .unwrap()
            .tag()
            .to_owned()
    };
    assert_eq!(tag(&with(Some("s"))), tag(&with(Some("s"))));
    assert_ne!(tag(&with(Some("s"))), tag(&with(Some("t"))));
    assert_ne!(
        tag(&with(None)),
        tag(&with(None)),
        "each process makes up its own"
    );
    let directory = Directory::new(&with(None));
    let tag = || {
        identify(
            &directory,
            &config(),
            &head(&[("x-api-key", "k")]),
            &remote(),
        )
        .unwrap()
        .tag()
        .to_owned()
    };
    let before = tag();
    directory.reload(&with(None));
    assert_eq!(tag(), before, "and keeps it");
    directory.reload(&with(Some("s")));
    assert_ne!(tag(), before);
    assert_eq!(directory.unknown_tenants(), 1);
}

#[test]
fn unregistered_keys_take_at_most_192_mib_and_a_hundred_thousand_have_room_in_it() {
    // Arc's two counters, and 7/8 of a table that has just doubled: 16/7 places for each entry.
    let arc = 2 * size_of::<usize>();
    let place = (size_of::<([u8; 32], Arc<Stranger>)>() + 1) * 16 / 7 + 2 * size_of::<[u8; 32]>();
    let name = arc + "addr:0123456789abcdef".len();
    let entry = arc + size_of::<Stranger>() + arc + size_of::<Gate>() + name + place;
    assert!(entry <= BARE_ENTRY_BYTES, "{entry}");
    for limits in [Limits::default(), requests_per_minute(60), every_limit()] {
        let mut config = small(usize::MAX, limits, limits);
        config.bounds.unknown_tenants = usize::MAX;
        let directory = Directory::new(&config);
        let index = directory.index();
        assert!(
            index.most_keys * entry_bytes(&limits, limits.tokens_per_minute.is_some())
                <= MOST_BYTES
        );
        assert!(index.most_keys >= 100_000, "{}", index.most_keys);
    }
    assert_eq!(
        Directory::new(&config()).index().most_keys,
        100_000,
        "the stated cap"
    );
}
