//! A chat answer as one JSON body.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::choice::Choice;
use super::{Completion, Endpoint};
use crate::endpoints::CREATED;
use crate::knobs::Knobs;
use crate::profile::{Shape, extend};
use crate::script::Script;

pub(super) fn script(completion: &Completion, knobs: &Knobs) -> Script {
    let choices: Vec<Value> = completion
        .choices
        .iter()
        .enumerate()
        .map(|(index, choice)| json_of(completion.endpoint, index, choice, &knobs.manners().shape))
        .collect();
    let object = match completion.endpoint {
        Endpoint::Chat => "chat.completion",
        Endpoint::Text => "text_completion",
    };
    let mut body = json!({
        "id": completion.id,
        "object": object,
        "created": CREATED,
        "model": completion.model,
        "choices": choices,
    });
    beside(&mut body, &knobs.manners().shape);
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

/// Adds what a provider tells beside the choices.
pub(super) fn beside(document: &mut Value, shape: &Shape) {
    if let (Some(document), Some(fingerprint)) = (document.as_object_mut(), shape.fingerprint) {
        document.insert("system_fingerprint".to_owned(), json!(fingerprint));
    }
    extend(document, shape.beside);
}

fn json_of(endpoint: Endpoint, index: usize, choice: &Choice, shape: &Shape) -> Value {
    let whole = choice.whole();
    let (text, logprobs) = (whole.text.concat(), logprobs(endpoint, whole.logprobs));
    if endpoint == Endpoint::Text {
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
        message.insert(shape.reasoning.to_owned(), json!(whole.thinking.concat()));
    }
    if choice.tool.is_none() {
        extend(&mut message, shape.message);
    }
    let mut told = json!({"index": index, "message": message, "logprobs": logprobs,
        "finish_reason": choice.finish_reason});
    extend(&mut told, shape.choice);
    told
}

/// Log probabilities in the form of the endpoint: an entry for each token, or lists of tokens and
/// of numbers.
pub(super) fn logprobs(endpoint: Endpoint, entries: Option<&[Value]>) -> Value {
    let Some(entries) = entries else {
        return Value::Null;
    };
    match endpoint {
        Endpoint::Chat => json!({"content": entries, "refusal": null}),
        Endpoint::Text => {
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
