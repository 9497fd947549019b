//! Envelopes: what is put in comes out to whom it is for alone, and a stranger's are harmless.
#![no_main]

use hone_dialects::Dialect;
use hone_dialects::marks::envelope::{
    Envelope, from_base64, is_in, is_made_by, is_sealed, open, seal, to_base64,
};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|input: &[u8]| {
    for dialect in Dialect::ALL {
        // Whatever is in a body is looked at.
        is_in(dialect, input);
    }
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    if let Some(envelope) = open(text) {
        assert!(is_sealed(text));
        drop(envelope.into_native());
    }
    drop(from_base64(text));
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    for dialect in Dialect::ALL {
        round_trip(dialect, &value);
    }
});

fn round_trip(dialect: Dialect, value: &Value) {
    let Some(sealed) = seal(dialect, "up/m", value) else {
        return;
    };
    assert_eq!(from_base64(&to_base64(&sealed)).as_ref(), Some(&sealed));
    let opened = || -> Envelope { open(&sealed).expect("it is hone's own") };
    // What is reasoning comes out, and stays so.
    let kept = opened().of(dialect, "up/m").expect("it is hone's own");
    let again = seal(dialect, "up/m", &kept).and_then(|sealed| open(&sealed));
    assert_eq!(again.and_then(|again| again.of(dialect, "up/m")), Some(kept));
    assert_eq!(opened().of(dialect, "up/other"), None);
    let native = opened().into_native().expect("a provider's");
    assert!(is_made_by(&native.model, "up/m") && !is_made_by(&native.model, "up/other"));
    let body = json!({ "x": sealed }).to_string();
    assert!(is_in(Dialect::Anthropic, body.as_bytes()));
}
