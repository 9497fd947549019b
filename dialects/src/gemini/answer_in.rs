//! An upstream's whole answer, read.

use std::sync::Arc;

use hone_strategies::chat::{Choice, Completion, Dialect, Message, Native};
use serde_json::{Map, Value, json};

use super::fields::{get, has_only, text};
use super::{logprobs, signature};
use crate::marks::{Minter, clean};
use crate::shape::{ErrorReply, Source};
use crate::tables::{errors, finish, usage};
use crate::wire::json::document;

/// The name under which a turn's native parts keep what stands beside them.
pub(super) const CANDIDATE: &str = "candidate";
/// What stands there and belongs to what was said.
const BESIDE: [&str; 3] = [
    "citationMetadata",
    "groundingMetadata",
    "urlContextMetadata",
];

/// Reads an upstream's answer.
pub(super) fn decode(body: &[u8], source: &Source) -> Result<Completion, Box<ErrorReply>> {
    let malformed = |why: &str| Box::new(ErrorReply::malformed(why));
    let document = document(body).ok_or_else(|| malformed("The upstream's answer is no JSON."))?;
    if let Some(error) = told(&document) {
        return Err(Box::new(error));
    }
    let candidates = get(&document, "candidates").and_then(Value::as_array);
    let candidates = candidates.map_or(&[][..], Vec::as_slice);
    let rest = Arc::new(rest(&document));
    let mut choices = Vec::with_capacity(candidates.len());
    let mut minter = Minter::new(&source.seed);
    let mut failure = None;
    for (at, candidate) in candidates.iter().enumerate() {
        match choice(candidate, at, source, &mut minter) {
            Ok(mut choice) => {
                choice.beside = Arc::clone(&rest);
                choices.push(choice);
            }
            Err(error) => failure = Some(error),
        }
    }
    if candidates.is_empty() {
        let blocked = blocked(&document);
        let why = blocked.ok_or_else(|| malformed("The upstream's answer has no candidates."))?;
        let message = Message::new("assistant", Value::Null).with("refusal", why);
        choices.push(Choice::new(message, "content_filter"));
    }
    if let (true, Some(error)) = (choices.is_empty(), failure) {
        return Err(error);
    }
    Ok(Completion {
        choices,
        usage: get(&document, "usageMetadata").and_then(usage::from_gemini),
        rest,
        ..Completion::default()
    })
}

/// The failure that a document tells, alone or in a list.
pub(super) fn told(document: &Value) -> Option<ErrorReply> {
    let inner = document.get(0).unwrap_or(document);
    inner.get("error")?;
    let status = errors::status_within(Dialect::Gemini, inner);
    Some(errors::from_document(Dialect::Gemini, status, inner))
}

/// Which model it was, and the answer's id.
pub(super) fn rest(document: &Value) -> Map<String, Value> {
    let names = [("responseId", "id"), ("modelVersion", "model")];
    let told = names.into_iter().filter_map(|(there, here)| {
        let value = get(document, there)?.clone();
        Some((here.to_owned(), value))
    });
    told.collect()
}

/// Why the prompt was blocked, if it was.
pub(super) fn blocked(document: &Value) -> Option<String> {
    let feedback = get(document, "promptFeedback")?;
    let reason = text(feedback, "blockReason");
    let why = match text(feedback, "blockReasonMessage") {
        "" => format!("The prompt was blocked: {reason}."),
        why => why.to_owned(),
    };
    (!reason.is_empty()).then_some(why)
}

/// The failure that a finish reason tells.
pub(super) fn failed(word: &str, message: &str) -> ErrorReply {
    let why = if message.is_empty() { word } else { message };
    let code = match word {
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" => "malformed_tool_call",
        _ => "upstream_malformed",
    };
    ErrorReply {
        code: Some(code.to_owned()),
        ..ErrorReply::malformed(format!("The model gave no answer: {why}"))
    }
}

/// What stands beside a candidate's parts, as one of its native parts.
pub(super) fn beside(candidate: &Value) -> Option<Value> {
    let told = BESIDE.into_iter().filter_map(|name| {
        let value = get(candidate, name)?.clone();
        Some((name.to_owned(), value))
    });
    let told: Map<String, Value> = told.collect();
    (!told.is_empty()).then(|| json!({ CANDIDATE: told }))
}

