//! Forwarding headers: nobody but a trusted proxy is believed, and what a stranger writes in front
//! of what the proxy adds changes nothing.
//!
//! Line 1 is the peer's address, the rest are headers.
#![no_main]

use std::net::IpAddr;

use hone::tenant::client_address;
use hone_fuzz::{first_line_of_bytes, headers};
use http::{HeaderMap, HeaderValue};
use ipnet::IpNet;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let (peer, rest) = first_line_of_bytes(text);
    let Some(peer) = std::str::from_utf8(peer)
        .ok()
        .and_then(|peer| peer.parse::<IpAddr>().ok())
    else {
        return;
    };
    let trusted: Vec<IpNet> = ["10.0.0.0/8", "fd00::/8", "127.0.0.1/32"]
        .iter()
        .map(|net| net.parse().expect("a network"))
        .collect();
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    let headers = headers(rest);
    let client = client_address(&headers, peer, &trusted);
    assert_eq!(client, client.to_canonical());
    if !is_trusted(&peer.to_canonical()) {
        return assert_eq!(client, peer.to_canonical(), "a stranger speaks for nobody");
    }
    if !is_trusted(&client) {
        assert_eq!(
            client_address(&with_in_front(&headers, "1.2.3.4"), peer, &trusted),
            client
        );
        assert_eq!(
            client_address(&with_in_front(&headers, "not an address"), peer, &trusted),
            client
        );
    }
});

/// The headers as a proxy gets them from a client that wrote a line of its own.
fn with_in_front(headers: &HeaderMap, value: &'static str) -> HeaderMap {
    let mut changed = HeaderMap::new();
    changed.append("x-forwarded-for", HeaderValue::from_static(value));
    for (name, value) in headers {
        changed.append(name, value.clone());
    }
    changed
}
