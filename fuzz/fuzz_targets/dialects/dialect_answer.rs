//! An upstream's whole answer or error in any dialect, for a client of every dialect.
#![no_main]

use hone_dialects::stops::Guard;
use hone_dialects::{Dialect, codec};
use hone_fuzz::dialect::{frame, named, source};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(|input: &[u8]| {
    let Some((upstream, body)) = named(input) else {
        return;
    };
    let error = codec(upstream).decode_error(400, body);
    for client in Dialect::ALL {
        is_object(&codec(client).error(&error).body);
    }
    let mut answer = match codec(upstream).decode_answer(body, &source()) {
        Ok(answer) => answer,
        Err(error) => {
            assert!(
                (400..600).contains(&error.status),
                "an error is told as one"
            );
            return;
        }
    };
    for client in Dialect::ALL {
        is_object(&codec(client).encode_answer(&answer, &frame(client)));
    }
    let guard = Guard::new(vec!["e".to_owned()], 1).expect("there is something to watch for");
    guard.whole(&mut answer);
    for choice in &answer.choices {
        let text = choice.message.get("content").and_then(Value::as_str);
        assert!(!text.is_some_and(|text| text.contains('e')));
    }
});

fn is_object(body: &str) {
    serde_json::from_str::<Map<String, Value>>(body).expect("JSON is written");
}
