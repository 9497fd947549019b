//! A chat answer as one JSON body.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::choice::Choice;
use super::{Completion, Shape};
use crate::endpoints::CREATED;
use crate::knobs::Knobs;
use crate::script::Script;

pub(super) fn script(completion: &Completion, knobs: &Knobs) -> Script {
    let choices: Vec<Value> = completion
        .choices
        .iter()
        .enumerate()
        .map(|(index, choice)| json_of(completion.shape, index, choice))
        .collect();
    let object = match completion.shape {
        Shape::Chat => "chat.completion",
        Shape::Text => "text_completion",
    };
    let mut body = json!({
        "id": completion.id,
        "object": object,
        "created": CREATED,
        "model": completion.model,
        "choices": choices,
        "system_fingerprint": "fp_sim",
    });
    if let Some(body) = body.as_object_mut().filter(|_| knobs.usage.is_told()) {
        body.insert("usage".to_owned(), completion.usage(knobs.usage));
    }
    Script::whole(
        StatusCode::OK,
        "application/json",
        Bytes::from(body.to_string()),
        completion.tokens(),
    )
}

fn json_of(shape: Shape, index: usize, choice: &Choice) -> Value {
    let whole = choice.whole();
    let (text, logprobs) = (whole.text.concat(), logprobs(shape, whole.logprobs));
    if shape == Shape::Text {
        return json!({"text": text, "index": index, "logprobs": logprobs,
            "finish_reason": choice.finish_reason});
    }
    let mut message = match &choice.tool {
        Some(tool) => {
            let function = json!({"name": tool.name, "arguments": text});
            json!({"role": "assistant", "content": null, "refusal": null,
                "tool_calls": [{"id": tool.id, "type": "function", "function": function}]})
        }
        None => {
            json!({"role": "assistant", "content": (!choice.null).then_some(text), "refusal": null})
        }
    };
    if let Some(message) = message
        .as_object_mut()
        .filter(|_| !whole.thinking.is_empty())
    {
        message.insert(
            "reasoning_content".to_owned(),
            json!(whole.thinking.concat()),
        );
    }
    json!({"index": index, "message": message, "logprobs": logprobs,
        "finish_reason": choice.finish_reason})
}

/// Log probabilities in the form of the endpoint: an entry for each token, or lists of tokens and
/// of numbers.
pub(super) fn logprobs(shape: Shape, entries: Option<&[Value]>) -> Value {
    let Some(entries) = entries else {
        return Value::Null;
    };
    match shape {
        Shape::Chat => json!({"content": entries, "refusal": null}),
        Shape::Text => {
            let all = |name: &str| {
                entries
                    .iter()
                    .filter_map(|entry| entry.get(name).cloned())
                    .collect::<Vec<_>>()
            };
            json!({"tokens": all("token"), "token_logprobs": all("logprob"), "top_logprobs": null,
                "text_offset": null})
        }
    }
}
