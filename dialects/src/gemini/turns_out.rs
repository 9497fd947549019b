//! The conversation, written for an upstream: turns of one role are joined, all results of a step
//! stand in one content and alone, and nothing that is empty goes out.

use hone_strategies::chat::{ChatRequest, Message};
use serde_json::{Map, Value, json};

use super::fields::get;
use super::parts_out::{self, Desk};
use super::signature::{self, must_sign, sign, stand_in};
use crate::marks::{Names, clean};
use crate::shape::{Losses, Refusal, SystemForm, Target};
use crate::steps::Places;
use crate::wire::json::str_of;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Model,
    Results,
    User,
}

struct Turn {
    kind: Kind,
    parts: Vec<Value>,
}

/// The conversation as it comes to be.
struct Turns<'a> {
    desk: Desk<'a>,
    system: Vec<Value>,
    written: Vec<Turn>,
    /// The calls of the last step, each with its result.
    calls: Vec<Call>,
    /// The same by their ids.
    places: Places,
    /// What results hold beside their texts; it follows them.
    shown: Vec<Value>,
}

struct Call {
    id: String,
    name: String,
    result: Option<Value>,
}

/// Writes the messages of `request` into `out`.
pub(super) fn write(
    request: &ChatRequest,
    target: &Target,
    names: &Names,
    out: &mut Map<String, Value>,
    losses: &mut Losses,
) -> Result<(), Refusal> {
    let mut turns = Turns {
        desk: Desk {
            target,
            names,
            losses,
        },
        system: Vec::new(),
        written: Vec::new(),
        calls: Vec::new(),
        places: Places::default(),
        shown: Vec::new(),
    };
    for (index, message) in request.messages().iter().enumerate() {
        turns.add(message, index)?;
    }
    turns.close(request.messages().len(), true)?;
    turns.stand_in();
    if !turns.system.is_empty() {
        let system = json!({ "parts": turns.system });
        out.insert("systemInstruction".to_owned(), system);
    }
    let contents = turns.written.into_iter().map(|turn| {
        let role = if turn.kind == Kind::Model {
            "model"
        } else {
            "user"
        };
        json!({"role": role, "parts": turn.parts})
    });
    out.insert("contents".to_owned(), contents.collect());
    Ok(())
}

impl Turns<'_> {
    fn add(&mut self, message: &Message, index: usize) -> Result<(), Refusal> {
        match message.role() {
            "tool" | "function" => return self.result(message, index),
            "assistant" => {
                self.close(index, false)?;
                let parts = parts_out::assistant(message, index, &mut self.desk)?;
                self.turn(Kind::Model, parts);
                self.calls = calls(message);
                for (at, call) in self.calls.iter().enumerate() {
                    self.places.add(&call.id, at);
                }
            }
            role => {
                self.close(index, false)?;
                let parts = parts_out::said(message, index, &mut self.desk)?;
                match role {
                    "developer" | "system" => self.instructions(message, parts),
                    _ => self.turn(Kind::User, parts),
                }
            }
        }
        Ok(())
    }

    /// Instructions within a conversation, for which the API has no place.
    fn instructions(&mut self, message: &Message, parts: Vec<Value>) {
        let is_first = self.written.is_empty();
        if is_first || self.desk.target.settings.system == SystemForm::Leading {
            self.system.extend(parts);
        } else {
            let text = format!("<system>\n{}\n</system>", message.text());
            self.turn(Kind::User, vec![json!({ "text": text })]);
        }
    }

    fn result(&mut self, message: &Message, index: usize) -> Result<(), Refusal> {
        let id = message.get("tool_call_id").and_then(Value::as_str);
        let id = clean(id.unwrap_or_default());
        let at = self.places.take(&id, |_| true);
        let Some(call) = at.and_then(|at| self.calls.get_mut(at)) else {
            let path = format!("messages[{index}].tool_call_id");
            let why = "No call of the turn before has this id.";
            return Err(Refusal::invalid(path, why));
        };
        let name = self.desk.names.there(&call.name);
        let result = parts_out::result(message, &name, index, &mut self.shown, &mut self.desk)?;
        call.result = Some(result);
        Ok(())
    }

    /// Writes the results of a step, in the order of its calls. At the end calls may be open.
    fn close(&mut self, index: usize, is_end: bool) -> Result<(), Refusal> {
        let is_open = self.calls.iter().any(|call| call.result.is_none());
        let is_answered = self.calls.iter().any(|call| call.result.is_some());
        if is_open && (is_answered || !is_end) {
            let path = format!("messages[{}]", index.saturating_sub(1));
            let why = "Not all calls of the turn before have a result here.";
            return Err(Refusal::invalid(path, why));
        }
        self.places.clear();
        let results = self.calls.drain(..).filter_map(|call| call.result);
        let results: Vec<Value> = results.collect();
        self.turn(Kind::Results, results);
        let shown = std::mem::take(&mut self.shown);
        self.turn(Kind::User, shown);
        Ok(())
    }

    /// Adds to the last turn, if it is of this kind, or begins one.
    fn turn(&mut self, kind: Kind, parts: Vec<Value>) {
        match self.written.last_mut() {
            _ if parts.is_empty() => {}
            Some(turn) if turn.kind == kind && kind != Kind::Results => turn.parts.extend(parts),
            _ => self.written.push(Turn { kind, parts }),
        }
    }

    /// Gives the calls of the current turn something in place of a signature that nobody has.
    fn stand_in(&mut self) {
        if !must_sign(&self.desk.target.model) {
            return;
        }
        let current = self.written.iter_mut().rev();
        let current = current.take_while(|turn| turn.kind != Kind::User);
        for turn in current.filter(|turn| turn.kind == Kind::Model) {
            let is_call = |part: &&mut Value| get(part, "functionCall").is_some();
            let first = turn.parts.iter_mut().find(is_call);
            if let Some(part) = first.filter(|part| signature::of(part).is_empty()) {
                sign(part, stand_in());
                self.desk.losses.degrade("thought_signatures");
            }
        }
    }
}

fn calls(message: &Message) -> Vec<Call> {
    let calls = message.tool_calls().and_then(Value::as_array);
    let call = |call: &Value| {
        let function = call.get("function").unwrap_or(&Value::Null);
        Call {
            id: clean(str_of(call, "id")).into_owned(),
            name: str_of(function, "name").to_owned(),
            result: None,
        }
    };
    calls.into_iter().flatten().map(call).collect()
}
