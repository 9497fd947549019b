//! An upstream's whole answer, read.

use std::sync::Arc;

use hone_strategies::chat::{Choice, Completion, Message, Native};
use serde_json::{Map, Value, json};

use super::content_in::has_only;
use super::said::{APART, parts, thoughts, to_chat, words};
use super::tools::{call_of, chat_call};
use crate::marks::Names;
use crate::shape::{ErrorReply, Source};
use crate::tables::{errors, finish, usage};
use crate::wire::json::{document, str_of};

/// Reads an upstream's response.
pub(super) fn decode(body: &[u8], source: &Source) -> Result<Completion, Box<ErrorReply>> {
    let malformed = |why: &str| Box::new(ErrorReply::malformed(why));
    let response = document(body).ok_or_else(|| malformed("The upstream's answer is no JSON."))?;
    if let Some(error) = failure(&response) {
        return Err(Box::new(error));
    }
    if matches!(str_of(&response, "status"), "queued" | "in_progress") {
        return Err(malformed("The upstream's answer has not ended."));
    }
    let Some(items) = response.get("output").and_then(Value::as_array) else {
        return Err(malformed("The upstream's answer has no list of output."));
    };
    let mut said = Said::default();
    for item in items {
        said.add(item, &source.names);
    }
    let reason = reason(&response, said.heard(), !said.calls.is_empty())?;
    said.check(reason)?;
    let logprobs = std::mem::take(&mut said.logprobs);
    let mut choice = Choice::new(said.message(items.clone(), source), reason);
    if !logprobs.is_empty() {
        choice.logprobs = Some(json!({ "content": logprobs }).into());
    }
    let rest = Arc::new(beside(&response));
    choice.beside = Arc::clone(&rest);
    Ok(Completion {
        choices: vec![choice],
        usage: response.get("usage").and_then(usage::from_responses),
        rest,
        ..Completion::default()
    })
}

/// What stands beside the output.
pub(super) fn beside(response: &Value) -> Map<String, Value> {
    let names = ["id", "model", "service_tier"];
    let told = names.into_iter().filter_map(|name| {
        let value = response.get(name).filter(|value| !value.is_null())?;
        Some((name.to_owned(), value.clone()))
    });
    told.collect()
}

/// The failure that a response or an event tells, if it tells one.
pub(super) fn failure(response: &Value) -> Option<ErrorReply> {
    let error = response.get("error").filter(|error| !error.is_null());
    let has_failed = matches!(str_of(response, "status"), "failed" | "cancelled");
    if error.is_none() && !has_failed {
        return None;
    }
    Some(told(&json!({ "error": error })))
}

/// The error in a document that has one.
pub(super) fn told(document: &Value) -> ErrorReply {
    let status = errors::status_within(super::said::OWN, document);
    errors::from_document(super::said::OWN, status, document)
}

/// What decides why an answer ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Heard {
    pub(super) text: bool,
    pub(super) thought: bool,
    pub(super) refusal: bool,
}

/// Chat's word, or what is wrong with the answer.
type Told = Result<&'static str, Box<ErrorReply>>;

/// Why the answer ended.
pub(super) fn reason(response: &Value, heard: Heard, calls: bool) -> Told {
    let why = response.pointer("/incomplete_details/reason");
    let why = why.and_then(Value::as_str).unwrap_or_default();
    let meaning = finish::from_responses(str_of(response, "status"), why);
    let says_something = heard.text || heard.thought || heard.refusal;
    match meaning.reason(says_something, calls) {
        Some("stop") if heard.refusal && !heard.text => Ok("content_filter"),
        Some(reason) => Ok(reason),
        None => Err(Box::new(ErrorReply::malformed(
            "The upstream's answer says nothing.",
        ))),
    }
}

/// What the items of an answer say.
#[derive(Default)]
struct Said {
    texts: Vec<String>,
    refusal: String,
    thoughts: Vec<String>,
    calls: Vec<(String, String, String)>,
    annotations: Vec<Value>,
    logprobs: Vec<Value>,
    is_odd: bool,
}

impl Said {
    fn heard(&self) -> Heard {
        Heard {
            text: !self.texts.is_empty(),
            thought: !self.thoughts.is_empty(),
            refusal: !self.refusal.is_empty(),
        }
    }

    fn add(&mut self, item: &Value, names: &Names) {
        match str_of(item, "type") {
            "message" => self.message_item(item),
            "reasoning" => {
                self.is_odd = true;
                self.thoughts.extend(thoughts(item));
            }
            _ => match call_of(item) {
                Some((id, name, arguments)) => {
                    let known = ["type", "id", "call_id", "name", "arguments", "status"];
                    self.is_odd |= !has_only(item, &known);
                    self.calls
                        .push((id, names.here(&name).to_owned(), arguments));
                }
                None => self.is_odd = true,
            },
        }
    }

    fn message_item(&mut self, item: &Value) {
        let (text, refusal) = words(item);
        self.is_odd |= !has_only(item, &["type", "id", "role", "content", "status"]);
        self.is_odd |= !self.texts.is_empty() || !self.calls.is_empty();
        if !text.is_empty() {
            self.texts.push(text);
        }
        self.refusal.push_str(&refusal);
        for part in parts(item) {
            let listed = |name: &str| {
                let list = part.get(name).and_then(Value::as_array);
                list.map_or(&[][..], Vec::as_slice)
            };
            self.is_odd |= !listed("annotations").is_empty();
            self.annotations.extend(to_chat(listed("annotations")));
            self.logprobs.extend(listed("logprobs").iter().cloned());
        }
    }

    /// Leaves out a call that was cut off, and refuses others that nobody could run.
    fn check(&mut self, reason: &str) -> Result<(), Box<ErrorReply>> {
        let is_whole = |(_, _, arguments): &(String, String, String)| is_object(arguments);
        if reason == "length" {
            self.calls.retain(is_whole);
        } else if !self.calls.iter().all(is_whole) {
            let why = "The arguments of a call are no JSON object.";
            return Err(Box::new(ErrorReply {
                code: Some("malformed_tool_call".to_owned()),
                ..ErrorReply::new(502, why)
            }));
        }
        Ok(())
    }

    fn message(self, items: Vec<Value>, source: &Source) -> Message {
        let mut fields = Map::from_iter([("role".to_owned(), Value::from("assistant"))]);
        let content = (!self.texts.is_empty()).then(|| self.texts.join(APART));
        fields.insert("content".to_owned(), json!(content));
        if !self.thoughts.is_empty() {
            let thoughts = self.thoughts.join(APART);
            fields.insert("reasoning_content".to_owned(), thoughts.into());
        }
        if !self.refusal.is_empty() {
            fields.insert("refusal".to_owned(), self.refusal.into());
        }
        if !self.calls.is_empty() {
            let calls: Vec<Value> = self.calls.into_iter().map(chat_call).collect();
            fields.insert("tool_calls".to_owned(), calls.into());
        }
        if !self.annotations.is_empty() {
            fields.insert("annotations".to_owned(), self.annotations.into());
        }
        let native = Native {
            dialect: super::said::OWN,
            model: source.maker.clone(),
            value: items,
        };
        Message::from_fields(fields).with_native(self.is_odd.then(|| Arc::new(native)))
    }
}

/// Whether a call could be run with these arguments: none are an empty object.
fn is_object(arguments: &str) -> bool {
    let parsed = serde_json::from_str(arguments);
    arguments.trim().is_empty() || matches!(parsed, Ok(Value::Object(_)))
}
