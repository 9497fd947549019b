//! A whole answer, written for a client.

use hone_strategies::chat::{Completion, Dialect, Message};
use serde_json::{Map, Value, json};

use super::answer_in::CANDIDATE;
use super::fields::get;
use super::parts_out::arguments;
use super::{logprobs, signature};
use crate::marks::{Minter, clean};
use crate::shape::Frame;
use crate::tables::{finish, usage};
use crate::wire::json::str_of;

/// Writes the answer for a client.
pub(super) fn encode(answer: &Completion, frame: &Frame) -> Value {
    let mut minter = Minter::new(&frame.seed);
    let id = minter.mint("");
    let candidates = answer.choices.iter().map(|choice| {
        let reason = choice.finish_reason.as_deref().unwrap_or("stop");
        let Written { parts, beside } = written(&choice.message, frame, reason, &mut minter);
        let calls = parts.iter().any(|part| get(part, "functionCall").is_some());
        let mut candidate = candidate(choice.index, parts);
        if let Some(fields) = candidate.as_object_mut() {
            fields.insert(
                "finishReason".to_owned(),
                finish::to_gemini(reason, calls).into(),
            );
            if let Some(logprobs) = choice.logprobs.as_ref().and_then(logprobs::write) {
                fields.insert("logprobsResult".to_owned(), logprobs);
            }
            fields.extend(beside);
        }
        candidate
    });
    json!({
        "candidates": candidates.collect::<Vec<_>>(),
        "usageMetadata": usage::to_gemini(&answer.usage.unwrap_or_default()),
        "modelVersion": frame.model,
        "responseId": id,
    })
}

/// A candidate that says this. There is always a part: clients drop a turn without.
pub(super) fn candidate(index: u32, mut parts: Vec<Value>) -> Value {
    if parts.is_empty() {
        parts.push(json!({"text": ""}));
    }
    json!({"content": {"role": "model", "parts": parts}, "index": index})
}

/// A message as a candidate.
#[derive(Default)]
struct Written {
    parts: Vec<Value>,
    beside: Map<String, Value>,
}

fn written(message: &Message, frame: &Frame, reason: &str, minter: &mut Minter) -> Written {
    let native = message.native();
    if let Some(native) = native.filter(|native| native.dialect == Dialect::Gemini) {
        let mut written = Written::default();
        for part in &native.value {
            match part.get(CANDIDATE).and_then(Value::as_object) {
                Some(beside) => written.beside.extend(beside.clone()),
                None if is_shown(part, frame) => written.parts.push(part.clone()),
                None => {}
            }
        }
        return written;
    }
    let mut parts = Vec::new();
    let thought = thought(message.fields());
    if frame.shows_reasoning() && !thought.is_empty() {
        parts.push(json!({"text": thought, "thought": true}));
    }
    let texts = [Some(message.text()), message.refusal().map(Into::into)];
    let texts = texts.into_iter().flatten().filter(|text| !text.is_empty());
    parts.extend(texts.map(|text| json!({ "text": text })));
    let calls = message.tool_calls().and_then(Value::as_array);
    let calls = calls.into_iter().flatten();
    // A call that was cut off has no arguments that anybody could run.
    parts.extend(calls.filter_map(|call| function_call(call, reason == "length", minter)));
    let sealed = native.and_then(|native| signature::sealed(&signature::reasoning(native)?));
    if let Some(sealed) = sealed {
        seal(&mut parts, sealed);
    }
    Written {
        parts,
        beside: Map::new(),
    }
}

/// Puts an envelope beside the first call, or else the last text that is no thought.
pub(super) fn seal(parts: &mut [Value], sealed: String) -> bool {
    let call = parts
        .iter()
        .position(|part| part.get("functionCall").is_some());
    let is_text = |part: &Value| part.get("thought").is_none();
    let at = call.or_else(|| parts.iter().rposition(is_text));
    let part = at.and_then(|at| parts.get_mut(at));
    let is_there = part.is_some();
    if let Some(part) = part {
        signature::sign(part, sealed);
    }
    is_there
}

/// What the model thought, under either of its names.
pub(super) fn thought(fields: &Map<String, Value>) -> &str {
    let names = ["reasoning_content", "reasoning"];
    let mut texts = names.iter().filter_map(|name| fields.get(*name)?.as_str());
    texts.next().unwrap_or_default()
}

/// Whether a client that does or does not want to see thoughts gets this part.
pub(super) fn is_shown(part: &Value, frame: &Frame) -> bool {
    get(part, "thought") != Some(&Value::Bool(true)) || frame.shows_reasoning()
}

/// A call, unless it was cut off.
fn function_call(call: &Value, may_be_cut: bool, minter: &mut Minter) -> Option<Value> {
    let function = call.get("function").unwrap_or(&Value::Null);
    let mut is_odd = false;
    let args = arguments(str_of(function, "arguments"), || is_odd = true);
    if is_odd && may_be_cut {
        return None;
    }
    Some(call_part(
        str_of(call, "id"),
        str_of(function, "name"),
        &args,
        minter,
    ))
}

/// A call as a part.
pub(super) fn call_part(
    id: &str,
    name: &str,
    args: &Map<String, Value>,
    minter: &mut Minter,
) -> Value {
    let id = match id {
        "" => minter.mint("call_"),
        id => clean(id).into_owned(),
    };
    json!({"functionCall": {"id": id, "name": name, "args": args}})
}
