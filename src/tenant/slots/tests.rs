use proptest::prelude::*;

use super::*;
use crate::tenant::GATEWAY_KEY_PREFIX;

const GATEWAY: &str = "hone-alice";

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in lines {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    map
}

fn read(lines: &[(&str, &str)]) -> Result<Slots, SlotError> {
    let alice = KeyDigest::of(GATEWAY.as_bytes());
    Slots::read(&headers(lines), &["none".to_owned()], &|digest| {
        standing(*digest == alice)
    })
}

fn standing(is_gateway: bool) -> KeyStanding {
    if is_gateway {
        KeyStanding::Gateway
    } else {
        KeyStanding::Unknown
    }
}

fn provider(lines: &[(&str, &str)]) -> Option<String> {
    let slots = read(lines).unwrap();
    slots
        .provider()
        .map(|key| String::from_utf8(key.expose().to_vec()).unwrap())
}

#[test]
fn every_provider_slot_carries_a_key() {
    for (name, value) in [
        ("authorization", "Bearer k"),
        ("x-api-key", "k"),
        ("api-key", "k"),
        ("x-goog-api-key", "k"),
    ] {
        assert_eq!(provider(&[(name, value)]).as_deref(), Some("k"), "{name}");
    }
}

#[test]
fn the_shape_of_a_key_means_nothing() {
    let long = "x".repeat(2048);
    for key in [
        "abc",
        "sk-proj-1",
        "gsk_1",
        "AIza-1",
        "Bearer",
        "none ",
        "None",
        "a,b",
        "k\u{e9}y",
        "two words",
        &long,
    ] {
        let bearer = format!("Bearer {key}");
        let expected = (key != "none ").then_some(key);
        assert_eq!(
            provider(&[("authorization", &bearer)]).as_deref(),
            expected,
            "{key}"
        );
        assert_eq!(
            provider(&[("x-api-key", key)]).as_deref(),
            expected,
            "{key}"
        );
    }
}

#[test]
fn the_bearer_scheme_has_no_case() {
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        assert_eq!(
            provider(&[("authorization", &format!("{scheme}   k"))]).as_deref(),
            Some("k"),
            "{scheme}"
        );
    }
}

#[test]
fn blank_values_and_placeholders_are_absent() {
    for value in [
        "",
        " ",
        "Bearer",
        "bearer ",
        "Bearer none",
        "Bearer \t none",
    ] {
        assert_eq!(
            provider(&[("authorization", value), ("x-api-key", "k")]).as_deref(),
            Some("k"),
            "{value:?}"
        );
    }
    assert_eq!(
        provider(&[
            ("x-api-key", "none"),
            ("api-key", ""),
            ("x-goog-api-key", "\t")
        ]),
        None
    );
    assert!(
        read(&[("x-hone-key", "none")])
            .unwrap()
            .gateway()
            .is_empty()
    );
    assert!(
        read(&[("x-hone-key-openai", "none")])
            .unwrap()
            .for_upstream("openai")
            .is_none()
    );
}

#[test]
fn equal_keys_in_two_slots_agree() {
    assert_eq!(
        provider(&[
            ("authorization", "Bearer k"),
            ("x-api-key", "k"),
            ("api-key", "k")
        ])
        .as_deref(),
        Some("k")
    );
}

#[test]
fn different_keys_in_two_slots_are_refused() {
    let error = read(&[("x-goog-api-key", "other"), ("x-api-key", "k")]).unwrap_err();
    let expected = SlotError::Conflict {
        first: HeaderName::from_static("x-api-key"),
        second: HeaderName::from_static("x-goog-api-key"),
    };
    assert_eq!(error, expected);
}

#[test]
fn a_repeated_line_is_refused_even_if_it_says_the_same() {
    for (name, one, two) in [
        ("authorization", "Bearer k", "Bearer k"),
        ("authorization", "Bearer k", "Basic dTpw"),
        ("authorization", "Bearer none", "Bearer k"),
        ("x-api-key", "k", "other"),
        ("api-key", "", "k"),
        ("x-hone-key-openai", "k", "k"),
    ] {
        let error = read(&[(name, one), (name, two)]).unwrap_err();
        assert_eq!(
            error,
            SlotError::Repeated {
                slot: HeaderName::from_static(name)
            },
            "{name}: {one}, {two}"
        );
    }
}

