//! `POST /v1/messages`, Anthropic's endpoint: enough of it for a relay that reads usage.

use std::collections::VecDeque;

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::content;
use crate::ask::Ask;
use crate::chance::Dice;
use crate::refusal::Refusal;
use crate::script::{Before, Script, Step};
use crate::text;

pub(crate) fn answer(ask: &Ask, dice: &mut Dice) -> Result<Script, Refusal> {
    let messages = ask.messages()?;
    let limit = ask
        .number("max_tokens", 1..=u32::MAX)?
        .ok_or_else(|| Refusal::invalid("max_tokens: Field required").param("max_tokens"))?;
    let mut pieces = text::tokens(&content::content(ask, dice));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let stop_reason = if limit < pieces.len() {
        "max_tokens"
    } else {
        "end_turn"
    };
    pieces.truncate(limit);
    let tokens = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
    let input_tokens = text::prompt_tokens(messages);
    let mut message = json!({
        "id": format!("msg_sim{:016x}", dice.number()),
        "type": "message",
        "role": "assistant",
        "model": ask.model()?,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": {"input_tokens": input_tokens, "output_tokens": 1},
    });
    if ask.stream().is_some() {
        return Ok(stream(ask, &message, &pieces, stop_reason).answering(input_tokens));
    }
    if let Some(members) = message.as_object_mut() {
        members.insert(
            "content".to_owned(),
            json!([{"type": "text", "text": pieces.concat()}]),
        );
        members.insert("stop_reason".to_owned(), json!(stop_reason));
        members.insert(
            "usage".to_owned(),
            json!({"input_tokens": input_tokens, "output_tokens": tokens}),
        );
    }
    let mut script = Script::whole(
        StatusCode::OK,
        "application/json",
        Bytes::from(message.to_string()),
        tokens,
    );
    script.before.push(Before::Generate {
        tokens,
        takes: ask.knobs.pace(tokens),
    });
    Ok(script.answering(input_tokens))
}

fn stream(ask: &Ask, message: &Value, pieces: &[String], stop_reason: &str) -> Script {
    let mut steps = VecDeque::from([
        event(&json!({"type": "message_start", "message": message}), 0),
        event(
            &json!({"type": "content_block_start", "index": 0,
                "content_block": {"type": "text", "text": ""}}),
            0,
        ),
    ]);
    for pieces in pieces.chunks(usize::try_from(ask.knobs.chunk_tokens.get()).unwrap_or(usize::MAX))
    {
        let tokens = u32::try_from(pieces.len()).unwrap_or(u32::MAX);
        let wait = ask.knobs.pace(tokens);
        if !wait.is_zero() {
            steps.push_back(Step::Wait(wait));
        }
        let delta = json!({"type": "text_delta", "text": pieces.concat()});
        steps.push_back(event(
            &json!({"type": "content_block_delta", "index": 0, "delta": delta}),
            tokens,
        ));
    }
    steps.push_back(event(&json!({"type": "content_block_stop", "index": 0}), 0));
    let delta = json!({"stop_reason": stop_reason, "stop_sequence": null});
    steps.push_back(event(
        &json!({"type": "message_delta", "delta": delta, "usage": {"output_tokens": pieces.len()}}),
        0,
    ));
    steps.push_back(event(&json!({"type": "message_stop"}), 0));
    Script::events(steps)
}

fn event(data: &Value, tokens: u32) -> Step {
    let name = data.get("type").and_then(Value::as_str).unwrap_or_default();
    Step::Send {
        bytes: Bytes::from(format!("event: {name}\ndata: {data}\n\n")),
        tokens,
    }
}