fn choice(
    candidate: &Value,
    at: usize,
    source: &Source,
    minter: &mut Minter,
) -> Result<Choice, Box<ErrorReply>> {
    let parts = get(candidate, "content").and_then(|content| get(content, "parts"));
    let parts = parts
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let mut said = Said::default();
    let mut native = parts.to_vec();
    for part in parts {
        said.add(&read(part, source, minter));
    }
    if let Some(beside) = beside(candidate) {
        said.is_odd = true;
        native.push(beside);
    }
    let word = text(candidate, "finishReason");
    let meaning = finish::from_gemini(word);
    let reason = meaning.reason(said.says_something(), !said.calls.is_empty());
    let reason = reason.ok_or_else(|| Box::new(failed(word, text(candidate, "finishMessage"))))?;
    let index = get(candidate, "index").and_then(Value::as_u64);
    let index = index.or_else(|| u64::try_from(at).ok());
    let message = said.message(native, source);
    let refusal = text(candidate, "finishMessage");
    let message = if reason == "content_filter" && !refusal.is_empty() {
        let native = message.native().cloned();
        message.with("refusal", refusal).with_native(native)
    } else {
        message
    };
    let mut choice = Choice::new(message, reason);
    choice.index = index
        .and_then(|index| u32::try_from(index).ok())
        .unwrap_or(0);
    choice.logprobs = logprobs::read(candidate);
    Ok(choice)
}

/// What a part of an answer says.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    /// A call as chat has it, and whether that is not all of the part.
    Call(Value, bool),
    /// What no other dialect has.
    Other,
    /// A text, and the same of it.
    Text(String, bool),
    /// What the model thought, and the same of it.
    Thought(String, bool),
}

/// Reads a part of an answer.
pub(super) fn read(part: &Value, source: &Source, minter: &mut Minter) -> Read {
    if let Some(call) = get(part, "functionCall") {
        let is_odd = !has_only(part, &["functionCall"]) || !has_only(call, &["args", "name"]);
        return Read::Call(tool_call(part, call, source, minter), is_odd);
    }
    let Some(words) = get(part, "text").and_then(Value::as_str) else {
        return Read::Other;
    };
    let is_odd = !has_only(part, &["text", "thought"]);
    if get(part, "thought") == Some(&Value::Bool(true)) {
        Read::Thought(words.to_owned(), is_odd)
    } else {
        Read::Text(words.to_owned(), is_odd)
    }
}

fn tool_call(part: &Value, call: &Value, source: &Source, minter: &mut Minter) -> Value {
    let id = match text(call, "id") {
        "" => minter.mint("call_"),
        id => clean(id).into_owned(),
    };
    let args = get(call, "args").filter(|args| args.is_object());
    let args = args.map_or_else(|| "{}".to_owned(), Value::to_string);
    let name = source.names.here(text(call, "name"));
    let mut told = json!({"id": id, "type": "function",
        "function": {"name": name, "arguments": args}});
    let signature = signature::of(part);
    if !signature.is_empty() {
        signature::put_beside_call(&mut told, signature);
    }
    told
}

/// What the parts of an answer say.
#[derive(Default)]
struct Said {
    text: String,
    thought: String,
    calls: Vec<Value>,
    is_odd: bool,
}

impl Said {
    fn says_something(&self) -> bool {
        !self.text.is_empty() || !self.thought.is_empty() || self.is_odd
    }

    fn add(&mut self, read: &Read) {
        self.is_odd |= match read {
            Read::Call(call, is_odd) => {
                self.calls.push(call.clone());
                *is_odd
            }
            Read::Other => true,
            Read::Text(text, is_odd) => {
                self.text.push_str(text);
                *is_odd
            }
            Read::Thought(text, is_odd) => {
                self.thought.push_str(text);
                *is_odd
            }
        };
    }

    fn message(self, parts: Vec<Value>, source: &Source) -> Message {
        let mut fields = Map::new();
        fields.insert("role".to_owned(), "assistant".into());
        let content = (!self.text.is_empty()).then_some(self.text);
        fields.insert("content".to_owned(), json!(content));
        if !self.thought.is_empty() {
            fields.insert("reasoning_content".to_owned(), self.thought.into());
        }
        if !self.calls.is_empty() {
            fields.insert("tool_calls".to_owned(), self.calls.into());
        }
        let native = self.is_odd.then(|| native(parts, source));
        Message::from_fields(fields).with_native(native)
    }
}

/// Parts of an answer, as `source` has made them.
pub(super) fn native(value: Vec<Value>, source: &Source) -> Arc<Native> {
    Arc::new(Native {
        dialect: Dialect::Gemini,
        model: source.maker.clone(),
        value,
    })
}
