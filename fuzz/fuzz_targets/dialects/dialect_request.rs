//! A client's request in any dialect, for an upstream of every dialect: JSON, or a refusal.
#![no_main]

use hone_dialects::stops::Guard;
use hone_dialects::{Dialect, Losses, Route, codec};
use hone_fuzz::dialect::{named, target};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|input: &[u8]| {
    let Some((client, body)) = named(input) else {
        return;
    };
    let route = Route {
        model: Some("m"),
        stream: input.len() % 2 == 0,
        ..Route::default()
    };
    let Ok(request) = codec(client).decode_request(body, &route) else {
        return;
    };
    for upstream in Dialect::ALL {
        let Ok(encoded) = codec(upstream).encode_request(&request, &target()) else {
            continue;
        };
        serde_json::from_slice::<Map<String, Value>>(&encoded.body).expect("JSON is written");
        assert!(encoded.path.starts_with('/'));
        assert!(encoded.path.bytes().all(|byte| byte.is_ascii_graphic()));
        are_fit_for_a_header(&encoded.losses);
        // What could be said can be counted, and what it is watched for is known.
        let count = codec(upstream).encode_count(&request, &target());
        assert!(count.is_ok());
        drop(Guard::of(&request, upstream));
        let again = codec(upstream).encode_request(&request, &target());
        assert_eq!(again.as_ref(), Ok(&encoded), "the same twice");
    }
});

fn are_fit_for_a_header(losses: &Losses) {
    for name in losses.degraded.iter().chain(&losses.quiet) {
        assert!(name.len() <= 100 && name.bytes().all(|byte| byte.is_ascii_graphic()));
    }
}
