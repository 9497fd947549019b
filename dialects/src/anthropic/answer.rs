//! A whole answer, both ways.

use std::sync::Arc;

use hone_strategies::chat::{Choice, Completion, Dialect, Message, Native};
use serde_json::{Map, Value, json};

use super::content_in::has_only;
use super::turns_in::call;
use crate::functions;
use crate::marks::{Minter, Names, clean, envelope};
use crate::shape::{ErrorReply, Frame, Source};
use crate::tables::finish::Meaning;
use crate::tables::{errors, finish, usage};
use crate::wire::json::{document, str_of};

/// Reads an upstream's message.
pub(super) fn decode(body: &[u8], source: &Source) -> Result<Completion, Box<ErrorReply>> {
    let malformed = |why: &str| Box::new(ErrorReply::malformed(why));
    let message = document(body).ok_or_else(|| malformed("The upstream's answer is no JSON."))?;
    if str_of(&message, "type") == "error" {
        let status = errors::status_within(Dialect::Anthropic, &message);
        let error = errors::from_document(Dialect::Anthropic, status, &message);
        return Err(Box::new(error));
    }
    let Some(blocks) = message.get("content").and_then(Value::as_array) else {
        return Err(malformed("The upstream's answer has no list of content."));
    };
    let mut said = Said::default();
    for block in blocks {
        said.add(block, &source.names);
    }
    let word = str_of(&message, "stop_reason");
    if message.get("stop_reason") == Some(&Value::Null) {
        return Err(malformed("The upstream's answer has not ended."));
    }
    let calls = !said.calls.is_empty();
    let meaning = finish::from_anthropic(word);
    let reason = meaning.reason(!said.is_empty(), calls);
    let reason = reason.ok_or_else(|| malformed("The upstream's answer says nothing."))?;
    functions::check(Some(&Value::Array(said.calls.clone())), reason)?;
    if reason == "content_filter" {
        said.refusal = explanation(&message);
    }
    let mut choice = Choice::new(said.message(blocks.clone(), source), reason);
    choice.rest = said_of_end(&message, meaning);
    let mut rest = Map::new();
    for name in ["id", "model"] {
        if let Some(value) = message.get(name) {
            rest.insert(name.to_owned(), value.clone());
        }
    }
    let rest = Arc::new(rest);
    choice.beside = Arc::clone(&rest);
    Ok(Completion {
        choices: vec![choice],
        usage: message.get("usage").and_then(usage::from_anthropic),
        rest,
        ..Completion::default()
    })
}

/// What a message, or the end of a stream, says of its end that chat has no word for: the stop
/// sequence that was met, and a reason that is worth a note.
pub(super) fn said_of_end(message: &Value, meaning: Meaning) -> Map<String, Value> {
    let mut said = Map::new();
    let is_noted = matches!(meaning, Meaning::Noted(_));
    for (name, is_said) in [("stop_reason", is_noted), ("stop_sequence", true)] {
        if let Some(value @ Value::String(_)) = message.get(name).filter(|_| is_said) {
            said.insert(name.to_owned(), value.clone());
        }
    }
    said
}

/// `stop_reason` and `stop_sequence` of an answer that ended for `reason`, and of whose end `said`
/// is known.
pub(super) fn ended(reason: &str, calls: bool, said: &Map<String, Value>) -> (&'static str, Value) {
    let stop = said.get("stop_sequence").filter(|stop| stop.is_string());
    let word = match finish::to_anthropic(reason, calls, stop.is_some()) {
        // The client goes on by giving the turn back.
        "end_turn" if said.get("stop_reason").is_some_and(|word| word == PAUSED) => PAUSED,
        word => word,
    };
    let stop = stop.filter(|_| word == "stop_sequence");
    (word, stop.cloned().unwrap_or_default())
}

/// The turn is to be given back as it is, so that the provider's own tools can go on.
const PAUSED: &str = "pause_turn";

/// Why the model declined, if it says so.
pub(super) fn explanation(message: &Value) -> Option<String> {
    let details = message.get("stop_details")?;
    let text = str_of(details, "explanation");
    (!text.is_empty()).then(|| text.to_owned())
}

/// What the blocks of an answer say.
#[derive(Default)]
struct Said {
    text: String,
    thoughts: Vec<String>,
    calls: Vec<Value>,
    refusal: Option<String>,
    is_odd: bool,
}

impl Said {
    fn is_empty(&self) -> bool {
        self.text.is_empty() && self.thoughts.is_empty() && self.calls.is_empty()
    }

    fn add(&mut self, block: &Value, names: &Names) {
        let known: &[&str] = match str_of(block, "type") {
            "text" => {
                self.text.push_str(str_of(block, "text"));
                &["type", "text"]
            }
            "thinking" => {
                self.thoughts.push(str_of(block, "thinking").to_owned());
                &[]
            }
            "tool_use" => {
                self.calls.push(renamed(call(block), names));
                &["type", "id", "name", "input"]
            }
            _ => &[],
        };
        self.is_odd |= !has_only(block, known);
    }

