//! The peek against a full parse: whatever both accept, they read alike.
#![no_main]

use hone::request::envelope::{Envelope, EnvelopeError};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

/// Of members that hone reads there is one at most, in any case.
fn member<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    object
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

fuzz_target!(|body: &[u8]| {
    let peeked = Envelope::peek(body);
    let Ok(parsed) = serde_json::from_slice::<Map<String, Value>>(body) else {
        // The full parse also refuses what hone lets pass: huge numbers, lone surrogates, deep
        // nesting.
        return;
    };
    match peeked {
        Ok(envelope) => {
            let string = |name: &str| member(&parsed, name).and_then(Value::as_str);
            assert_eq!(envelope.model.as_deref(), string("model"));
            assert_eq!(envelope.approach.as_deref(), string("optillm_approach"));
            assert_eq!(
                envelope.stream,
                member(&parsed, "stream").and_then(Value::as_bool)
            );
            // In another spelling it asks for nothing.
            assert_eq!(
                envelope.include_usage,
                parsed
                    .get("stream_options")
                    .and_then(|options| options.get("include_usage"))
                    .and_then(Value::as_bool)
            );
            if let Some(n) = member(&parsed, "n").and_then(Value::as_u64) {
                assert_eq!(envelope.n, Some(n));
            }
            let messages = envelope.messages.map(|messages| {
                serde_json::from_str::<Value>(messages).expect("it is a part of JSON")
            });
            assert_eq!(
                messages.as_ref(),
                member(&parsed, "messages").filter(|messages| !messages.is_null())
            );
        }
        Err(EnvelopeError::DuplicateField { .. } | EnvelopeError::WrongType { .. }) => {}
        Err(error) => panic!("the full parse reads what the peek refuses: {error}"),
    }
});
