//! Key slots: headers, one a line as `name: value`, give one set of keys or an error; neither shows
//! a key. Whatever is a gateway key, or looks like one, passes in no slot, however it is wrapped.
#![no_main]

use hone::config::KeyDigest;
use hone::tenant::{GATEWAY_KEY_PREFIX, KeyStanding, slots};
use hone_fuzz::headers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let known = [KeyDigest::of(b"gateways"), KeyDigest::of(b"old=key/of:bob")];
    let is_gateway = |digest: &KeyDigest| known.contains(digest);
    let placeholders = ["none".to_owned()];
    let headers = headers(text);
    let standing = |digest: &KeyDigest| {
        if is_gateway(digest) {
            KeyStanding::Gateway
        } else {
            KeyStanding::Unknown
        }
    };
    let Ok(slots) = slots::Slots::read(&headers, &placeholders, &standing) else {
        return;
    };
    assert!(slots.gateway().iter().all(is_gateway));
    let shown = format!("{slots:?}");
    for key in slots.provider().into_iter().chain(
        slots
            .upstream_names()
            .filter_map(|name| slots.for_upstream(name)),
    ) {
        assert!(
            !is_gateway(&KeyDigest::of(key.expose())),
            "a gateway key never leaves its slot"
        );
        assert!(!key.expose().is_empty());
        passes_no_gateway_key(key.expose(), &is_gateway);
        // What a stranger writes in a header's name is no secret of its value, nor is a key that
        // spells what is shown without it.
        let is_named = |key: &&str| headers.keys().any(|name| name.as_str().contains(*key));
        let long_enough = std::str::from_utf8(key.expose())
            .ok()
            .filter(|key| key.len() > 20 && !key.contains(['{', ':']) && !is_named(key));
        assert!(
            long_enough.is_none_or(|key| !shown.contains(key)),
            "a key is never shown"
        );
    }
});

/// Signs around which a key is still a key.
const AROUND: &[u8] = b" \t,\"'`;&?()<>[]{}|";

fn passes_no_gateway_key(text: &[u8], is_gateway: &dyn Fn(&KeyDigest) -> bool) {
    let begins = |text: &[u8]| {
        text.get(..GATEWAY_KEY_PREFIX.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(GATEWAY_KEY_PREFIX.as_bytes()))
    };
    assert!(!begins(text), "nor does one that was revoked");
    for word in text.split(|byte| AROUND.contains(byte)) {
        assert!(
            word.len() < 8 || !is_gateway(&KeyDigest::of(word)),
            "nor does one beside other text"
        );
    }
    let made = GATEWAY_KEY_PREFIX.len() + 64;
    for made in text.windows(made).filter(|part| begins(part)) {
        let digits = &made[GATEWAY_KEY_PREFIX.len()..];
        assert!(
            !digits.iter().all(u8::is_ascii_hexdigit),
            "nor does what hone makes, wherever it stands"
        );
    }
}
