//! Key slots: headers, one a line as `name: value`, give one set of keys or an error; neither shows
//! a key.
#![no_main]

use hone::config::KeyDigest;
use hone::tenant::{GATEWAY_KEY_PREFIX, KeyStanding, slots};
use hone_fuzz::headers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let gateway = KeyDigest::of(b"gateways");
    let is_gateway = |digest: &KeyDigest| *digest == gateway;
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
        assert!(
            !key.expose().starts_with(GATEWAY_KEY_PREFIX.as_bytes()),
            "nor does one that was revoked"
        );
        let words = key
            .expose()
            .split(|byte| byte.is_ascii_whitespace() || b",\"'".contains(byte));
        for word in words.filter(|word| word.len() >= 8) {
            assert!(
                !is_gateway(&KeyDigest::of(word)),
                "nor does one beside other text"
            );
        }
        // What a stranger writes in a header's name is no secret of its value.
        let is_named = |key: &&str| headers.keys().any(|name| name.as_str().contains(*key));
        let long_enough = std::str::from_utf8(key.expose())
            .ok()
            .filter(|key| key.len() > 20 && !is_named(key));
        assert!(
            long_enough.is_none_or(|key| !shown.contains(key)),
            "a key is never shown"
        );
    }
});
