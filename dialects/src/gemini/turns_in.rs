//! The conversation, read from a client.

use std::sync::Arc;

use hone_strategies::chat::{Dialect, End, Message, Native, Origin};
use serde_json::{Map, Value, json};

use super::fields::{get, has_only, join, take, text};
use super::parts_in::{Parts, check, held, text_part};
use super::signature;
use crate::marks::{Minter, clean, envelope};
use crate::shape::Refusal;
use crate::steps::Places;
use crate::wire::json::{list, object, str_of, wanted};

/// The message of instructions, if they say something.
pub(super) fn system(
    system: Value,
    path: &str,
    origin: &mut Origin,
) -> Result<Option<Message>, Refusal> {
    let system = match system {
        Value::String(text) => return Ok((!text.is_empty()).then(|| Message::system(text))),
        other => other,
    };
    let mut content = object(system, path)?;
    let (parts, path) = parts_of(&mut content, path)?;
    let mut read = Parts::default();
    for (at, part) in parts.iter().enumerate() {
        read.add(part, &format!("{path}.{at}"), origin)?;
    }
    let says_nothing = read
        .parts
        .iter()
        .all(|part| str_of(part, "text").is_empty());
    if says_nothing && !read.is_odd {
        return Ok(None);
    }
    let native = read.is_odd.then(|| native(parts));
    let content = plain(read.parts);
    Ok(Some(Message::new("system", content).with_native(native)))
}

/// One text alone is a text.
fn plain(parts: Vec<Value>) -> Value {
    match parts.as_slice() {
        [one] if str_of(one, "type") == "text" => str_of(one, "text").into(),
        _ => parts.into(),
    }
}

/// The parts of a content, and their path.
fn parts_of(content: &mut Map<String, Value>, path: &str) -> Result<(Vec<Value>, String), Refusal> {
    match take(content, "parts", path) {
        // The API's own clients leave it out of a turn in which nothing was said.
        None => Ok((Vec::new(), join(path, "parts"))),
        Some((one @ Value::Object(_), path)) => Ok((vec![one], path)),
        Some((parts, path)) => Ok((list(parts, &path)?, path)),
    }
}

fn native(value: Vec<Value>) -> Arc<Native> {
    Arc::new(Native {
        dialect: Dialect::Gemini,
        model: String::new(),
        value,
    })
}

/// The conversation.
pub(super) fn turns(
    turns: Value,
    path: &str,
    origin: &mut Origin,
) -> Result<Vec<Message>, Refusal> {
    let turns = list(turns, path)?;
    if turns.is_empty() {
        return Err(wanted(path, "an array with at least one content"));
    }
    let mut reader = Reader::default();
    for (index, turn) in turns.into_iter().enumerate() {
        reader.turn(turn, &format!("{path}.{index}"), origin)?;
    }
    reader.finish()
}

/// A conversation as far as it has been read.
#[derive(Default)]
struct Reader {
    messages: Vec<Message>,
    /// The model's turn that the last contents are, and their parts.
    open: Option<(Turn, Vec<Value>)>,
    /// The calls of the last step: ids and names.
    calls: Vec<(String, String)>,
    /// The same by each.
    by_id: Places,
    by_name: Places,
    /// Where they stand.
    places: Vec<String>,
    /// Their results, by their places among the calls.
    results: Vec<Option<Message>>,
    /// What the user says beside the results, which come first.
    said: Vec<Message>,
    /// How many calls came without ids.
    nameless: Option<Minter>,
    /// Where the user's last turn stands.
    path: String,
}

impl Reader {
    fn turn(&mut self, turn: Value, path: &str, origin: &mut Origin) -> Result<(), Refusal> {
        let mut turn = object(turn, path)?;
        let (parts, parts_path) = parts_of(&mut turn, path)?;
        match turn.get("role").and_then(Value::as_str).unwrap_or("user") {
            "model" => {
                if self.open.is_none() {
                    self.forgotten(origin);
                    self.close()?;
                }
                self.model(parts, &parts_path, origin)
            }
            "function" | "tool" | "user" => {
                self.flush();
                parts_path.clone_into(&mut self.path);
                self.user(parts, &parts_path, origin)
            }
            _ => Err(wanted(&join(path, "role"), "`user` or `model`")),
        }
    }

