//! Request targets: a path that is served means the same after a decode, and leads nowhere else.
#![no_main]

use hone::api::endpoint::{Endpoint, NotServed, model_in};
use hone::request::route::{Resource, route};
use http::{Method, Request, Uri};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|target: &[u8]| {
    let Ok(uri) = Uri::try_from(target) else {
        return;
    };
    let path = uri.path().to_owned();
    let (parts, ()) = Request::builder()
        .method(Method::POST)
        .uri(uri)
        .body(())
        .expect("method and target are valid")
        .into_parts();
    let Ok(Resource::Api(below, endpoint)) = route(&parts) else {
        return;
    };
    // Google's other version stays in the path.
    let googles = below.strip_prefix("v1beta/");
    let version = if googles.is_some() { "/" } else { "/v1/" };
    assert_eq!(format!("{version}{below}"), path);
    let (below, find): (_, Find) = match googles {
        Some(below) => (below, Endpoint::of_beta),
        None => (below, Endpoint::of),
    };
    let decoded = decoded(below.as_bytes());
    assert!(
        !decoded
            .iter()
            .any(|byte| byte.is_ascii_control() || *byte == b'\\')
    );
    assert!(
        model_in(below).is_some()
            || decoded.iter().filter(|byte| **byte == b'/').count() == below.matches('/').count(),
        "no slash was hidden, except in a model's name"
    );
    for segment in decoded.split(|byte| *byte == b'/') {
        assert!(segment != b"." && segment != b"..");
    }
    assert!(!path.contains("//"));
    if let Ok(decoded) = std::str::from_utf8(&decoded) {
        assert!(
            endpoint.is_listed() || !is_known(decoded, find),
            "who decodes, ignores case or cuts parameters sees no endpoint with other rules"
        );
    }
});

/// How an endpoint is found.
type Find = fn(&Method, &str) -> Result<Endpoint, NotServed>;

/// Whether some server may take `path` for a known endpoint.
fn is_known(path: &str, find: Find) -> bool {
    let segments = path.split('/');
    let plain: Vec<_> = segments
        .map(|segment| segment.split(';').next().unwrap_or_default().trim())
        .collect();
    let plain = plain.join("/").to_ascii_lowercase();
    [Method::GET, Method::POST, Method::DELETE]
        .into_iter()
        .any(|method| find(&method, &plain).is_ok_and(Endpoint::is_listed))
}

/// One percent-decode, as lenient as the most lenient upstream.
fn decoded(path: &[u8]) -> Vec<u8> {
    let digit = |at: usize| {
        path.get(at)
            .and_then(|byte| (*byte as char).to_digit(16))
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let mut decoded = Vec::new();
    let mut at = 0;
    while let Some(byte) = path.get(at) {
        let escaped = (*byte == b'%')
            .then(|| Some(digit(at + 1)? * 16 + digit(at + 2)?))
            .flatten();
        decoded.push(escaped.unwrap_or(*byte));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    decoded
}