#[test]
fn another_authorization_scheme_is_refused() {
    for value in [
        "Basic dTpw",
        "k",
        "BearerX",
        "Bearer,k",
        "Token token=k",
        "none",
    ] {
        assert_eq!(
            read(&[("authorization", value)]).unwrap_err(),
            SlotError::NotBearer,
            "{value}"
        );
    }
}

#[test]
fn a_gateway_key_is_recognised_in_every_slot_and_never_kept() {
    let bearer = format!("Bearer {GATEWAY}");
    for (name, value) in [
        ("authorization", bearer.as_str()),
        ("x-api-key", GATEWAY),
        ("api-key", GATEWAY),
        ("x-goog-api-key", GATEWAY),
        ("x-hone-key", GATEWAY),
        ("x-hone-key-openai", GATEWAY),
    ] {
        let slots = read(&[(name, value)]).unwrap();
        assert_eq!(
            slots.gateway(),
            [KeyDigest::of(GATEWAY.as_bytes())],
            "{name}"
        );
        assert!(
            slots.provider().is_none() && slots.for_upstream("openai").is_none(),
            "{name}"
        );
    }
}

#[test]
fn a_gateway_key_is_taken_out_before_conflicts_are_judged() {
    let bearer = format!("Bearer {GATEWAY}");
    assert_eq!(
        provider(&[("authorization", &bearer), ("x-api-key", "k")]).as_deref(),
        Some("k")
    );
    assert_eq!(
        provider(&[("x-api-key", GATEWAY), ("authorization", "Bearer k")]).as_deref(),
        Some("k")
    );
    assert_eq!(
        provider(&[("authorization", &bearer), ("authorization", "Bearer k")]).as_deref(),
        Some("k")
    );
}

#[test]
fn an_unknown_gateway_key_is_refused_before_anything_else_is_judged() {
    for others in [
        &[("x-api-key", "k")][..],
        &[("x-api-key", "k"), ("x-api-key", "k")],
        &[("authorization", "Basic dTpw")],
    ] {
        let lines = [&[("x-hone-key", "stranger")][..], others].concat();
        assert_eq!(read(&lines).unwrap_err(), SlotError::UnknownGatewayKey);
    }
}

#[test]
fn each_upstream_has_a_slot_of_its_own() {
    let slots = read(&[
        ("x-hone-key-Groq", "g"),
        ("x-hone-key-my.box_1", "b"),
        ("authorization", "Bearer k"),
    ])
    .unwrap();
    assert_eq!(
        slots.for_upstream("groq").map(Secret::expose),
        Some(&b"g"[..])
    );
    assert_eq!(
        slots.for_upstream("My.Box_1").map(Secret::expose),
        Some(&b"b"[..])
    );
    assert_eq!(slots.provider().map(Secret::expose), Some(&b"k"[..]));
    let mut names: Vec<_> = slots.upstream_names().collect();
    names.sort_unstable();
    assert_eq!(names, ["groq", "my.box_1"]);
}

#[test]
fn debug_shows_no_key() {
    let slots = read(&[
        ("authorization", "Bearer sk-hidden"),
        ("x-hone-key-groq", "gsk-hidden"),
        ("x-hone-key", GATEWAY),
    ])
    .unwrap();
    let text = format!("{slots:?}");
    assert!(
        !text.contains("hidden") && !text.contains(GATEWAY),
        "{text}"
    );
    let error = read(&[("x-api-key", "hidden-1"), ("api-key", "hidden-2")]).unwrap_err();
    assert!(!format!("{error:?} {error}").contains("hidden"));
}

proptest! {
    #[test]
    fn whatever_is_read_is_the_bytes_that_were_sent(key in "[!-~]{1,40}",
        scheme in "[Bb][Ee][Aa][Rr][Ee][Rr]") {
        prop_assume!(key != "none" && key != GATEWAY);
        prop_assert_eq!(provider(&[("authorization", &format!("{scheme} {key}"))]),
            Some(key.clone()));
        prop_assert_eq!(provider(&[("x-api-key", &key)]), Some(key));
    }

    #[test]
    fn no_header_value_makes_the_reader_panic(slot in 0usize..6,
        value in prop::collection::vec(any::<u8>(), 0..64)) {
        let Ok(value) = HeaderValue::from_bytes(&value) else { return Ok(()) };
        let name = ["authorization", "x-api-key", "api-key", "x-goog-api-key", "x-hone-key",
            "x-hone-key-"][slot];
        let mut map = HeaderMap::new();
        map.append(HeaderName::from_static(name), value);
        if let Ok(slots) = Slots::read(&map, &[], &|_| KeyStanding::Unknown) {
            prop_assert!(slots.gateway().is_empty());
        }
    }
}

