//! Answers of an upstream: written again they say the same, and figures in them are figures.
#![no_main]

use hone_strategies::Completion;
use hone_strategies::answer::canonical_tool_calls;
use hone_strategies::chat::Choice;
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|body: &[u8]| {
    let Ok(completion) = Completion::parse(body) else {
        return;
    };
    let written = completion.to_value();
    // What is written may be nested more deeply than JSON is read, but only if the answer was.
    if let Ok(again) = Completion::parse(written.to_string().as_bytes()) {
        assert_eq!(again.to_value(), written);
        // What stands beside the choices has its `object` now.
        let values = |choices: &[Choice]| choices.iter().map(Choice::to_value).collect::<Vec<_>>();
        assert_eq!(values(&again.choices), values(&completion.choices));
        assert_eq!(again.usage, completion.usage);
    }
    if let Some(usage) = completion.usage {
        assert!(usage.total >= usage.prompt.saturating_add(usage.completion));
    }
    for choice in &completion.choices {
        assert!(choice.mean_logprob().is_none_or(|mean| !mean.is_nan()));
        if let Some(canonical) = choice.message.tool_calls().and_then(canonical_tool_calls) {
            canonical_is_canonical(&canonical);
        }
    }
});

fn canonical_is_canonical(canonical: &str) {
    let Ok(Value::Array(calls)) = serde_json::from_str(canonical) else {
        return;
    };
    let call =
        |call: &Value| json!({"function": {"name": call[0], "arguments": call[1].to_string()}});
    let again: Value = calls.iter().map(call).collect();
    assert_eq!(canonical_tool_calls(&again).as_deref(), Some(canonical));
}