    /// Puts the results of a step behind its calls, in their order, and then what else was said.
    fn close(&mut self) -> Result<(), Refusal> {
        let is_answered = self.results.iter().any(Option::is_some);
        let is_open = self.results.iter().any(Option::is_none);
        if is_open && (is_answered || !self.said.is_empty()) {
            return Err(self.unanswered());
        }
        self.messages.extend(self.results.drain(..).flatten());
        self.messages.append(&mut self.said);
        self.calls.clear();
        self.by_id.clear();
        self.by_name.clear();
        self.places.clear();
        Ok(())
    }

    /// Calls that the model's next turn follows at once: Google may take that, and nobody else.
    fn forgotten(&mut self, origin: &mut Origin) {
        if self.said.is_empty() && self.results.iter().all(Option::is_none) {
            let why = "The call has no `functionResponse`, which other providers do not take.";
            for place in self.places.drain(..) {
                origin.fate(place, End::Refuse(why.to_owned()));
            }
        }
    }

    fn unanswered(&self) -> Refusal {
        let calls = self.calls.iter().zip(&self.results);
        let open = calls.filter(|(_, result)| result.is_none());
        let names: Vec<&str> = open.map(|((_, name), _)| name.as_str()).collect();
        let why = format!(
            "The calls of {} in the turn before have no `functionResponse` here.",
            names.join(", ")
        );
        Refusal::invalid(self.path.clone(), why)
    }

    /// The end of the conversation. Calls may be its last turn.
    fn finish(mut self) -> Result<Vec<Message>, Refusal> {
        self.flush();
        self.close()?;
        Ok(self.messages)
    }

    fn user(&mut self, parts: Vec<Value>, path: &str, origin: &mut Origin) -> Result<(), Refusal> {
        let (mut read, mut others) = (Parts::default(), Vec::new());
        for (at, part) in parts.into_iter().enumerate() {
            let path = format!("{path}.{at}");
            if let Some(("functionResponse", name, _)) = held(&part) {
                check(&part, &path)?;
                let path = join(&path, name);
                self.result(&part, &path, origin)?;
                continue;
            }
            read.add(&part, &path, origin)?;
            others.push(part);
        }
        if others.is_empty() {
            return Ok(());
        }
        let native = read.is_odd.then(|| native(others));
        let message = Message::user(plain(read.parts)).with_native(native);
        if self.calls.is_empty() {
            self.messages.push(message);
        } else {
            self.said.push(message);
        }
        Ok(())
    }

    /// The result of a tool: by the id of its call, or the next one of its name.
    fn result(&mut self, part: &Value, path: &str, origin: &mut Origin) -> Result<(), Refusal> {
        let response = get(part, "functionResponse").unwrap_or(&Value::Null);
        let (id, name) = (clean(text(response, "id")), text(response, "name"));
        let is_open = |at: usize| matches!(self.results.get(at), Some(None));
        let at = self.by_id.take(&id, is_open);
        let at = at.or_else(|| self.by_name.take(name, is_open));
        let Some((at, (id, _))) = at.and_then(|at| Some((at, self.calls.get(at)?))) else {
            let why = "No `functionCall` of the turn before has this id or name.";
            return Err(Refusal::invalid(path, why));
        };
        let message = result(response, part, id, path, origin)?;
        if let Some(place) = self.results.get_mut(at) {
            *place = Some(message);
        }
        Ok(())
    }

    /// Ends the model's turn.
    fn flush(&mut self) {
        if let Some((turn, parts)) = self.open.take() {
            self.results = vec![None; self.calls.len()];
            for (at, (id, name)) in self.calls.iter().enumerate() {
                self.by_id.add(id, at);
                self.by_name.add(name, at);
            }
            self.messages.push(turn.message(parts));
        }
    }

    /// Adds a content to the model's turn. Clients send each chunk of a stream back as a content.
    fn model(&mut self, parts: Vec<Value>, path: &str, origin: &mut Origin) -> Result<(), Refusal> {
        let (mut turn, mut all) = self.open.take().unwrap_or_default();
        let before = turn.said.parts.len();
        for (at, part) in parts.iter().enumerate() {
            let path = format!("{path}.{at}");
            match held(part) {
                Some(("functionCall", name, call)) => {
                    check(part, &path)?;
                    self.call(call, &join(&path, name), &mut turn)?;
                    turn.said.is_odd |= !has_only(part, &["functionCall"]);
                }
                Some(("text", _, value)) if get(part, "thought") == Some(&Value::Bool(true)) => {
                    turn.thought.push_str(value.as_str().unwrap_or_default());
                    turn.said.is_odd = true;
                }
                _ => {
                    // Chat has its text in front of the calls.
                    turn.said.is_odd |= !turn.calls.is_empty();
                    turn.said.add(part, &path, origin)?;
                }
            }
            turn.unseal(part);
        }
        turn.said.join_at(before);
        all.extend(parts);
        self.open = Some((turn, all));
        Ok(())
    }

