//! Chat requests: written again they say the same, and their estimates are bounded by their bytes.
#![no_main]

use hone::request::envelope::attachments::input_tokens;
use hone_strategies::ChatRequest;
use hone_strategies::chat::view;
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Tokens that a picture, a sound or a document of few bytes is taken for.
const PER_ATTACHMENT: u64 = 1000;
/// Shorter base64 is text.
const SHORTEST_ATTACHMENT: u64 = 256;

fuzz_target!(|body: &[u8]| {
    let bytes = body.len() as u64;
    assert!(input_tokens(body) <= bytes.div_ceil(4) + bytes / SHORTEST_ATTACHMENT * PER_ATTACHMENT);
    let Ok(request) = ChatRequest::parse(body) else {
        return;
    };
    // Half of a character is read as another one.
    let Ok(parsed) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    let written = request.to_bytes();
    assert_eq!(
        serde_json::from_slice::<Value>(&written).expect("JSON is written"),
        parsed
    );
    assert_eq!(ChatRequest::parse(&written).as_ref(), Ok(&request));
    assert_eq!(request.to_segments().pieces.concat(), written);
    // An attachment is an object of its own; null, a number and a switch count as a token each.
    let objects = written.iter().filter(|byte| **byte == b'{').count() as u64;
    assert!(
        (1..=written.len() as u64 + objects * PER_ATTACHMENT)
            .contains(&request.estimated_prompt_tokens())
    );
    assert!(request.n() >= 1);
    assert!(view::history(request.messages()).len() <= request.messages().len());
    for message in request.messages() {
        let replaced = message.with_text("other words");
        assert_eq!(replaced.text(), "other words");
        assert_eq!(replaced.attachments(), message.attachments());
    }
});
