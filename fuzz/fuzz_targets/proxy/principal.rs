//! Whole request heads: whose key goes to which upstream. Line 1 is the peer's address, line 2 the
//! method and the path below `/v1`, the rest headers.
#![no_main]

use std::net::{IpAddr, SocketAddr};
use std::sync::LazyLock;

use hone::config::Config;
use hone::tenant::{Credential, Directory, Peer, client_address, identify, whoami};
use hone_fuzz::{first_line_of_bytes, headers};
use http::request::Parts;
use http::{HeaderMap, Method, Request};
use libfuzzer_sys::fuzz_target;

/// Its digest stands in the configuration.
const GATEWAY_KEY: &str = "the key of alice";
const FALLBACK_KEY: &str = "the key of the operator";

const CONFIG: &str = r#"
trusted_proxies = ["10.0.0.0/8"]
[[upstream]]
name = "first"
base_url = "http://127.0.0.1:9/v1"
fallback_key = { env = "K" }
fallback_for = "known"
[[upstream]]
name = "local"
base_url = "http://127.0.0.1:9/v1"
auth = "x-api-key"
accepts_client_keys = true
fallback_key = { env = "K" }
fallback_for = "loopback"
[[upstream]]
name = "keyless"
base_url = "http://127.0.0.1:9/v1"
auth = "none"
[[tenant]]
name = "alice"
keys = ["DIGEST"]
"#;

static SERVER: LazyLock<Config> = LazyLock::new(|| {
    let digest = hone::config::KeyDigest::of(GATEWAY_KEY.as_bytes()).to_string();
    Config::parse(&CONFIG.replace("DIGEST", &digest), &|_| {
        Some(FALLBACK_KEY.to_owned())
    })
    .expect("the configuration above")
});

fuzz_target!(|text: &[u8]| {
    let (peer, rest) = first_line_of_bytes(text);
    let (line, rest) = first_line_of_bytes(rest);
    let Some(peer) = std::str::from_utf8(peer)
        .ok()
        .and_then(|peer| peer.parse::<IpAddr>().ok())
    else {
        return;
    };
    let Some((method, path)) = std::str::from_utf8(line)
        .ok()
        .and_then(|line| line.split_once(' '))
    else {
        return;
    };
    let Ok(method) = Method::from_bytes(method.as_bytes()) else {
        return;
    };
    let head = head(&method, headers(rest));
    let listener = if peer.is_loopback() {
        SocketAddr::new(peer, 8000)
    } else {
        SocketAddr::from(([198, 51, 100, 1], 8000))
    };
    let peer = Peer {
        address: SocketAddr::new(peer, 40_000),
        listener,
    };
    let client = client_address(&head.headers, peer.address.ip(), &SERVER.trusted_proxies);
    let Ok(principal) = identify(&Directory::new(&SERVER), &SERVER, &head, &peer, client) else {
        return;
    };
    assert!(!principal.gates().is_empty());
    let shown = format!("{principal:?}{}", whoami(&principal, &SERVER));
    assert!(!shown.contains(GATEWAY_KEY) && !shown.contains(FALLBACK_KEY));
    for upstream in &SERVER.upstreams {
        let Ok(credential) = principal.credential(upstream, &method, path) else {
            continue;
        };
        match credential {
            Credential::Client(_) => assert_ne!(upstream.name, "keyless"),
            Credential::Keyless => assert_eq!(upstream.name, "keyless"),
            Credential::Fallback(_)
                if upstream.name == "local" && !knows_a_gateway_key(&head.headers) =>
            {
                assert!(is_local(&head, &peer))
            }
            Credential::Fallback(_) => assert!(knows_a_gateway_key(&head.headers)),
        }
        sent(&credential, &head.headers);
    }
});

fn head(method: &Method, headers: HeaderMap) -> Parts {
    let (mut parts, ()) = Request::builder()
        .method(method.clone())
        .uri("/v1/x")
        .body(())
        .expect("the method is valid")
        .into_parts();
    parts.headers = headers;
    parts
}

/// What leaves is one of the keys that came, or the operator's; a gateway key never.
fn sent(credential: &Credential, came: &HeaderMap) {
    let mut headers = came.clone();
    credential.apply(&mut headers);
    let leaves = ["authorization", "x-api-key", "api-key", "x-goog-api-key"]
        .map(|name| headers.get_all(name));
    let values: Vec<&[u8]> = leaves
        .iter()
        .flatten()
        .map(|value| value.as_bytes())
        .collect();
    assert_eq!(
        values.len(),
        usize::from(!matches!(credential, Credential::Keyless))
    );
    for value in values {
        let key = value.strip_prefix(b"Bearer ").unwrap_or(value);
        assert_ne!(key, GATEWAY_KEY.as_bytes());
        let is_own = matches!(credential, Credential::Client(_));
        assert!(if is_own {
            holds(came, key)
        } else {
            key == FALLBACK_KEY.as_bytes()
        });
    }
}

fn holds(headers: &HeaderMap, key: &[u8]) -> bool {
    headers
        .values()
        .any(|value| value.as_bytes().windows(key.len()).any(|part| part == key))
}

fn knows_a_gateway_key(headers: &HeaderMap) -> bool {
    holds(headers, GATEWAY_KEY.as_bytes())
}

fn is_local(head: &Parts, peer: &Peer) -> bool {
    let is_telling = |name: &str| {
        matches!(name, "forwarded" | "origin" | "x-real-ip") || name.starts_with("x-forwarded-")
    };
    peer.address.ip().to_canonical().is_loopback()
        && !head.headers.keys().any(|name| is_telling(name.as_str()))
}