    fn message(self, blocks: Vec<Value>, source: &Source) -> Message {
        let mut fields = Map::new();
        fields.insert("role".to_owned(), "assistant".into());
        let content = (!self.text.is_empty()).then_some(self.text);
        fields.insert("content".to_owned(), json!(content));
        let thoughts: Vec<_> = self
            .thoughts
            .iter()
            .filter(|thought| !thought.is_empty())
            .collect();
        if !thoughts.is_empty() {
            let thoughts: Vec<&str> = thoughts.into_iter().map(String::as_str).collect();
            fields.insert("reasoning_content".to_owned(), thoughts.join("\n\n").into());
        }
        if !self.calls.is_empty() {
            fields.insert("tool_calls".to_owned(), self.calls.into());
        }
        if let Some(refusal) = self.refusal {
            fields.insert("refusal".to_owned(), refusal.into());
        }
        let native = Native {
            dialect: Dialect::Anthropic,
            model: source.maker.clone(),
            value: blocks,
        };
        Message::from_fields(fields).with_native(self.is_odd.then(|| Arc::new(native)))
    }
}

fn renamed(mut call: Value, names: &Names) -> Value {
    if let Some(Value::String(name)) = call.pointer_mut("/function/name") {
        *name = names.here(name).to_owned();
    }
    call
}

/// Writes the message of the first choice for a client.
pub(super) fn encode(answer: &Completion, frame: &Frame) -> Value {
    let mut minter = Minter::new(&frame.seed);
    let id = minter.mint("msg_");
    let nothing = Choice::new(Message::assistant(""), "stop");
    let choice = answer.choices.first().unwrap_or(&nothing);
    let reason = choice.finish_reason.as_deref().unwrap_or("stop");
    let content = content(&choice.message, frame, reason, &mut minter);
    let calls = content.iter().any(is_call);
    let (word, stop) = ended(reason, calls, &choice.rest);
    let told = answer.usage.unwrap_or_default();
    json!({
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": frame.model,
        "content": content,
        "stop_reason": word,
        "stop_sequence": stop,
        "usage": usage::to_anthropic(&told),
    })
}

fn content(message: &Message, frame: &Frame, reason: &str, minter: &mut Minter) -> Vec<Value> {
    let native = message.native();
    if let Some(native) = native.filter(|native| native.dialect == Dialect::Anthropic) {
        let shown = |block: &&Value| is_shown(block, frame);
        return native.value.iter().filter(shown).cloned().collect();
    }
    let mut blocks = Vec::new();
    let thought = if frame.shows_reasoning() {
        reasoning(message.fields())
    } else {
        ""
    };
    let goes_back = frame.shows_reasoning() || frame.shows_encrypted();
    let sealed = native.filter(|_| goes_back);
    let sealed = sealed.and_then(|native| envelope::seal_native(native, message.fields()));
    if !thought.is_empty() || sealed.is_some() {
        let signature = sealed.unwrap_or_else(envelope::seal_own);
        blocks.push(json!({"type": "thinking", "thinking": thought, "signature": signature}));
    }
    let text = message.text();
    if !text.is_empty() {
        blocks.push(json!({"type": "text", "text": text}));
    }
    if let Some(refusal) = message.refusal() {
        blocks.push(json!({"type": "text", "text": refusal}));
    }
    let calls = message.tool_calls().and_then(Value::as_array);
    let calls = calls.into_iter().flatten();
    // A call that was cut off has no arguments that anybody could run.
    let tools = calls.filter_map(|call| tool_use(call, reason == "length", minter));
    blocks.extend(tools);
    blocks
}

/// Whether a block is a call of a tool that the client runs.
pub(super) fn is_call(block: &Value) -> bool {
    str_of(block, "type") == "tool_use"
}

/// What the model thought, under either of its names.
pub(super) fn reasoning(fields: &Map<String, Value>) -> &str {
    let names = ["reasoning_content", "reasoning"];
    let mut texts = names.iter().filter_map(|name| fields.get(*name)?.as_str());
    texts.next().unwrap_or_default()
}

/// Whether a client that does or does not want to see reasoning gets this block.
pub(super) fn is_shown(block: &Value, frame: &Frame) -> bool {
    let thinks = matches!(str_of(block, "type"), "redacted_thinking" | "thinking");
    !thinks || frame.shows_reasoning() || frame.shows_encrypted()
}

fn tool_use(call: &Value, may_be_cut: bool, minter: &mut Minter) -> Option<Value> {
    let function = call.get("function").unwrap_or(&Value::Null);
    let arguments = str_of(function, "arguments");
    let input = match serde_json::from_str::<Value>(arguments) {
        Ok(input @ Value::Object(_)) => input,
        _ if arguments.trim().is_empty() => json!({}),
        _ if may_be_cut => return None,
        _ => json!({ "input": arguments }),
    };
    let id = str_of(call, "id");
    let id = if id.is_empty() {
        minter.mint("toolu_")
    } else {
        clean(id).into_owned()
    };
    Some(json!({"type": "tool_use", "id": id, "name": str_of(function, "name"), "input": input}))
}
