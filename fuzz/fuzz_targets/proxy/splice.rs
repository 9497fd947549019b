//! Edits against editing the parsed body.
#![no_main]

use bytes::Bytes;
use hone::request::envelope::{Edit, Envelope, splice};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

const EDITS: [Edit<'static>; 4] = [
    Edit::RemoveField("optillm_approach"),
    Edit::RemoveField("x"),
    Edit::ReplaceModel("gpt\"4"),
    Edit::SetIncludeUsage,
];

/// `name` as `object` writes it.
fn name_in(object: &Map<String, Value>, name: &str) -> String {
    object
        .keys()
        .find(|key| key.eq_ignore_ascii_case(name))
        .map_or(name, String::as_str)
        .to_owned()
}

fuzz_target!(|body: &[u8]| {
    let bytes = Bytes::copy_from_slice(body);
    let edited = splice(&bytes, &EDITS);
    if Envelope::peek(body).is_err() {
        return;
    }
    let Ok(edited) = edited else { return };
    let Ok(mut wanted) = serde_json::from_slice::<Map<String, Value>>(body) else {
        return;
    };
    wanted.retain(|name, _| name != "x" && !name.eq_ignore_ascii_case("optillm_approach"));
    wanted.insert(name_in(&wanted, "model"), Value::from("gpt\"4"));
    match wanted.entry("stream_options").or_insert(Value::Null) {
        Value::Object(options) => {
            drop(options.insert("include_usage".to_owned(), Value::Bool(true)))
        }
        options => *options = json!({"include_usage": true}),
    }
    assert_eq!(
        serde_json::from_slice::<Map<String, Value>>(&edited).expect("still an object"),
        wanted
    );
});
