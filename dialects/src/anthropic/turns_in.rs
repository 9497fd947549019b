//! Turns and their blocks, read from a client.

use std::collections::BTreeSet;
use std::sync::Arc;

use hone_strategies::chat::{Dialect, End, Message, Native, Origin};
use serde_json::{Map, Value, json};

use super::content_in::{self, Parts, text_part};
use crate::marks::{clean, envelope};
use crate::shape::Refusal;
use crate::steps::Places;
use crate::wire::json::{self, list, object, str_of, take, wanted};

/// What an agent puts in front of its instructions for its own provider. Elsewhere it only ruins
/// prefix caches.
const BILLING: &str = "x-anthropic-billing-header";

/// The message of instructions, if they say something.
pub(super) fn system(
    system: Value,
    path: &str,
    origin: &mut Origin,
) -> Result<Option<Message>, Refusal> {
    let Value::Array(blocks) = system else {
        let text = json::text(system, path)?;
        return Ok((!text.is_empty()).then(|| Message::system(text)));
    };
    let is_billing = |block: &Value| str_of(block, "text").starts_with(BILLING);
    let (billing, blocks): (Vec<_>, Vec<_>) = blocks.into_iter().partition(is_billing);
    if !billing.is_empty() {
        origin.fields.insert(path.to_owned(), billing.into());
        origin.fate(path, End::Quiet);
    }
    if blocks.is_empty() {
        return Ok(None);
    }
    let parts = Parts::read(&blocks, path, origin)?;
    let native = parts.native(blocks);
    Ok(Some(
        Message::new("system", parts.parts).with_native(native),
    ))
}

/// The conversation.
pub(super) fn turns(turns: Value, origin: &mut Origin) -> Result<Vec<Message>, Refusal> {
    let turns = list(turns, "messages")?;
    if turns.is_empty() {
        return Err(wanted("messages", "an array with at least one message"));
    }
    let mut messages = Vec::with_capacity(turns.len());
    let last = turns.len() - 1;
    // The calls of the last turn, which the next one must answer.
    let mut calls: Vec<String> = Vec::new();
    for (index, turn) in turns.into_iter().enumerate() {
        let path = format!("messages.{index}");
        let mut turn = object(turn, &path)?;
        let content = take(&mut turn, "content").unwrap_or_default();
        let content_path = format!("{path}.content");
        // A model's last turn may be empty: it is what the answer goes on from.
        let may_be_empty =
            index == last && turn.get("role").is_some_and(|role| role == "assistant");
        if !may_be_empty && content.as_array().is_some_and(Vec::is_empty) {
            return Err(wanted(
                &content_path,
                "a text, or an array with at least one block",
            ));
        }
        match turn.get("role").and_then(Value::as_str) {
            Some("user") => user(content, &content_path, &mut calls, &mut messages, origin)?,
            Some(role @ ("assistant" | "system")) if calls.is_empty() => {
                if role == "system" {
                    messages.extend(system(content, &content_path, origin)?);
                } else {
                    let message = assistant(content, &content_path, origin)?;
                    calls = ids(&message);
                    messages.push(message);
                }
            }
            Some("assistant" | "system") => return Err(unanswered(&content_path, &calls)),
            _ => {
                let roles = "`user`, `assistant` or `system`";
                return Err(wanted(&format!("{path}.role"), roles));
            }
        }
    }
    Ok(messages)
}

fn ids(message: &Message) -> Vec<String> {
    let calls = message.tool_calls().and_then(Value::as_array);
    let calls = calls.into_iter().flatten();
    calls.map(|call| str_of(call, "id").to_owned()).collect()
}

fn unanswered(path: &str, calls: &[String]) -> Refusal {
    let missing = calls.join(", ");
    let why = format!("The calls {missing} of the turn before have no `tool_result` here.");
    Refusal::invalid(path, why)
}

/// A user's turn: the results first, then what else it says.
fn user(
    content: Value,
    path: &str,
    calls: &mut Vec<String>,
    messages: &mut Vec<Message>,
    origin: &mut Origin,
) -> Result<(), Refusal> {
    let Value::Array(blocks) = content else {
        if !calls.is_empty() {
            return Err(unanswered(path, calls));
        }
        messages.push(Message::user(json::text(content, path)?));
        return Ok(());
    };
    let mut places = Places::default();
    for (at, call) in calls.iter().enumerate() {
        places.add(call, at);
    }
    let mut answered = BTreeSet::new();
    let mut others = Vec::with_capacity(blocks.len());
    for (index, block) in blocks.into_iter().enumerate() {
        if str_of(&block, "type") != "tool_result" {
            others.push(block);
            continue;
        }
        let path = format!("{path}.{index}");
        let id = clean(str_of(&block, "tool_use_id")).into_owned();
        let Some(at) = places.take(&id, |_| true) else {
            let why = "No `tool_use` of the turn before has this id.";
            return Err(Refusal::invalid(format!("{path}.tool_use_id"), why));
        };
        answered.insert(at);
        messages.push(result(block, &id, &path, origin)?);
    }
    let calls = std::mem::take(calls).into_iter().enumerate();
    let missing = calls.filter(|(at, _)| !answered.contains(at));
    let missing: Vec<String> = missing.map(|(_, call)| call).collect();
    if !missing.is_empty() {
        return Err(unanswered(path, &missing));
    }
    if others.is_empty() {
        return Ok(());
    }
    let parts = Parts::read(&others, path, origin)?;
    let native = parts.native(others);
    let message = match parts.parts.as_slice() {
        [one] if str_of(one, "type") == "text" => Message::user(str_of(one, "text")),
        _ => Message::user(parts.parts),
    };
    messages.push(message.with_native(native));
    Ok(())
}

