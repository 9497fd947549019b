//! Approach tags: taking them out of a body leaves JSON, and changes nothing where there are none.
#![no_main]

use bytes::Bytes;
use hone::request::plan::tags;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|body: &[u8]| {
    let body = Bytes::copy_from_slice(body);
    let found = tags::find(&body);
    let stripped = tags::strip(&body);
    assert!(stripped.len() <= body.len());
    if serde_json::from_slice::<Value>(&body).is_ok() {
        assert!(serde_json::from_slice::<Value>(&stripped).is_ok());
    }
    if found.is_some() {
        assert_ne!(stripped, body);
    }
});
