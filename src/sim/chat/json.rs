//! A chat answer as one JSON body.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::choice::Choice;
use super::{CREATED, Completion};
use crate::sim::knobs::Knobs;
use crate::sim::script::Script;

pub(super) fn script(completion: &Completion, knobs: &Knobs) -> Script {
    let choices: Vec<Value> = completion.choices.iter().enumerate().map(choice).collect();
    let mut body = json!({
        "id": completion.id,
        "object": "chat.completion",
        "created": CREATED,
        "model": completion.model,
        "choices": choices,
        "system_fingerprint": "fp_sim",
    });
    if let Some(body) = body.as_object_mut().filter(|_| knobs.usage) {
        body.insert("usage".to_owned(), completion.usage());
    }
    Script::whole(StatusCode::OK, "application/json", Bytes::from(body.to_string()), completion.tokens())
}

fn choice((index, choice): (usize, &Choice)) -> Value {
    let message = match &choice.tool {
        Some(tool) => {
            let function = json!({"name": tool.name, "arguments": choice.text()});
            json!({"role": "assistant", "content": null, "refusal": null, "tool_calls": [{"id": tool.id, "type": "function", "function": function}]})
        }
        None => json!({"role": "assistant", "content": choice.text(), "refusal": null}),
    };
    let logprobs = choice.logprobs.as_ref().map(|content| json!({"content": content, "refusal": null}));
    json!({"index": index, "message": message, "logprobs": logprobs, "finish_reason": choice.finish_reason})
}