    fn call(&mut self, call: &Value, path: &str, turn: &mut Turn) -> Result<(), Refusal> {
        let name = text(call, "name");
        if name.is_empty() {
            return Err(wanted(&join(path, "name"), "a string"));
        }
        let arguments = match get(call, "args") {
            None => json!({}),
            Some(args @ Value::Object(_)) => args.clone(),
            Some(_) => return Err(wanted(&join(path, "args"), "an object")),
        };
        let id = match text(call, "id") {
            "" => {
                let minter = self.nameless.get_or_insert_with(|| Minter::new("history"));
                minter.mint("call_")
            }
            id => clean(id).into_owned(),
        };
        turn.said.is_odd |= !has_only(call, &["args", "name"]);
        self.calls.push((id.clone(), name.to_owned()));
        self.places.push(path.to_owned());
        turn.calls.push(json!({
            "id": id,
            "type": "function",
            "function": {"name": name, "arguments": arguments.to_string()},
        }));
        Ok(())
    }
}

/// The message of a result.
fn result(
    response: &Value,
    part: &Value,
    id: &str,
    path: &str,
    origin: &mut Origin,
) -> Result<Message, Refusal> {
    let (told, has_failed, mut is_odd) = unwrapped(get(response, "response"), path)?;
    let mut read = Parts::default();
    let media = get(response, "parts").and_then(Value::as_array);
    for (at, part) in media.into_iter().flatten().enumerate() {
        read.add(part, &format!("{path}.parts.{at}"), origin)?;
    }
    is_odd |= read.is_odd;
    is_odd |= !has_only(response, &["name", "response", "parts"]);
    is_odd |= !has_only(part, &["functionResponse"]);
    let content = if read.parts.is_empty() {
        Value::from(told)
    } else {
        read.parts.insert(0, text_part(&told));
        is_odd = true;
        read.parts.into()
    };
    let message = Message::new("tool", content).with("tool_call_id", id);
    let message = message.with_native(is_odd.then(|| native(vec![part.clone()])));
    Ok(if has_failed {
        message.as_failure()
    } else {
        message
    })
}

/// The text of a response, whether it tells a failure, and whether it is written differently
/// where it goes back.
fn unwrapped(response: Option<&Value>, path: &str) -> Result<(String, bool, bool), Refusal> {
    let Some(response) = response else {
        return Ok((String::new(), false, true));
    };
    let Value::Object(fields) = response else {
        return Err(wanted(&join(path, "response"), "an object"));
    };
    let mut members = fields.iter();
    let told = match (members.next(), members.next()) {
        (Some((name, Value::String(text))), None) => match name.as_str() {
            "output" => Some((text.clone(), false, false)),
            "error" => Some((text.clone(), true, false)),
            "result" => Some((text.clone(), false, true)),
            _ => None,
        },
        _ => None,
    };
    let has_failed = fields.len() == 1 && fields.contains_key("error");
    Ok(told.unwrap_or_else(|| (response.to_string(), has_failed, true)))
}

/// What the parts of a model's turn come to.
#[derive(Default)]
struct Turn {
    said: Parts,
    thought: String,
    calls: Vec<Value>,
    /// What came in envelopes of hone's.
    sealed: Option<Native>,
    /// Whether something did.
    was_sealed: bool,
}

impl Turn {
    /// Takes what is in an envelope of hone's out of a part.
    fn unseal(&mut self, part: &Value) {
        let signature = signature::of(part);
        if signature.is_empty() || !signature::is_sealed(signature) {
            return;
        }
        self.was_sealed = true;
        envelope::gather(&mut self.sealed, signature::opened(signature));
    }

    fn message(self, parts: Vec<Value>) -> Message {
        let mut fields = Map::new();
        fields.insert("role".to_owned(), "assistant".into());
        let content = if self.said.parts.is_empty() {
            Value::Null
        } else {
            plain(self.said.parts)
        };
        fields.insert("content".to_owned(), content);
        if !self.thought.is_empty() {
            fields.insert("reasoning_content".to_owned(), self.thought.into());
        }
        if !self.calls.is_empty() {
            fields.insert("tool_calls".to_owned(), self.calls.into());
        }
        let own = self.said.is_odd.then(|| native(parts));
        let native = if self.was_sealed {
            self.sealed.map(Arc::new)
        } else {
            own
        };
        Message::from_fields(fields).with_native(native)
    }
}