/// The result of a tool.
fn result(block: Value, id: &str, path: &str, origin: &mut Origin) -> Result<Message, Refusal> {
    let known = ["type", "tool_use_id", "content", "is_error"];
    let mut is_plain = content_in::has_only(&block, &known);
    let content = match block.get("content") {
        Some(Value::Array(blocks)) => {
            let parts = Parts::read(blocks, &format!("{path}.content"), origin)?;
            is_plain &= parts.is_plain;
            Value::Array(parts.parts)
        }
        Some(Value::String(text)) => text.as_str().into(),
        _ => "".into(),
    };
    let failed = block.get("is_error") == Some(&Value::Bool(true));
    let message = Message::new("tool", content).with("tool_call_id", id);
    let native = (!is_plain).then(|| native(vec![block]));
    let message = message.with_native(native);
    Ok(if failed {
        message.as_failure()
    } else {
        message
    })
}

fn native(value: Vec<Value>) -> Arc<Native> {
    Arc::new(Native {
        dialect: Dialect::Anthropic,
        model: String::new(),
        value,
    })
}

impl Parts {
    /// The blocks themselves, if chat cannot say all of them.
    fn native(&self, blocks: Vec<Value>) -> Option<Arc<Native>> {
        (!self.is_plain).then(|| native(blocks))
    }
}

/// A model's turn.
fn assistant(content: Value, path: &str, origin: &mut Origin) -> Result<Message, Refusal> {
    let Value::Array(blocks) = content else {
        return Ok(Message::assistant(json::text(content, path)?));
    };
    let mut turn = Turn::default();
    for (index, block) in blocks.iter().enumerate() {
        turn.add(block, &format!("{path}.{index}"), origin)?;
    }
    let Turn {
        texts,
        thoughts,
        calls,
        is_odd,
        sealed,
        was_sealed,
    } = turn;
    let mut fields = Map::new();
    fields.insert("role".to_owned(), "assistant".into());
    let content = match texts.as_slice() {
        [] => Value::Null,
        [one] => one.as_str().into(),
        several => several.iter().map(|text| text_part(text)).collect(),
    };
    fields.insert("content".to_owned(), content);
    if !thoughts.is_empty() {
        fields.insert("reasoning_content".to_owned(), thoughts.join("\n\n").into());
    }
    if !calls.is_empty() {
        fields.insert("tool_calls".to_owned(), calls.into());
    }
    let own = || is_odd.then(|| native(blocks));
    let native = if was_sealed {
        sealed.map(Arc::new)
    } else {
        own()
    };
    Ok(Message::from_fields(fields).with_native(native))
}

/// What the blocks of a model's turn come to.
#[derive(Default)]
struct Turn {
    texts: Vec<String>,
    thoughts: Vec<String>,
    calls: Vec<Value>,
    is_odd: bool,
    /// What came in an envelope of hone's.
    sealed: Option<Native>,
    /// Whether something did.
    was_sealed: bool,
}

impl Turn {
    fn add(&mut self, block: &Value, path: &str, origin: &mut Origin) -> Result<(), Refusal> {
        let known: &[&str] = match str_of(block, "type") {
            "text" => {
                self.texts.push(content_in::text(block, path)?.to_owned());
                &["type", "text"]
            }
            "thinking" => {
                let signature = str_of(block, "signature");
                if envelope::is_sealed(signature) {
                    let opened = envelope::open(signature);
                    let opened = opened.and_then(envelope::Envelope::into_native);
                    envelope::gather(&mut self.sealed, opened);
                    self.was_sealed = true;
                } else {
                    self.thoughts.push(str_of(block, "thinking").to_owned());
                }
                &[]
            }
            "redacted_thinking" => &[],
            "tool_use" => {
                self.calls.push(call(block));
                &["type", "id", "name", "input"]
            }
            _ => {
                // What a tool of the provider's did there.
                origin.fate(path, End::Degrade);
                &[]
            }
        };
        self.is_odd |= !content_in::has_only(block, known);
        Ok(())
    }
}

/// A call as chat has it.
pub(super) fn call(block: &Value) -> Value {
    let input = block.get("input").cloned().unwrap_or_else(|| json!({}));
    json!({
        "id": clean(str_of(block, "id")),
        "type": "function",
        "function": {"name": str_of(block, "name"), "arguments": input.to_string()},
    })
}