#[test]
fn a_key_that_hone_made_and_nobody_has_is_refused_in_every_slot_unless_it_was_named_as_a_providers()
{
    let lost = format!("{GATEWAY_KEY_PREFIX}0123");
    for (name, value) in [
        ("authorization", format!("Bearer {lost}")),
        ("x-api-key", lost.clone()),
        ("api-key", lost.clone()),
        ("x-goog-api-key", lost.clone()),
        ("x-hone-key-openai", lost.clone()),
    ] {
        let slot = HeaderName::from_static(name);
        assert_eq!(
            read(&[(name, &value)]).unwrap_err(),
            SlotError::LostGatewayKey { slot },
            "{name}"
        );
        let slots =
            Slots::read(&headers(&[(name, &value)]), &[], &|_| KeyStanding::Provider).unwrap();
        assert!(slots.has_keys(), "{name}");
    }
    assert_eq!(
        read(&[("x-hone-key", &lost)]).unwrap_err(),
        SlotError::UnknownGatewayKey
    );
}

#[test]
fn a_gateway_key_among_other_text_is_refused_in_every_slot() {
    let made = format!("{GATEWAY_KEY_PREFIX}{}", "a1".repeat(32));
    for key in [GATEWAY, &made, &made.to_uppercase()] {
        let forms = [
            format!("Bearer {key}"),
            format!("\"{key}\""),
            format!("'{key}'"),
            format!("`{key}`"),
            format!("\u{201c}{key}\u{201d}"),
            format!("Key {key}"),
            format!("sk-p, {key}"),
            format!("{key}, sk-p"),
            format!("{key},"),
            format!(",{key}"),
            format!("{key}, Bearer x"),
            format!("token={key}"),
            format!("[{key}]"),
            format!("user:{key}"),
        ];
        for form in forms {
            for name in [
                "authorization",
                "x-api-key",
                "api-key",
                "x-goog-api-key",
                "x-hone-key-openai",
            ] {
                let value = if name == "authorization" {
                    format!("Bearer {form}")
                } else {
                    form.clone()
                };
                let error = read(&[(name, &value)]).unwrap_err();
                let is_refused = match &error {
                    SlotError::Misplaced { place } => {
                        *place == KeyPlace::Header(HeaderName::from_static(name))
                    }
                    // One that begins as hone's keys do.
                    SlotError::LostGatewayKey { .. } => gateway_key::has_prefix(form.as_bytes()),
                    _ => false,
                };
                assert!(is_refused, "{name}: {value}: {error:?}");
                assert!(!format!("{error:?} {error}").contains(key), "{error:?}");
            }
        }
    }
}

#[test]
fn a_key_that_another_hone_made_passes_where_it_was_named_as_a_providers() {
    let made = format!("{GATEWAY_KEY_PREFIX}{}", "a1".repeat(32));
    let standing = |digest: &KeyDigest| {
        if *digest == KeyDigest::of(made.as_bytes()) {
            KeyStanding::Provider
        } else {
            KeyStanding::Unknown
        }
    };
    let bearer = format!("Bearer {made}");
    for line in [("authorization", bearer.as_str()), ("x-api-key", &made)] {
        let slots = Slots::read(&headers(&[line]), &[], &standing).unwrap();
        assert_eq!(slots.provider().unwrap().expose(), made.as_bytes());
    }
}

#[test]
fn a_revoked_key_is_refused_in_every_slot_whatever_it_looks_like() {
    for name in [
        "authorization",
        "x-api-key",
        "api-key",
        "x-goog-api-key",
        "x-hone-key",
        "x-hone-key-openai",
    ] {
        let value = if name == "authorization" {
            "Bearer k"
        } else {
            "k"
        };
        let error =
            Slots::read(&headers(&[(name, value)]), &[], &|_| KeyStanding::Revoked).unwrap_err();
        assert_eq!(
            error,
            SlotError::Revoked {
                slot: HeaderName::from_static(name)
            }
        );
    }
}
